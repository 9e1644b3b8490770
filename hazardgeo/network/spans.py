"""Bridges and tunnels: which roads do not follow the ground."""

from __future__ import annotations

import warnings
from typing import Any

import geopandas
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hazardgeo.errors import HazardGeoWarning

_KINDS = ("bridge", "tunnel")
_NO = {"", "no", "n", "false", "f", "0", "0.0", "none", "nan", "null", "<na>"}
_YES = {"yes", "y", "true", "t", "1", "1.0"} | {  # and the values of OpenStreetMap
    *("aqueduct", "boardwalk", "cantilever", "covered", "low_water_crossing", "movable", "trestle", "viaduct"),
    *("avalanche_protector", "building_passage", "culvert", "flooded", "passage"),
}


def spans(roads: geopandas.GeoDataFrame) -> NDArray[np.bool_]:
    """True for roads that the columns `bridge` or `tunnel`, or else the text `other_tags` of OpenStreetMap, call one.

    yes, y, true, t, 1 and the kinds of OpenStreetMap (viaduct, culvert ...) say so; no, n, false, f, 0 and empty cells do
    not. Any other value counts as no, for a road over the ground is the slower one, and a HazardGeoWarning counts them.
    """
    found = np.zeros(len(roads), bool)
    for kind in _KINDS:
        found |= _says_yes(roads, kind)
    return found


def _says_yes(roads: geopandas.GeoDataFrame, kind: str) -> NDArray[np.bool_]:
    given = _column(roads, kind)
    text = given.where(given.notna(), "").astype(str).str.strip().str.lower()
    yes = text.isin(_YES).to_numpy(bool)
    neither = ~yes & ~text.isin(_NO).to_numpy(bool)
    if neither.any():
        example = given.iloc[int(np.flatnonzero(neither)[0])]
        warnings.warn(
            f"the column {kind!r} says neither yes nor no for {int(neither.sum())} of {len(roads)} roads (such as {example!r}); "
            f"they are taken as no {kind}.",
            HazardGeoWarning,
            stacklevel=4,
        )
    return yes


def _column(roads: geopandas.GeoDataFrame, kind: str) -> pd.Series[Any]:
    """What is said of `kind`: its own column, or its value in text such as '"bridge"=>"yes","layer"=>"1"'."""
    if kind in roads.columns:
        return pd.Series(roads[kind], dtype="object")
    if "other_tags" not in roads.columns:
        return pd.Series("", index=roads.index, dtype="object")
    tags = pd.Series(roads["other_tags"], dtype="object")
    return pd.Series(tags.where(tags.notna(), "").astype(str).str.extract(f'"{kind}"=>"([^"]*)"', expand=False), dtype="object")
