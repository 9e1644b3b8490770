"""Layout: the measures of the demo valley, and where things lie in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hazardgeo.crs import Height, horizontal
from hazardgeo.errors import ConfigError
from hazardgeo.grid import Grid

CRS = "EPSG:32648"
HEIGHT = Height("orthometric", "EPSG:5737")  # Yellow Sea 1985, the national height datum of China
CENTRE = (300_900.0, 3_952_900.0)
FLOOR_LEVEL_M = 1850.0
Size = Literal["small", "full"]
Coordinates = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Layout:
    """Lengths in metres. Across the valley: floor, slope with terraces, scarp, tableland (north); steep hillside (south).

    `across` is counted from the valley axis, positive to the north. The axis swings gently; the river meanders about it.
    """

    size_m: float
    cell_m: float
    erosion_cell_m: float
    axis_share: float
    floor_m: float
    foot_m: float
    scarp_m: float
    slope_rise_m: float
    scarp_rise_m: float
    swing_m: float
    meander_m: float
    river_m: float
    gully_depth_m: float
    source_radii_m: tuple[float, float]
    source_depth_m: float
    fan_m: float
    collapses: int
    residents: int
    scan_per_m2: float
    phase: float

    @property
    def grid(self) -> Grid:
        west, south = CENTRE[0] - self.size_m / 2, CENTRE[1] - self.size_m / 2
        return Grid.from_bounds((west, south, west + self.size_m, south + self.size_m), cell=self.cell_m, crs=horizontal(CRS))

    @property
    def erosion_grid(self) -> Grid:
        """Coarse cells under the whole valley and a margin around it, so that its edges look like the rest."""
        west, south, east, north = self.grid.bounds
        margin = 24 * self.erosion_cell_m
        bounds = (west - margin, south - margin, east + margin, north + margin)
        return Grid.from_bounds(bounds, cell=self.erosion_cell_m, crs=self.grid.crs)

    @property
    def edge_m(self) -> float:
        """Across-valley place of the edge of the tableland."""
        return self.foot_m + self.scarp_m

    def east_of(self, share: float) -> float:
        return CENTRE[0] + (share - 0.5) * self.size_m

    def axis_north(self, east: Coordinates | float) -> Coordinates:
        share = (np.asarray(east, np.float64) - CENTRE[0]) / self.size_m
        base = CENTRE[1] + (self.axis_share - 0.5) * self.size_m
        return np.asarray(base + self.swing_m * np.sin(2 * math.pi * share / 1.3 + self.phase))

    def across(self, east: Coordinates, north: Coordinates) -> Coordinates:
        """Distance north of the valley axis."""
        return np.asarray(north - self.axis_north(east))

    def place(self, share: float, across_m: float) -> tuple[float, float]:
        """East and north of a place given by its share of the valley's length and its distance across."""
        east = self.east_of(share)
        return round(east, 2), round(float(self.axis_north(east)) + across_m, 2)

    def river_across(self, east: Coordinates | float) -> Coordinates:
        share = (np.asarray(east, np.float64) - CENTRE[0]) / self.size_m
        bends = np.sin(2 * math.pi * share / 0.42 + 2 * self.phase) + 0.35 * np.sin(2 * math.pi * share / 0.19 + self.phase)
        return np.asarray(-0.2 * self.floor_m + self.meander_m * bends / 1.35)

    @property
    def river(self) -> Coordinates:
        """The river's centre line from west to east, running out of the valley at both ends."""
        east = np.linspace(self.east_of(-0.3), self.east_of(1.3), 400)
        return np.column_stack([east, self.axis_north(east) + self.river_across(east)])


def layout(size: Size, rng: np.random.Generator) -> Layout:
    """The measures of a valley of this size; only the phase of its bends is random."""
    phase = float(rng.uniform(0, 2 * math.pi))
    if size == "small":
        return Layout(
            size_m=1000.0, cell_m=2.0, erosion_cell_m=5.0, axis_share=0.28, floor_m=118.0, foot_m=325.0, scarp_m=40.0,
            slope_rise_m=56.0, scarp_rise_m=46.0, swing_m=18.0, meander_m=13.0, river_m=10.0, gully_depth_m=17.0,
            source_radii_m=(60.0, 37.0), source_depth_m=5.0, fan_m=62.0, collapses=7, residents=1_200, scan_per_m2=2.0,
            phase=phase,
        )  # fmt: skip
    if size == "full":
        return Layout(
            size_m=4000.0, cell_m=1.0, erosion_cell_m=10.0, axis_share=0.27, floor_m=420.0, foot_m=1150.0, scarp_m=85.0,
            slope_rise_m=150.0, scarp_rise_m=85.0, swing_m=80.0, meander_m=50.0, river_m=22.0, gully_depth_m=28.0,
            source_radii_m=(240.0, 146.0), source_depth_m=9.0, fan_m=300.0, collapses=8, residents=9_000, scan_per_m2=1.2,
            phase=phase,
        )  # fmt: skip
    raise ConfigError(f"the demo valley has no size {size!r}; choose 'small' or 'full'.")
