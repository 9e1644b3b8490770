"""PointCloud: coordinates and attributes of a laser scan or a photogrammetric cloud."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyproj
from numpy.typing import NDArray

from hazardgeo import crs as _crs
from hazardgeo.crs import Height
from hazardgeo.errors import InputError


@dataclass(frozen=True, eq=False)
class PointCloud:
    """Points as `xyz` (n, 3), float64: east, north, height in the units of `crs`, with `attributes` of length n.

    Attribute names follow LAS: intensity, return_number, number_of_returns, classification (ASPRS codes, 2 = ground),
    red, green, blue (16 bits), nir, gps_time, scan_angle_deg, user_data, withheld, overlap, synthetic, key_point. `height`
    says what the heights refer to.
    """

    xyz: NDArray[np.float64]
    crs: pyproj.CRS
    attributes: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    height: Height = field(default_factory=Height)

    def __post_init__(self) -> None:
        xyz = np.ascontiguousarray(self.xyz, dtype=np.float64)
        if xyz.ndim != 2 or xyz.shape[1] != 3:
            raise InputError(f"point coordinates must have shape (n, 3), not {xyz.shape}.")
        for name, values in self.attributes.items():
            if len(values) != len(xyz):
                raise InputError(f"attribute {name!r} has {len(values)} values for {len(xyz)} points.")
        object.__setattr__(self, "xyz", xyz)
        object.__setattr__(self, "crs", _crs.horizontal(self.crs))

    def __len__(self) -> int:
        return len(self.xyz)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(west, south, east, north) of the points; InputError when there are none."""
        if not len(self):
            raise InputError("a cloud without points has no bounds; check the file and the filter.")
        west, south = self.xyz[:, :2].min(axis=0)
        east, north = self.xyz[:, :2].max(axis=0)
        return float(west), float(south), float(east), float(north)

    def require_metric(self, what: str = "this step") -> None:
        """Raise CrsError unless east and north are metres."""
        _crs.require_metric(self.crs, what=what, fix="reproject the cloud to a projected metric CRS, for example UTM, first.")

    def select(self, mask: NDArray[Any]) -> PointCloud:
        """The points where `mask` is true (or at the given indices), with all their attributes."""
        return replace(self, xyz=self.xyz[mask], attributes={k: v[mask] for k, v in self.attributes.items()})

    def with_attribute(self, name: str, values: NDArray[Any]) -> PointCloud:
        """The same points with one attribute added or replaced."""
        return replace(self, attributes={**self.attributes, name: values})

    def with_height(self, height: Height) -> PointCloud:
        """The same points with a stated height reference; nothing is shifted."""
        return replace(self, height=height)

    def to_height(self, height: Height, *, offset_m: float | None = None) -> PointCloud:
        """The same points with heights above another reference; `offset_m` states what to add where no operation is known.

        Raises HeightError as `crs.height_shift` does.
        """
        shift = _crs.heights_apart(self.xyz[:, 0], self.xyz[:, 1], self.crs, from_=self.height, to=height, offset_m=offset_m)
        xyz = self.xyz.copy()
        xyz[:, 2] += shift
        return replace(self, xyz=xyz, height=height)

    def __repr__(self) -> str:
        names = ", ".join(self.attributes) or "no attributes"
        return f"PointCloud({len(self):,} points, {_crs.label(self.crs)}, heights {self.height}, {names})"
