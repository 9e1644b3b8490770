"""Losses: which houses of the demo valley fell, whose inhabitants had to leave, and which roads were cut."""

from __future__ import annotations

import geopandas
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.special import ndtr

from hazardgeo.grid import Grid
from hazardgeo.raster import Raster, sample
from hazardgeo.shelter.tables import load

STATES = ("none", "slight", "moderate", "extensive", "complete")
ASSUMPTION = (
    "damage drawn house by house from the equivalent-PGA fragilities of Hazus 6.1 at the shaking of the map, and leaving by "
    "the habitability table of this package: the same curves as in the analysis, which flatters it"
)


def displaced(
    people: geopandas.GeoDataFrame,
    pga_g: Raster,
    moved: shapely.Geometry,
    rng: np.random.Generator,
    *,
    water: shapely.Geometry | None = None,
) -> pd.DataFrame:
    """What became of each household: household_id, village, structure, people, pga_g, damage, buried, flooded, displaced_people.

    All of a household leave or none. A house is `buried` where its place lies in ground that moved; it is then lost. It is
    `flooded` where its place lies in the `water` of the lake: its people leave, whatever the shaking did to it.
    """
    table, stays = load("hazus_equivalent_pga"), load("habitability")["freezing"]
    local_g = np.asarray(sample(pga_g, people.to_crs(pga_g.grid.crs), how="bilinear"), np.float64)
    classes = people["building_type"].map(table["building_types"])
    medians = np.array([[table["classes"][c][state] for state in STATES[1:]] for c in classes])
    reached = ndtr((np.log(local_g)[:, None] - np.log(medians)) / table["beta"])
    state = (rng.random(len(people))[:, None] < reached).sum(axis=1)
    buried = np.asarray(shapely.intersects(moved, people.geometry.to_numpy()))
    state[buried] = len(STATES) - 1
    flooded = np.asarray(shapely.intersects(water or shapely.Point(), people.geometry.to_numpy()))
    leaves = flooded | (rng.random(len(people)) < np.array([0.0, *(stays[name] for name in STATES[1:])])[state])
    residents = people["people"].to_numpy()
    return pd.DataFrame(
        {
            "household_id": people["household_id"].to_numpy(),
            "village": people["village"].to_numpy(),
            "structure": people["structure"].to_numpy(),
            "people": residents,
            "pga_g": local_g.round(4),
            "damage": np.array(STATES)[state],
            "buried": buried,
            "flooded": flooded,
            "displaced_people": np.where(leaves, residents, 0).astype(np.int32),
        }
    )


def cut_edges(
    roads: geopandas.GeoDataFrame, bodies: geopandas.GeoDataFrame, lakes: geopandas.GeoDataFrame | None = None
) -> pd.DataFrame:
    """Each road edge with each part of a body that touches it, and each under a lake, which is no body (body_id 0).

    Columns: road_id, name, cause (slide or lake), body_id, kind, part, length_m inside.
    """
    found = [_touched(roads, bodies.assign(cause="slide"))]
    if lakes is not None and len(lakes):
        under = _touched(roads, lakes.assign(cause="lake", body_id=0, kind="lake", part="water"))
        found.append(under[under["road_id"].isin(roads["road_id"].to_numpy()[flooded(roads, lakes.union_all())])])
    return pd.concat(found).sort_values(["road_id", "cause", "body_id", "part"], ignore_index=True)


def _touched(roads: geopandas.GeoDataFrame, shapes: geopandas.GeoDataFrame) -> pd.DataFrame:
    tree = shapely.STRtree(shapes.geometry.to_numpy())
    road, shape = tree.query(roads.geometry.to_numpy(), predicate="intersects")
    inside = shapely.length(shapely.intersection(roads.geometry.to_numpy()[road], shapes.geometry.to_numpy()[shape]))
    columns = {name: roads[name].to_numpy()[road] for name in ("road_id", "name")}
    columns |= {name: shapes[name].to_numpy()[shape] for name in ("cause", "body_id", "kind", "part")}
    return pd.DataFrame({**columns, "length_m": inside.round(2)})


def flooded(roads: geopandas.GeoDataFrame, water: shapely.Geometry) -> NDArray[np.bool_]:
    """Whether water stands on each edge; on a bridge only where it reaches an end, for its deck lies at the level of its ends."""
    lines = roads.geometry.to_numpy()
    bridge = roads["bridge"].to_numpy(bool) if "bridge" in roads else np.zeros(len(roads), bool)
    ends = shapely.multipoints(np.stack([shapely.get_coordinates(shapely.get_point(lines, k)) for k in (0, -1)], axis=1))
    return np.asarray(shapely.intersects(water, np.where(bridge, ends, lines)))


def cut_off(
    roads: geopandas.GeoDataFrame,
    places: geopandas.GeoDataFrame,
    moved: shapely.Geometry,
    *,
    ways_out: NDArray[np.float64],
    water: shapely.Geometry | None = None,
) -> NDArray[np.bool_]:
    """Whether each place hangs on roads that moved ground or water have parted from all `ways_out` of the valley.

    A place belongs to the nearest road vertex; a piece between two vertices is cut where it touches ground that moved or
    where `water` stands on it.
    """
    xy, owner = shapely.get_coordinates(roads.geometry.to_numpy(), return_index=True)
    keys, node = np.unique(np.rint(xy * 100).astype(np.int64), axis=0, return_inverse=True)
    node = node.ravel()
    inner = owner[1:] == owner[:-1]
    pieces = shapely.linestrings(np.stack([xy[:-1][inner], xy[1:][inner]], axis=1))
    shapely.prepare(moved)
    whole = ~shapely.intersects(moved, pieces)
    if water is not None:
        whole &= ~(flooded(roads, water)[owner[1:][inner]] & shapely.intersects(water, pieces))
    ends = node[:-1][inner][whole], node[1:][inner][whole]
    graph = coo_array((np.ones(int(whole.sum()), np.int8), ends), shape=(len(keys), len(keys)))
    part = connected_components(graph, directed=False)[1]
    tree = shapely.STRtree(shapely.points(keys / 100.0))
    nearest = tree.nearest(shapely.centroid(places.geometry.to_numpy()))
    return ~np.isin(part[nearest], part[tree.nearest(shapely.points(ways_out))])


def ways_out(roads: geopandas.GeoDataFrame, grid: Grid) -> NDArray[np.float64]:
    """East and north of the road ends on the edge of the valley (within a metre): there the roads lead on."""
    ends = np.vstack([shapely.get_coordinates(shapely.get_point(roads.geometry.to_numpy(), k)) for k in (0, -1)])
    on_edge = shapely.distance(shapely.box(*grid.bounds).exterior, shapely.points(ends)) < 1.0
    return np.unique(ends[on_edge], axis=0)
