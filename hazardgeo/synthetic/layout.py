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
FALL = 0.008  # of the valley floor, to the east
BENCH, GORGE = 0.535, 0.885  # along the valley, as shares of its length
SPUR, WEST_SPUR = 0.665, 0.17
TERRACES = (0.70, 0.83)
Size = Literal["small", "full"]
Coordinates = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Layout:
    """Lengths in metres. Across the valley: floor, slope with terraces, scarp, tableland (north); steep hillside (south).

    `across` is counted from the valley axis, positive to the north. The axis swings gently; the river meanders about it.
    Under the scarp, around the main gully, the slope holds a gentle platform `bench_m` wide: the wet ground from which
    the flow slide starts. East of it (in a full valley also in the west) a spur leads from the floor to the tableland
    without a scarp: the roads climb there. Towards the east the hillside narrows the floor to a gorge: there the river is
    dammed.
    `source_radii_m` are down the slope and along it.
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
    gully_area_m2: float
    bench_m: float
    source_radii_m: tuple[float, float]
    source_depth_m: float
    dam_radii_m: tuple[float, float]
    dam_depth_m: float
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

    def across(self, east: Coordinates | float, north: Coordinates | float) -> Coordinates:
        """Distance north of the valley axis."""
        return np.asarray(north - self.axis_north(east))

    def place(self, share: float, across_m: float) -> tuple[float, float]:
        """East and north of a place given by its share of the valley's length and its distance across."""
        east = self.east_of(share)
        return round(east, 2), round(float(self.axis_north(east)) + across_m, 2)

    def river_across(self, east: Coordinates | float) -> Coordinates:
        share = (np.asarray(east, np.float64) - CENTRE[0]) / self.size_m
        bends = np.sin(2 * math.pi * share / 0.42 + 2 * self.phase) + 0.35 * np.sin(2 * math.pi * share / 0.19 + self.phase)
        free = -0.2 * self.floor_m + self.meander_m * bends / 1.35
        gorge = self.gorge(east)
        return np.asarray(free + gorge * (-0.34 * self.floor_m - free))

    def gorge(self, east: Coordinates | float) -> Coordinates:
        """1 in the middle of the gorge, 0 away from it."""
        share = (np.asarray(east, np.float64) - CENTRE[0]) / self.size_m + 0.5
        return np.asarray(np.exp(-(((share - GORGE) / 0.055) ** 2)))

    def bench(self, east: Coordinates | float) -> Coordinates:
        """1 where the gentle platform under the scarp has its full width, 0 where there is none."""
        share = (np.asarray(east, np.float64) - CENTRE[0]) / self.size_m + 0.5
        far = np.clip((np.abs(share - BENCH) - 0.085) / 0.06, 0, 1)
        return np.asarray(1 - far * far * (3 - 2 * far))

    @property
    def spurs(self) -> tuple[float, ...]:
        """Where spurs lead up to the tableland, as shares of the valley's length."""
        return (SPUR,) if self.size_m < 2000 else (SPUR, WEST_SPUR)

    def spur(self, east: Coordinates | float) -> Coordinates:
        """1 on the back of a spur, 0 away from it."""
        share = (np.asarray(east, np.float64) - CENTRE[0]) / self.size_m + 0.5
        nearest = np.min([np.abs(share - spur) for spur in self.spurs], axis=0)
        far = np.clip((nearest - 0.035) / 0.045, 0, 1)
        return np.asarray(1 - far * far * (3 - 2 * far))

    def south_foot(self, east: Coordinates | float) -> Coordinates:
        """Across-valley place of the foot of the southern hillside, negative."""
        return np.asarray(-self.floor_m * (1 - 0.48 * self.gorge(east)))

    def off_floor(self, east: Coordinates, north: Coordinates) -> Coordinates:
        """Distance outside the valley floor, negative on it."""
        across = self.across(east, north)
        return np.asarray(np.maximum(across - self.floor_m, self.south_foot(east) - across))

    def river_bed_m(self, east: Coordinates | float) -> Coordinates:
        """Elevation of the river's bed, falling to the east."""
        return np.asarray(FLOOR_LEVEL_M + FALL * (self.east_of(1.0) - np.asarray(east, np.float64)) - 2.2)

    def floor_level_m(self, east: Coordinates | float, across_m: Coordinates | float) -> Coordinates:
        """Elevation of the smooth valley floor: 1 % up from the river, more in the gorge; level beyond the floor's edge."""
        to_river = np.abs(across_m - self.river_across(east))
        rise = 0.010 * np.minimum(to_river, self.floor_m) + 0.05 * self.gorge(east) * np.minimum(to_river, 0.5 * self.floor_m)
        return np.asarray(self.river_bed_m(east) + 2.2 + rise)

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
            slope_rise_m=52.0, scarp_rise_m=38.0, swing_m=18.0, meander_m=13.0, river_m=10.0, gully_depth_m=17.0,
            gully_area_m2=4_000.0, bench_m=84.0, source_radii_m=(37.0, 60.0), source_depth_m=5.0, dam_radii_m=(26.0, 19.0),
            dam_depth_m=4.4, collapses=16, residents=1_200, scan_per_m2=1.25, phase=phase,
        )  # fmt: skip
    if size == "full":
        return Layout(
            size_m=4000.0, cell_m=1.0, erosion_cell_m=10.0, axis_share=0.27, floor_m=420.0, foot_m=1150.0, scarp_m=85.0,
            slope_rise_m=150.0, scarp_rise_m=85.0, swing_m=80.0, meander_m=50.0, river_m=22.0, gully_depth_m=28.0,
            gully_area_m2=20_000.0, bench_m=330.0, source_radii_m=(146.0, 240.0), source_depth_m=9.0, dam_radii_m=(75.0, 55.0),
            dam_depth_m=14.0, collapses=45, residents=9_000, scan_per_m2=1.4, phase=phase,
        )  # fmt: skip
    raise ConfigError(f"the demo valley has no size {size!r}; choose 'small' or 'full'.")
