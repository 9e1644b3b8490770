"""Raster: values on a Grid, with a name, a unit and, for elevations, a height reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, GridMismatchError, InputError
from hazardgeo.grid import Grid

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

UNKNOWN_CLASS = 255
UNKNOWN_ID = 0
_DTYPES = ("float32", "float64", "uint8", "int32", "bool")


@dataclass(frozen=True, slots=True)
class ClassLabel:
    """A code of a class raster: what it means, and the colour "#rrggbb" that maps and colour tables use.

    `hatched` marks codes that say "not assessed" in one way or another: pictures hatch them and never leave them clear.
    """

    code: int
    label: str
    colour: str
    hatched: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """Values on a Grid.

    Unknown is NaN in float32 and float64 rasters, 255 in uint8 class rasters and 0 in int32 id rasters; bool masks have
    no unknown. `classes` names the codes of a class raster; `tags` carries what an analyst must know of a result
    (model, citation, validity). `height` is set on elevations only.
    """

    values: NDArray[Any]
    grid: Grid
    name: str = ""
    unit: str = ""
    height: Height | None = None
    classes: tuple[ClassLabel, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.values.shape != self.grid.shape:
            raise GridMismatchError(
                f"values of shape {self.values.shape} do not fit a grid of {self.grid}; check rows and columns."
            )
        if str(self.values.dtype) not in _DTYPES:
            raise InputError(
                f"a raster of {self.values.dtype} has no way to say unknown; convert it to float32, to uint8 classes "
                "(255 = unknown) or to int32 ids (0 = unknown)."
            )

    @property
    def unknown(self) -> NDArray[np.bool_]:
        """True where the value is unknown."""
        if self.values.dtype.kind == "f":
            return np.asarray(np.isnan(self.values))
        if self.values.dtype == np.uint8:
            return np.asarray(self.values == UNKNOWN_CLASS)
        if self.values.dtype == np.int32:
            return np.asarray(self.values == UNKNOWN_ID)
        return np.zeros(self.values.shape, bool)

    def like(self, values: NDArray[Any], name: str, unit: str) -> Raster:
        """Other values on the same grid; height, classes and tags are not carried over."""
        return Raster(values, self.grid, name, unit)

    def with_height(self, height: Height) -> Raster:
        """The same elevations with a stated height reference; nothing is shifted."""
        return replace(self, height=height)

    def require(self, *, unit: str) -> None:
        """Raise InputError unless the raster has this unit."""
        if self.unit != unit:
            stated = "" if self.unit else f"; if it is in {unit}, say so where it is read (unit={unit!r}, or --unit {unit})"
            raise InputError(f"raster {self.name!r} is in {self.unit or 'no unit'!r}, but {unit!r} is needed{stated}.")

    def require_same(self, other: Raster) -> None:
        """Raise GridMismatchError unless both lie on the same grid, HeightError unless their heights agree."""
        self.grid.require_same(other.grid)
        if self.height is not None and other.height is not None:
            self.height.require_same(other.height)

    def window(self, rows: slice, cols: slice) -> Raster:
        """The block of cells in these row and column slices."""
        return replace(self, values=self.values[rows, cols], grid=self.grid.window(rows, cols))

    def to_xarray(self) -> xarray.DataArray:
        """The raster as an xarray.DataArray with coordinates y and x and the CRS as WKT in its attributes."""
        import xarray

        east, north = self.grid.centres()
        height = {} if self.height is None else {"height_kind": self.height.kind, "height_vertical": self.height.vertical or ""}
        attrs = {"units": self.unit, "crs_wkt": self.grid.crs.to_wkt(), **height, **self.tags}
        return xarray.DataArray(self.values.copy(), coords={"y": north, "x": east}, dims=("y", "x"), name=self.name, attrs=attrs)

    @classmethod
    def from_xarray(cls, array: xarray.DataArray, *, crs: Any = None, unit: str = "", height: Height | None = None) -> Raster:
        """A Raster from a two-dimensional DataArray with evenly spaced y and x, in any order.

        The CRS is `crs`, else the attribute crs_wkt, else what rioxarray keeps in spatial_ref. A `_FillValue` that is
        still in the numbers becomes NaN. Raises CrsError without a CRS and InputError for uneven coordinates.
        """
        data = array.squeeze(drop=True)
        y_name, x_name = data.dims[-2:] if data.ndim == 2 else (None, None)
        if y_name is None or x_name is None:
            raise InputError(f"a raster has two dimensions, not {tuple(data.dims)}; select one band or time first.")
        if x_name in ("y", "lat", "latitude", "northing"):
            data, y_name, x_name = data.transpose(x_name, y_name), x_name, y_name
        y, x = (_even(np.asarray(data[name].values, float), str(name)) for name in (y_name, x_name))
        values = np.asarray(data.values)[:: 1 if y[1] < 0 else -1, :: 1 if x[1] > 0 else -1]
        if values.dtype.kind in "iu" and str(values.dtype) not in _DTYPES:
            values = values.astype(np.float32)
        fill = data.attrs.get("_FillValue", data.encoding.get("_FillValue"))
        if fill is not None and values.dtype.kind == "f":
            values = np.where(values == fill, np.nan, values).astype(values.dtype)
        spatial = array.coords["spatial_ref"].attrs.get("crs_wkt") if "spatial_ref" in array.coords else None
        reference = crs if crs is not None else data.attrs.get("crs_wkt", spatial)
        if reference is None:
            raise CrsError(f"the array {str(array.name)!r} has no CRS; pass crs='EPSG:...'.")
        west, north = min(x[0], x[0] + x[1] * (len(data[x_name]) - 1)), max(y[0], y[0] + y[1] * (len(data[y_name]) - 1))
        width, tall = abs(x[1]), abs(y[1])
        transform = Affine(width, 0, west - width / 2, 0, -tall, north + tall / 2)
        grid = Grid(transform, (values.shape[0], values.shape[1]), reference)
        return cls(np.ascontiguousarray(values), grid, str(array.name or ""), unit or str(data.attrs.get("units", "")), height)

    def plot(self, ax: Axes | None = None, **imshow: Any) -> Axes:
        """The raster as a matplotlib image with its unit on the colour bar; unknown cells are hatched."""
        from hazardgeo.raster import picture

        return picture.plot(self, ax, **imshow)

    def _repr_html_(self) -> str:
        from hazardgeo.raster import picture

        return picture.html(self)

    def __repr__(self) -> str:
        share = float(self.unknown.mean())
        height = "" if self.height is None else f", heights {self.height}"
        return f"Raster({self.name or 'unnamed'} [{self.unit or '-'}], {self.grid}{height}, {share:.1%} unknown)"


def _even(coordinates: NDArray[np.float64], name: str) -> tuple[float, float]:
    """First value and step of evenly spaced coordinates."""
    if len(coordinates) < 2:
        raise InputError(f"dimension {name!r} has fewer than two coordinates, so the cell size is unknown.")
    steps = np.diff(coordinates)
    step = float((coordinates[-1] - coordinates[0]) / (len(coordinates) - 1))
    if step == 0 or np.abs(steps - step).max() > 0.01 * abs(step):
        raise InputError(f"coordinates of {name!r} are not evenly spaced; resample the array to a regular grid first.")
    return float(coordinates[0]), step
