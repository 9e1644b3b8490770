"""How exactly one elevation model is laid on another, and how fast: known shifts of real models, and a large one beside xdem.

    python tests/bench/coregister.py shifts [seeds=N]   the error in cells on real models, with noise and changed ground
    python tests/bench/coregister.py speed [cells=N]    seconds for N x N cells (4000), and those of xdem where it is installed

Shifts are drawn up to four cells and made with quintic splines, which the library does not use; noise is half white, half
correlated over some cells; a fifth of the ground rises or falls by 5 or 40 times the noise. "sigmas" is the root mean square of
errors over their stated sigma. Speed is the best of three turns; on a machine that others use the seconds of
processors say more. Needs HAZARDGEO_DATA for shifts; the speed of xdem is told by
the interpreter that XDEM_PYTHON names, in a process of its own, on the same file.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).parent))
from told import say

from hazardgeo import change, io, raster, scan
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.tiles import filled_holes

Numbers = NDArray[np.float64]
PEER = """
import sys, time, numpy as np, xdem
a, b = xdem.DEM(sys.argv[1]), xdem.DEM(sys.argv[2])
best = used = 1e9
for _ in range(3):
    t, p = time.perf_counter(), time.process_time()
    fit = xdem.coreg.NuthKaab().fit(b, a)
    best, used = min(best, time.perf_counter() - t), min(used, time.process_time() - p)
