"""Unknown is never safe, over the whole line: no input taken away raises what is reported safe."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest
import tomli_w

from hazardgeo import io, pipeline
from hazardgeo.errors import InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import align

LIQUEFACTION_LAYERS = ("precipitation", "water_table", "distance_to_river", "distance_to_coast")
HAZARD_INPUTS = (
    "shakemap",
    "shakemap_uncertainty",
    "bodies",
    "surveyed",
    "vs30",
    "lithology",
    "saturation",
    *LIQUEFACTION_LAYERS,
)


def safe(out: Path) -> dict[str, float]:
    """What a run reports as safe: people with an assured place, people who stay, open sites, kilometres of open road."""
    layers = out / "layers.gpkg"
    if not layers.exists() or "people" not in set(geopandas.list_layers(layers)["name"]):
        return {"sheltered": 0, "staying": 0, "sites": 0, "roads": 0.0}
    people, sites, roads = (geopandas.read_file(layers, layer=name) for name in ("people", "sites", "roads"))
    totals = pd.read_csv(out / "tables" / "totals.csv", index_col=0)["people"]
    return {
        "sheltered": totals["sheltered"],
        "staying": people["staying_people"].sum(),
        "sites": (sites["status"] == "open").sum(),
        "roads": roads.loc[roads["status"] == "open", "length_m"].sum(),
    }


@pytest.fixture(scope="module")
def dem(demo: tuple[Path, object], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The terrain of the valley in cells of 4 m, which are enough to see what is safe."""
    fine = io.read_raster(demo[0] / "rasters" / "dem.tif")
    path = tmp_path_factory.mktemp("dem") / "dem.tif"
    io.write_raster(align(fine, to=Grid.from_bounds(fine.grid.bounds, cell=4.0, crs=fine.grid.crs), how="mean"), path)
    return path


def less(valley: Path, folder: Path, change: Callable[[dict[str, Any]], None]) -> dict[str, float]:
    """What is safe after a change to the inputs of the valley, with its terrain as a dem."""
    document = tomllib.loads(valley.read_text(encoding="utf-8"))
    document["inputs"] = {name: str(valley.parent / path) for name, path in document["inputs"].items()}
    del document["inputs"]["scan"], document["ground"]
    change(document)
    folder.mkdir(exist_ok=True)
    scenario = folder / "less.toml"
    scenario.write_text(tomli_w.dumps(document), encoding="utf-8")
    pipeline.run(scenario, out=folder / "out")
    return safe(folder / "out")


@pytest.fixture(scope="module")
def whole(dem: Path, valley: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """What is safe when everything is known."""
    found = less(valley, tmp_path_factory.mktemp("whole"), lambda d: d["inputs"].update(dem=str(dem)))
    assert all(found.values()), f"nothing is safe in the valley, so nothing can be lost: {found}"
    return found


@pytest.mark.parametrize("gone", HAZARD_INPUTS)
def test_no_hazard_input_taken_away_raises_what_is_safe(
    gone: str, whole: dict[str, float], dem: Path, valley: Path, tmp_path: Path
) -> None:
    def change(document: dict[str, Any]) -> None:
        document["inputs"]["dem"] = str(dem)
        del document["inputs"][gone]
        if gone == "shakemap":
            del document["inputs"]["shakemap_uncertainty"]  # it belongs to it

    found = less(valley, tmp_path / "less", change)
    assert all(found[key] <= whole[key] + 1e-6 for key in whole), (whole, found)


@pytest.mark.parametrize("seed", range(3))
def test_no_masked_part_of_a_surface_raises_what_is_safe(
    seed: int, whole: dict[str, float], dem: Path, valley: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(seed)
    ground = io.read_raster(dem)
    values = ground.values.copy()
    for row, col in zip(rng.integers(0, values.shape[0], 15), rng.integers(0, values.shape[1], 15), strict=True):
        values[row : row + 9, col : col + 9] = np.nan
    water = io.read_raster(valley.parent / "inputs" / "water_table_m.tif")
    dry = np.where(rng.random(water.values.shape) < 0.1, np.float32(np.nan), water.values)
    io.write_raster(replace(ground, values=values), tmp_path / "dem.tif")
    io.write_raster(replace(water, values=dry), tmp_path / "water.tif")
    files = {"dem": str(tmp_path / "dem.tif"), "water_table": str(tmp_path / "water.tif")}
    found = less(valley, tmp_path / "less", lambda d: d["inputs"].update(files))
    assert all(found[key] <= whole[key] + 1e-6 for key in whole), (whole, found)


def test_a_mapped_body_that_lost_its_place_is_refused(valley: Path, dem: Path, tmp_path: Path) -> None:
    bodies = geopandas.read_file(valley.parent / "inputs" / "mapped_bodies.gpkg")
    bodies.loc[0, "geometry"] = None
    bodies.to_file(tmp_path / "bodies.gpkg")
    files = {"dem": str(dem), "bodies": str(tmp_path / "bodies.gpkg")}
    with pytest.raises(InputError, match=r"1 features in bodies\.gpkg have no usable geometry"):
        less(valley, tmp_path / "less", lambda d: d["inputs"].update(files))
