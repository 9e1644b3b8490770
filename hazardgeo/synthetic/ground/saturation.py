"""Saturation: how much of the pore space of the upper ground is filled with water."""

from __future__ import annotations

import numpy as np

from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.synthetic import lines
from hazardgeo.synthetic.layout import Layout
from hazardgeo.synthetic.lines import Line


def saturation(plan: Layout, gully: Line, grid: Grid) -> Raster:
    """Share of the pores that holds water (0 to 1) on any grid: winter-irrigated silt under the scarp is nearly full.

    Up to 0.97 on the platform where its water gathers towards the main gully, fading to all sides without an outline;
    0.9 beside the river falling to 0.6 at the edge of the floor, 0.25 on slopes and 0.35 on the irrigated tableland.
    Invented, like the rest; only the order is that of loess country, where melt water, winter irrigation and frozen
    ground had raised the water at Zhongchuan.
    """
    east, north = np.meshgrid(*grid.centres(), sparse=True)
    across = plan.across(east, north)
    to_river, _ = lines.around(plan.river, grid, reach_m=4 * plan.size_m)
    floor = 0.9 - 0.3 * np.clip(to_river / plan.floor_m, 0, 1)
    dry = 0.25 + 0.10 * np.clip((across - plan.edge_m) / plan.scarp_m, 0, 1)
    general = floor + np.clip(plan.off_floor(east, north) / (0.2 * plan.floor_m), 0, 1) * (dry - floor)
    gathering = np.interp(across, plan.across(gully[::-1, 0], gully[::-1, 1]), gully[::-1, 0])
    aside = np.exp(-(((east - gathering) / (1.5 * plan.source_radii_m[1])) ** 4))
    along = np.exp(-(((across - plan.foot_m + 0.5 * plan.bench_m) / (0.75 * plan.bench_m)) ** 4))
    return Raster((general + aside * along * (0.97 - general)).astype(np.float32), grid, "saturation", "1")
