"""One scan that is kept in several files."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hazardgeo import crs as _crs
from hazardgeo.cloud import PointCloud
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, HazardGeoWarning, HeightError, InputError
from hazardgeo.io.cloud.read import read_cloud
from hazardgeo.io.remote import Place, located


def read_clouds(
    paths: Sequence[str | Place],
    *,
    classes: Collection[int] | None = None,
    crs: Any = None,
    height: Height | None = None,
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> PointCloud:
    """The points of all files in one cloud, in the order of `paths`; the options are those of `read_cloud`, for each file.

    Attributes that not all files have are left out, and a HazardGeoWarning names them. Points that two files share are
    there twice. Every file is read whole: for a moment memory holds all points twice.

    Raises InputError for no paths or the same file twice, CrsError and HeightError where the files differ in their CRS or
    height reference, and what `read_cloud` raises: a file that is missing or damaged stops all, so that no part of the
    ground goes missing unnoticed.
    """
    sources = [located(path) for path in paths]
    require_each_once(sources)
    clouds = [read_cloud(source, classes=classes, crs=crs, height=height, offset=offset) for source in sources]
    first = clouds[0]
    if len(clouds) == 1:
        return first
    for source, cloud in zip(sources[1:], clouds[1:], strict=True):
        if cloud.crs != first.crs:
            raise CrsError(
                f"{source.name} is in {_crs.label(cloud.crs)}, {sources[0].name} in {_crs.label(first.crs)}; bring them to one."
            )
        try:
            cloud.height.require_same(first.height)
        except HeightError as error:
            raise HeightError(f"{source.name} and {sources[0].name}: {error}") from None
    shared = [name for name in first.attributes if all(_alike(name, first, cloud) for cloud in clouds)]
    lost = sorted({name for cloud in clouds for name in cloud.attributes} - set(shared))
    if lost:
        message = (
            f"{sources[0]} and {len(sources) - 1} more files do not all have {', '.join(lost)}; these attributes are left out."
        )
        warnings.warn(message, HazardGeoWarning, stacklevel=2)
    attributes = {name: np.concatenate([cloud.attributes[name] for cloud in clouds]) for name in shared}
    return PointCloud(np.concatenate([cloud.xyz for cloud in clouds]), first.crs, attributes, first.height)


def require_each_once(places: Sequence[Place]) -> None:
    """Raise InputError for no file at all, and for a file that is named twice."""
    if not places:
        raise InputError("there is no cloud to read; name at least one file.")
    if len({place.resolve() if isinstance(place, Path) else place for place in places}) < len(places):
        raise InputError(f"a file is named twice among {', '.join(p.name for p in places)[:200]}; name each once.")


def _alike(name: str, first: PointCloud, other: PointCloud) -> bool:
    """True where both have the attribute, with as many numbers for a point."""
    return name in other.attributes and other.attributes[name].shape[1:] == first.attributes[name].shape[1:]
