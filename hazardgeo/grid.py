"""Grid: where the cells of a raster are, without any values."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyproj
from affine import Affine
from numpy.typing import NDArray

from hazardgeo import crs as _crs
from hazardgeo.errors import GridMismatchError, InputError

TOLERANCE_CELLS = 1e-3


@dataclass(frozen=True, slots=True)
class Grid:
    """Equal cells, north up: `transform` takes (column, row) to (east, north), `shape` is (rows, columns).

    The CRS is horizontal, normalised to its EPSG code where it has one, and left out of the hash. A grid may be
    geographic; what needs metres calls `require_metric`. Raises InputError for rotated or south-up transforms and
    CrsError for a missing or unusable CRS.
    """

    transform: Affine
    shape: tuple[int, int]
    crs: pyproj.CRS = field(hash=False)

    def __post_init__(self) -> None:
        a, b, _, d, e, _ = self.transform[:6]
        if b != 0 or d != 0 or a <= 0 or e >= 0:
            raise InputError(
                f"the grid is not north up (transform {tuple(self.transform)[:6]}); warp it first, for example with gdalwarp."
            )
        if min(self.shape) < 1:
            raise InputError(f"a grid of shape {self.shape} has no cells; check the bounds and the cell size.")
        object.__setattr__(self, "shape", (int(self.shape[0]), int(self.shape[1])))
        object.__setattr__(self, "crs", _crs.horizontal(self.crs))

    @classmethod
    def from_bounds(cls, bounds: tuple[float, float, float, float], *, cell: float, crs: Any) -> Grid:
        """The grid of square cells that covers `bounds` (west, south, east, north), its edges at multiples of `cell`.

        Edges at multiples of the cell make surveys of one place share their grid. `cell` is in units of the CRS.

        >>> Grid.from_bounds((0.5, 0.5, 3.5, 2.0), cell=1.0, crs=32648).shape
        (2, 4)
        """
        if not (math.isfinite(cell) and cell > 0):
            raise InputError(f"the cell size must be a positive number, not {cell}.")
        west, south, east, north = bounds
        if not (all(map(math.isfinite, bounds)) and west <= east and south <= north):
            raise InputError(f"bounds must be finite (west, south, east, north), not {bounds}.")
        slack = 1e-9  # an edge that lies on a multiple but for rounding is on it
        left, top = math.floor(west / cell + slack), math.ceil(north / cell - slack)
        right, bottom = max(math.ceil(east / cell - slack), left + 1), min(math.floor(south / cell + slack), top - 1)
        return cls(Affine(cell, 0, left * cell, 0, -cell, top * cell), (top - bottom, right - left), crs)

    @property
    def cell(self) -> tuple[float, float]:
        """Width and height of a cell, both positive, in units of the CRS."""
        return self.transform.a, -self.transform.e

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(west, south, east, north) of the outer cell edges."""
        rows, cols = self.shape
        width, height = self.cell
        west, north = self.transform.c, self.transform.f
        return west, north - rows * height, west + cols * width, north

    @property
    def is_metric(self) -> bool:
        return _crs.is_metric(self.crs)

    def require_metric(self, what: str = "this step") -> None:
        """Raise CrsError unless east and north are metres; the message names the call that fixes it."""
        west, south, east, north = self.bounds
        target = "a metric CRS"
        if self.crs.is_geographic:
            target = f"EPSG:{_crs.utm((west + east) / 2, (south + north) / 2).to_epsg()}"
        _crs.require_metric(
            self.crs, what=what, fix=f"reproject with raster.align(r, to=raster.metric_grid(r.grid)) (to {target})."
        )

    @property
    def cell_m(self) -> tuple[float, float]:
        """Width and height of a cell in metres; CrsError on a grid that is not metric."""
        self.require_metric("a cell size in metres")
        return self.cell

    def cell_areas_m2(self) -> NDArray[np.float64]:
        """Area of the cells of each row in m2, shape (rows, 1); on the ellipsoid where the grid is geographic."""
        rows = self.shape[0]
        width, height = self.cell
        if not self.crs.is_geographic:
            factor = self.crs.axis_info[0].unit_conversion_factor
            return np.full((rows, 1), width * height * factor**2)
        ellipsoid = self.crs.get_geod()
        if ellipsoid is None:
            raise InputError(f"{self.crs.name} has no ellipsoid, so cells have no area; state another CRS.")
        north = self.transform.f - height * np.arange(rows)
        areas = [abs(ellipsoid.polygon_area_perimeter([0, width, width, 0], [n, n, n - height, n - height])[0]) for n in north]
        return np.array(areas).reshape(rows, 1)

    def same_as(self, other: Grid) -> bool:
        """True when all cells coincide to a thousandth of a cell and the CRS is the same."""
        if self.shape != other.shape or self.crs != other.crs:
            return False
        rows, cols = self.shape
        corners = ((0, 0), (cols, rows))
        shifts = [np.subtract(~self.transform @ (other.transform @ c), c) for c in corners]
        return bool(np.abs(shifts).max() < TOLERANCE_CELLS)

    def require_same(self, other: Grid) -> None:
        """Raise GridMismatchError, saying how far apart the grids are, unless `same_as`."""
        if self.same_as(other):
            return
        if self.crs != other.crs:
            how = f"CRS {_crs.label(self.crs)} and {_crs.label(other.crs)}"
        else:
            col, row = ~self.transform @ (other.transform @ (0, 0))
            sizes = f"cells of {self.cell[0]:g} x {self.cell[1]:g} and {other.cell[0]:g} x {other.cell[1]:g}"
            how = f"shapes {self.shape} and {other.shape}, {sizes}, origins {col:+.3f} columns and {row:+.3f} rows apart"
        raise GridMismatchError(f"rasters lie on different grids ({how}); bring one over with raster.align(r, to=grid, how=...).")

    def window(self, rows: slice, cols: slice) -> Grid:
        """The grid of a block of cells, given as row and column slices inside this grid."""
        r0, r1, _ = rows.indices(self.shape[0])
        c0, c1, _ = cols.indices(self.shape[1])
        return Grid(self.transform @ Affine.translation(c0, r0), (r1 - r0, c1 - c0), self.crs)

    def window_of(self, bounds: tuple[float, float, float, float]) -> tuple[slice, slice]:
        """Row and column slices of the cells that touch `bounds`, cut to the grid; empty slices outside it."""
        west, south, east, north = bounds
        width, height = self.cell
        rows, cols = self.shape
        c0, c1 = (west - self.transform.c) / width, (east - self.transform.c) / width
        r0, r1 = (self.transform.f - north) / height, (self.transform.f - south) / height
        first_row, first_col = np.clip([math.floor(r0), math.floor(c0)], 0, [rows, cols])
        last_row, last_col = np.clip([math.floor(r1) + 1, math.floor(c1) + 1], 0, [rows, cols])
        return slice(int(first_row), int(last_row)), slice(int(first_col), int(last_col))

    def rowcol(self, east: NDArray[np.float64], north: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Row and column of the cells that hold the points; outside the grid they lie outside the shape."""
        width, height = self.cell
        row = np.floor((self.transform.f - np.asarray(north)) / height)
        col = np.floor((np.asarray(east) - self.transform.c) / width)
        return row.astype(np.int64), col.astype(np.int64)

    def centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """East of the column centres and north of the row centres, as two 1-D arrays."""
        width, height = self.cell
        rows, cols = self.shape
        east = self.transform.c + width * (np.arange(cols) + 0.5)
        north = self.transform.f - height * (np.arange(rows) + 0.5)
        return np.asarray(east, np.float64), np.asarray(north, np.float64)

    def __str__(self) -> str:
        return f"{self.shape[0]} x {self.shape[1]} cells of {self.cell[0]:g} x {self.cell[1]:g}, {_crs.label(self.crs)}"
