"""Which slides of the demo valley are found: recall, precision, volumes and their intervals over seeds, with two epochs and one.

    python tests/bench/bodies.py                      seeds 1 to 10, surfaces of 1 m from the scans of the small valley
    python tests/bench/bodies.py seeds=11,12 cell=2   other seeds, other cells
    python tests/bench/bodies.py one                  the same with the scan before withheld
    python tests/bench/bodies.py one ortho            the same with the picture after the earthquake

Each seed also runs without an event: every body there is false. A slide counts as found where a body overlaps it by a
quarter of both together (IoU). `flown` compares volumes with the planted surface between its cells, as the scanner saw it;
`planted` with the sum over its cells, which loses nothing where a deposit lies against its source. The scans are laid on each
other by the true registration: errors of `coregister` are not in these figures. Some minutes for each seed.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import geopandas
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).parent))
from told import say

from hazardgeo import change, raster, scan
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster, rasterize, sample_xy
from hazardgeo.scan.points import GROUND
from hazardgeo.synthetic.pictures import mosaic
from hazardgeo.synthetic.scans import scan as flights
from hazardgeo.synthetic.scans import views
from hazardgeo.synthetic.scene import Scene, scene

FOUND_IOU = 0.25
CLASSES_M2 = (50.0, 200.0)


@dataclass
class Tally:
    """What all seeds together say of slides from one area on."""

    slides: int = 0
    found: int = 0
    inside_planted: int = 0
    inside_flown: int = 0
    errors_planted: list[float] | None = None
    errors_flown: list[float] | None = None


def main() -> None:
    given = dict(word.split("=") for word in sys.argv[1:] if "=" in word)
    seeds = [int(word) for word in given.get("seeds", "1,2,3,4,5,6,7,8,9,10").split(",")]
    cell_m, one, pictured = float(given.get("cell", 1.0)), "one" in sys.argv[1:], "ortho" in sys.argv[1:]
    tallies = {least: Tally(errors_planted=[], errors_flown=[]) for least in CLASSES_M2}
    bodies = false = quiet = 0
    for seed in seeds:
        shaken = scene(seed, "small", event=True)
        found = detected(shaken, cell_m, one=one, pictured=pictured)
        wrong = scored(shaken, found, tallies)
        bodies, false = bodies + len(found), false + wrong
        calm = len(detected(scene(seed, "small", event=False), cell_m, one=one, pictured=pictured))
        quiet += calm
        say(f"seed {seed}: {len(found)} bodies, {wrong} of them false; {calm} where nothing happened")
    say(f"precision {1 - false / max(bodies, 1):.3f} of {bodies} bodies; {quiet} bodies in {len(seeds)} valleys without an event")
    for least, tally in tallies.items():
        say(_line(least, tally))


def detected(valley: Scene, cell_m: float, *, one: bool, pictured: bool) -> geopandas.GeoDataFrame:
    """The bodies that an analyst would be shown."""
    grid = Grid.from_bounds(valley.plan.grid.bounds, cell=cell_m, crs=valley.plan.grid.crs)
    terrain, measured = {}, np.ones(grid.shape, bool)
    for epoch in views.EPOCHS:
        cloud = flights.flown(valley.plan, views.view(valley, epoch)).cloud
        if epoch == "after":
            cloud = replace(cloud, xyz=valley.registration.undone(cloud.xyz))
        ground = scan.classify_ground(cloud)
        terrain[epoch] = raster.align(scan.dtm(ground, cell_m=cell_m), to=grid, how="nearest")
        only = ground.select(ground.attributes["classification"] == GROUND)
        measured &= np.nan_to_num(raster.align(scan.density(only, cell_m=cell_m), to=grid, how="nearest").values) > 0
    if one:
        table = change.bodies_from_one_epoch(
            terrain["after"], ortho=_picture(valley) if pictured else None, min_area_m2=CLASSES_M2[1]
        )
    else:
        closed = Raster(ndimage.binary_closing(measured, np.ones((3, 3), bool)), grid, "measured", "1")
        moved = change.difference(terrain["before"], terrain["after"])
        table = change.landslide_bodies(moved, before=terrain["before"], measured=closed)
    return table[table["rejected_as"] == ""].reset_index(drop=True)


def _picture(valley: Scene) -> list[Raster]:
    """Red, green and blue of the picture after the event, laid on the truth as the scan is."""
    shown = mosaic.picture(replace(mosaic.seen(valley, "after"), shift_m=(0.0, 0.0)))
    rows, cols = shown.grid.shape
    bands = np.full((3, rows, cols), np.nan, np.float32)
    for top in range(0, rows, 1000):
        for left in range(0, cols, 1000):
            block = slice(top, min(top + 1000, rows)), slice(left, min(left + 1000, cols))
            drawn = mosaic.drawn(shown, *block)
            bands[(slice(None), *block)] = np.where(drawn[3] > 0, drawn[:3].astype(np.float32), np.nan)
    return [Raster(band, shown.grid, name, "") for name, band in zip(("red", "green", "blue"), bands, strict=True)]


def scored(valley: Scene, found: geopandas.GeoDataFrame, tallies: dict[float, Tally]) -> int:
    """Counts each planted slide; returns how many bodies lie on none."""
    slides = valley.bodies.dissolve("body_id", aggfunc="first")
    volumes = valley.bodies[valley.bodies["part"] == "source"].set_index("body_id")["volume_m3"]
    for number, shape in slides.geometry.items():
        shares = found.intersection(shape).area / found.union(shape).area if len(found) else np.zeros(1)
        best = int(np.argmax(shares))
        hit = bool(np.max(shares) >= FOUND_IOU)
        row = found.iloc[best] if hit else None
        for least, tally in tallies.items():
            if shape.area < least:
                continue
            tally.slides += 1
            if row is None:
                continue
            planted, flown = float(volumes[number]), _flown_m3(valley, shape)
            tally.found += 1
            tally.inside_planted += bool(row["volume_low_m3"] <= planted <= row["volume_high_m3"])
            tally.inside_flown += bool(row["volume_low_m3"] <= flown <= row["volume_high_m3"])
            _errors(tally, float(row["volume_m3"]), planted, flown)
    everything = slides.union_all() if len(slides) else None
    return 0 if everything is None else int((~found.intersects(everything)).sum())


def _errors(tally: Tally, volume: float, planted: float, flown: float) -> None:
    if tally.errors_planted is not None and tally.errors_flown is not None:
        tally.errors_planted.append(abs(volume / planted - 1))
        tally.errors_flown.append(abs(volume / flown - 1))


def _flown_m3(valley: Scene, shape: object) -> float:
    """Volume of the source as the surface between the planted cells has it, on cells of half a metre."""
    outline = geopandas.GeoSeries([shape], crs=valley.plan.grid.crs).buffer(2.0)
    fine = Grid.from_bounds(tuple(outline.total_bounds), cell=0.5, crs=valley.plan.grid.crs)
    inside: NDArray[np.bool_] = rasterize(outline.to_frame("geometry"), fine).values
    east, north = (axis.ravel() for axis in np.meshgrid(*fine.centres()))
    planted = Raster(valley.change.values.astype(np.float32), valley.change.grid, "change", "m")
    fell = -np.minimum(np.nan_to_num(sample_xy(planted, east, north, how="bilinear")), 0.0).reshape(fine.shape)
    return float(fell[inside].sum()) * 0.25


def _line(least: float, tally: Tally) -> str:
    share = tally.found / max(tally.slides, 1)
    known = max(tally.found, 1)
    planted, flown = (float(np.median(e)) if e else float("nan") for e in (tally.errors_planted, tally.errors_flown))
    return (
        f"slides >= {least:g} m2: recall {share:.3f} of {tally.slides}; volume in its 95 % interval: planted "
        f"{tally.inside_planted / known:.3f}, flown {tally.inside_flown / known:.3f}; median error: planted {planted:.3f}, "
        f"flown {flown:.3f}"
    )


if __name__ == "__main__":
    main()