m = fit.meta["outputs"]["affine"]
print(best, used, m["shift_x"], m["shift_y"], m["shift_z"])
"""


def main() -> None:
    given = {name: int(value) for name, value in (part.split("=") for part in sys.argv[2:])}
    if sys.argv[1:2] == ["speed"]:
        speed(given.get("cells", 4000))
    else:
        shifts(given.get("seeds", 5))


def models() -> Iterator[tuple[str, Raster]]:
    """Real elevation models of coarse and of fine cells."""
    data = Path(os.environ["HAZARDGEO_DATA"])
    yield "bigtujunga 30 m", io.read_raster(data / "bigtujunga_srtm30" / "bigtujunga.tif", unit="m")
    for name, path in (("hydrosheds 90 m", "pysheds_dem/dem.tif"), ("srtm 90 m", "demcompare_pairs/srtm/srtm_ref.tif")):
        read = io.read_raster(data / path, unit="m")
        yield name, raster.align(read, to=raster.metric_grid(read.grid), how="cubic")
    for name, path in (
        ("pozo 1 m", "pozo/Blanca_in_Pozo_USGS_UTM11_NAD83_all_color_cl2_SC12.laz"),
        ("topography 1 m", "lidr_als/Topography.laz"),
        ("bcts 1 m", "lasr_bcts/bcts_2.laz"),
    ):
        yield name, scan.dtm(io.read_cloud(data / path), cell_m=1.0)


def shifts(seeds: int) -> None:
    say(f"{'model':18}{'noise m':>9}{'changed':>9}{'rms cells':>11}{'worst':>8}{'sigmas':>8}{'worst up m':>12}")
    for name, dem in models():
        noise = 0.05 if dem.grid.cell[0] < 5 else 2.0
        for noise_m, changed in ((0.0, 0.0), (noise, 0.0), (noise, 0.2)):
            off, scaled, up = [], [], []
            for seed in range(seeds):
                rng = np.random.default_rng(seed)
                shift = rng.uniform(-4, 4, 2)
                found = change.coregister(second(dem, shift, noise_m, changed, rng), dem)
                errors = found.east_m + shift[0] * dem.grid.cell[0], found.north_m + shift[1] * dem.grid.cell[1]
                off += [error / dem.grid.cell[0] for error in errors]
                scaled += [errors[0] / max(found.sigma_east_m, 1e-9), errors[1] / max(found.sigma_north_m, 1e-9)]
                up.append(abs(found.offset_m + 1.0))
            told = f"{root(scaled):8.2f}" if noise_m else f"{'':8}"
            say(f"{name:18}{noise_m:9.2f}{changed:9.1f}{root(off):11.4f}{np.abs(off).max():8.4f}{told}{max(up):12.4f}")


def root(values: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def second(dem: Raster, shift_cells: Numbers, noise_m: float, changed: float, rng: np.random.Generator) -> Raster:
    """The model moved by so many cells to east and north and one metre up, with noise and a changed ellipse."""
    east, north = float(shift_cells[0]), float(shift_cells[1])
    void = ndimage.shift(dem.unknown.astype(np.float64), (-north, east), order=1, cval=1.0) > 0
    void = ndimage.binary_dilation(void, iterations=2)
    filled = filled_holes(replace(dem, values=dem.values.astype(np.float32))).values.astype(np.float64)
    z = ndimage.shift(filled, (-north, east), order=5, mode="nearest") + 1.0
    smooth = ndimage.gaussian_filter(rng.normal(size=z.shape), 2)
    z += noise_m * np.sqrt(0.5) * (rng.normal(size=z.shape) + smooth / smooth.std())
    rows, cols = np.indices(z.shape)
    centre = rng.uniform(0.2, 0.8, 2) * z.shape
    away = ((rows - centre[0]) / z.shape[0]) ** 2 + ((cols - centre[1]) / z.shape[1]) ** 2
    away[void] = np.inf
    if changed:
        inside = away <= np.quantile(away[~void], changed)
        z[inside] += rng.choice([-1, 1]) * noise_m * rng.choice([5.0, 40.0])
    z[void] = np.nan
    return Raster(z.astype(np.float32), dem.grid, "after", "m", dem.height)


def speed(cells: int) -> None:
    """Seconds and errors on a fractal surface of 0.5 m cells, moved by (3.37, 1.62) cells and 2.15 m, with a slump and noise."""
    before, after = fractal_pair(cells)
    change.coregister(after.window(slice(0, 400), slice(0, 400)), before.window(slice(0, 400), slice(0, 400)))
    seconds, used = np.min([clocked(lambda: change.coregister(after, before)) for _ in range(3)], axis=0)
    found = change.coregister(after, before)
    place = f"{found.east_m / 0.5:+.4f} {found.north_m / 0.5:+.4f} cells {found.offset_m:+.4f} m"
    say(f"{'hazardgeo':12}{seconds:8.2f} s{used:8.2f} s of processors  {place}")
    say(f"{'  apply':12}{min(clocked(lambda: found.apply(after, to=before.grid))[0] for _ in range(3)):8.2f} s")
    peer = os.environ.get("XDEM_PYTHON")
    if peer:
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / name for name in ("before.tif", "after.tif")]
            for path, dem in zip(paths, (before, after), strict=True):
                io.write_raster(dem, path)
            ran = subprocess.run([peer, "-c", PEER, *map(str, paths)], capture_output=True, text=True, check=True)
        told = [float(x) for x in ran.stdout.split()[-5:]]
        place = f"{told[2] / 0.5:+.4f} {told[3] / 0.5:+.4f} cells {told[4]:+.4f} m"
        say(f"{'xdem':12}{told[0]:8.2f} s{told[1]:8.2f} s of processors  {place}")
        say(f"xdem takes {told[0] / seconds:.1f} times as long, and {told[1] / used:.1f} times the processors")


def clocked(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock and on the processors."""
    clock, processors = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processors


def fractal_pair(cells: int) -> tuple[Raster, Raster]:
    rng = np.random.default_rng(1)
    side = cells + 16
    rows, cols = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :]
    power = np.hypot(rows, cols)
    power[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.normal(size=(side, side))) * power**-1.9
    z = np.fft.irfft2(spectrum, s=(side, side))
    z *= 150.0 / z.std()
    moved = np.fft.irfft2(np.fft.rfft2(z) * np.exp(-2j * np.pi * (3.37 * cols - 1.62 * rows)), s=(side, side))
    inner = slice(8, 8 + cells)
    before, after = (s[inner, inner] + rng.normal(0, 0.07, (cells, cells)) for s in (z, moved))
    after += 2.15
    after[cells // 4 : cells // 3, cells // 4 : cells // 2] -= 15.0
    grid = Grid(Affine(0.5, 0, 400_000, 0, -0.5, 4_000_000), (cells, cells), 32648)
    return tuple(Raster(v.astype(np.float32), grid, "fractal", "m") for v in (before, after))


if __name__ == "__main__":
    main()
