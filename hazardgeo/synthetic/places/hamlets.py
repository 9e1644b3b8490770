"""Hamlets: where people live in the demo valley, on gentle ground off the floodplain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from hazardgeo.synthetic.layout import TERRACES, Layout
from hazardgeo.synthetic.lines import Line
from hazardgeo.synthetic.places import tracks

Field = NDArray[np.float64]
PLATFORM = "Platform Hamlet"
PLATFORM_LANE = (0.64, 0.76)  # along the valley
MOST, FEWEST = 40, 25  # hamlets of the full valley
GENTLE_TAN = 0.16
_SPACING_M, _RADIUS_M, _EDGE_M = 210.0, 75.0, 110.0
_SURNAMES = (
    ("Zhang", "张"), ("Ma", "马"), ("Li", "李"), ("Wang", "王"), ("Yang", "杨"), ("Chen", "陈"), ("Zhao", "赵"), ("He", "何"),
)  # fmt: skip
_ON_FLOOR = (("Flat", "家坪"), ("Bend", "家湾"))
_ON_SLOPE = (("Gully", "家沟"), ("Terrace", "家台"), ("Ridge", "家岭"))
_TABLELAND, _HILLSIDE = ("Tableland", "家塬"), ("Slope", "家坡")


@dataclass(frozen=True, slots=True)
class Hamlet:
    """A name (and in Chinese), the ground that its houses share, its share of the residents, and its buildings.

    `types` are the shares of adobe, brick and wood, brick and concrete, and reinforced concrete.
    """

    name: str
    name_zh: str
    ground: shapely.Geometry
    residents: float
    types: tuple[float, float, float, float]

    @property
    def centre(self) -> Line:
        middle = self.ground.centroid
        return np.array([round(middle.x, 2), round(middle.y, 2)])


def planted(plan: Layout) -> list[Hamlet]:
    """Two villages on the floor, one on the terraces, and a hamlet on the tableland: the story of the demo needs them.

    Gully Mouth lies within the reach of the flow slide; the only road of the hamlet on the tableland will be cut.
    """
    floor, edge, size = plan.floor_m, plan.edge_m, plan.size_m
    terrace = plan.floor_m + 0.38 * (plan.foot_m - plan.floor_m)
    share = 1.0 if size < 2000 else 0.4
    rows = [
        ("Gully Mouth", "沟口村", (0.24, 0.50), (0.42 * floor, 0.97 * floor), 0.33, (0.40, 0.25, 0.25, 0.10)),
        ("South Bank", "南岸村", (0.30, 0.78), (-0.90 * floor, -0.42 * floor), 0.33, (0.35, 0.25, 0.25, 0.15)),
        ("Terraces", "梯田村", TERRACES, (terrace - 0.05 * size, terrace + 0.05 * size), 0.22, (0.60, 0.20, 0.15, 0.05)),
        (PLATFORM, "塬上村", PLATFORM_LANE, (edge + 0.085 * size, edge + 0.145 * size), 0.12, (0.70, 0.20, 0.10, 0.0)),
    ]  # fmt: skip
    return [Hamlet(n, zh, _band(plan, shares, across), share * part, kinds) for n, zh, shares, across, part, kinds in rows]


def _band(plan: Layout, shares: tuple[float, float], across_m: tuple[float, float]) -> shapely.Polygon:
    """The ground between two shares of the valley's length and two distances across."""
    along = np.linspace(*shares, 12)
    lower, upper = ([plan.place(s, edge) for s in along] for edge in across_m)
    return shapely.Polygon([*lower, *upper[::-1]])


def scattered(plan: Layout, over: tracks.Ground, keep_off: shapely.Geometry, rng: np.random.Generator) -> list[Hamlet]:
    """The hamlets of the full valley beside the planted ones, about 0.6 of the residents; none in a small valley.

    Each is a disc of 75 m of mostly gentle ground (under 9 degrees over 60 m), off the floodplain and off `keep_off`, at
    least 210 m from the next.
    """
    if plan.size_m < 2000:
        return []
    rows, cols = over.mean_m.shape
    places = over.centre(np.argwhere(np.ones((rows, cols), bool)))
    share = _gentle_share(over)
    off_edge = shapely.box(*plan.grid.bounds).buffer(-_EDGE_M)
    points = shapely.points(places)
    shapely.prepare(off_edge)
    shapely.prepare(keep_off)
    free = (share.ravel() > 0.8) & shapely.contains(off_edge, points)
    free[free] = ~shapely.dwithin(keep_off, points[free], _RADIUS_M)
    free &= ~_floodplain(plan, places)
    kept: list[int] = []
    for number in rng.permutation(np.flatnonzero(free)).tolist():
        if len(kept) == MOST - 4:
            break
        if not kept or np.hypot(*(places[kept] - places[number]).T).min() >= _SPACING_M:
            kept.append(number)
    weight = rng.lognormal(0.0, 0.4, len(kept))
    return [_scattered(plan, places[k], w, i) for i, (k, w) in enumerate(zip(kept, 0.6 * weight / weight.sum(), strict=True))]


def _scattered(plan: Layout, place: Line, residents: float, number: int) -> Hamlet:
    across = float(plan.across(place[:1], place[1:])[0])
    surname = _SURNAMES[number % len(_SURNAMES)]
    forms = _ON_FLOOR if abs(across) < plan.floor_m else _ON_SLOPE
    form = forms[number // len(_SURNAMES) % len(forms)]
    if across > plan.edge_m:
        form = _TABLELAND
    elif across < -plan.floor_m:
        form = _HILLSIDE
    poor = 0.65 if abs(across) > plan.floor_m else 0.40
    types = (poor, 0.5 * (1 - poor), 0.4 * (1 - poor), 0.1 * (1 - poor))
    return Hamlet(
        f"{surname[0]} {form[0]} {number + 1}", f"{surname[1]}{form[1]}{number + 1}社", shapely.Point(place).buffer(_RADIUS_M),
        residents, types,
    )  # fmt: skip


def _gentle_share(over: tracks.Ground) -> Field:
    """Share of gentle blocks within the radius of a hamlet."""
    width = round(60.0 / over.block_m)
    by_row, by_col = np.gradient(ndimage.uniform_filter(over.mean_m, width, mode="nearest"), over.block_m)
    gentle = (np.hypot(by_row, by_col) < GENTLE_TAN).astype(np.float64)
    reach = int(_RADIUS_M / over.block_m)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = (np.hypot(x, y) <= reach).astype(np.float64)
    return np.asarray(ndimage.convolve(gentle, disc / disc.sum(), mode="constant"))


def _floodplain(plan: Layout, places: Line) -> NDArray[np.bool_]:
    """Within a third of the half-width of the floor from the river."""
    off_river = np.abs(plan.across(places[:, 0], places[:, 1]) - plan.river_across(places[:, 0]))
    return np.asarray(off_river < 0.3 * plan.floor_m + _RADIUS_M)
