"""Records of bodies: the table that both ways of finding them fill, with numbers that stay from run to run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import shapely

from hazardgeo.errors import CrsError, MissingColumnError
from hazardgeo.grid import Grid

COLUMNS = {
    "body_id": "int32", "kind": "object", "confidence": "object", "reasons": "object", "rejected_as": "object",
    "area_m2": "float64", "source_area_m2": "float64", "deposit_area_m2": "float64",
    "volume_m3": "float64", "volume_low_m3": "float64", "volume_high_m3": "float64",
    "deposit_volume_m3": "float64", "deposit_volume_low_m3": "float64", "deposit_volume_high_m3": "float64",
    "depth_mean_m": "float64", "depth_max_m": "float64", "height_m": "float64", "length_m": "float64", "h_over_l": "float64",
    "direction_deg": "float64", "reached": "object", "unknown_rim_share": "float64", "method": "object",
    "source_wkt": "object",
}  # fmt: skip
_SAME = 0.3  # share of the smaller of two outlines


def body_table(rows: list[dict[str, Any]], grid: Grid, places: Mapping[str, geopandas.GeoDataFrame]) -> geopandas.GeoDataFrame:
    """Rows as a table: bodies from the largest on, then what was rejected; numbered from the north-west.

    `reached` names the places that a body touches, as "roads 2, houses 5".
    """
    ordered = sorted(rows, key=_north_west)
    for number, row in enumerate(ordered, start=1):
        row["body_id"] = number
        row["reached"] = _reached(row["geometry"], grid, places) if not row["rejected_as"] else ""
        source = row.get("source_shape")
        row["source_wkt"] = "" if source is None else shapely.to_wkt(source, rounding_precision=2)
    ordered.sort(key=lambda row: (row["rejected_as"] != "", -row["area_m2"], row["body_id"]))
    frame = pd.DataFrame([{name: row.get(name, np.nan) for name in (*COLUMNS, "geometry")} for row in ordered])
    frame = frame.reindex(columns=[*COLUMNS, "geometry"]).astype(COLUMNS)
    return geopandas.GeoDataFrame(frame, geometry="geometry", crs=grid.crs)


def _north_west(row: dict[str, Any]) -> tuple[float, float]:
    west, _, _, north = row["geometry"].bounds
    return -north, west


def _reached(shape: shapely.Geometry, grid: Grid, places: Mapping[str, geopandas.GeoDataFrame]) -> str:
    found = []
    for name, table in places.items():
        if table.crs is None or grid.crs != table.crs:
            raise CrsError(f"the places {name!r} are not in the CRS of the surfaces; project them with to_crs first.")
        count = int(np.sum(shapely.intersects(shape, table.geometry.to_numpy())))
        if count:
            found.append(f"{name} {count}")
    return ", ".join(found)


def kept_ids(table: geopandas.GeoDataFrame, earlier: geopandas.GeoDataFrame | None) -> geopandas.GeoDataFrame:
    """The table with the numbers of an earlier one where outlines overlap by 30 % of the smaller; others get new numbers.

    Each number is given once, to the largest overlap.
    """
    if earlier is None or not len(earlier):
        return table
    if "body_id" not in earlier.columns:
        raise MissingColumnError("the earlier bodies have no column 'body_id'; give the table of an earlier run.")
    if earlier.crs != table.crs:
        raise CrsError("the earlier bodies are in another CRS; project them with to_crs first.")
    known = earlier.geometry.to_numpy()
    pairs = shapely.STRtree(known).query(table.geometry.to_numpy(), predicate="intersects").T
    claims = []
    for new, old in pairs.tolist():
        shape = table.geometry.iloc[new]
        shared = float(shapely.intersection(shape, known[old]).area)
        if shared >= _SAME * min(shape.area, known[old].area):
            claims.append((-shared, new, old))
    ids: dict[int, int] = {}
    for _, new, old in sorted(claims):
        number = int(earlier["body_id"].iloc[old])
        if new not in ids and number not in ids.values():
            ids[new] = number
    fresh = iter(range(int(earlier["body_id"].max()) + 1, int(earlier["body_id"].max()) + 1 + len(table)))
    return table.assign(body_id=np.array([ids[i] if i in ids else next(fresh) for i in range(len(table))], np.int32))
