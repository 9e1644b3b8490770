"""Unknown is never safe, over the whole line: no input taken away raises what is reported safe."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import geopandas
import pandas as pd
import pytest
import tomli_w

from hazardgeo import pipeline

LIQUEFACTION_LAYERS = ("precipitation", "water_table", "distance_to_river", "distance_to_coast")
HAZARD_INPUTS = ("shakemap", "bodies", "surveyed", "lithology", "land_cover", *LIQUEFACTION_LAYERS)


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


@pytest.mark.parametrize("gone", HAZARD_INPUTS)
def test_no_hazard_input_taken_away_raises_what_is_safe(
    gone: str, demo: tuple[Path, object], valley: Path, tmp_path: Path
) -> None:
    document = tomllib.loads(valley.read_text(encoding="utf-8"))
    if gone not in document["inputs"]:
        pytest.skip(f"the valley has no input {gone}")
    del document["inputs"][gone]
    for name, path in document["inputs"].items():
        document["inputs"][name] = str(valley.parent / path)
    scenario = tmp_path / "less.toml"
    scenario.write_text(tomli_w.dumps(document), encoding="utf-8")
    shutil.copytree(demo[0] / "rasters", tmp_path / "out" / "rasters")
    shutil.copy(demo[0] / ".resume.json", tmp_path / "out")
    (tmp_path / "out" / "layers.gpkg").unlink(missing_ok=True)
    pipeline.run(scenario, out=tmp_path / "out")
    whole, less = safe(demo[0]), safe(tmp_path / "out")
    assert all(less[key] <= whole[key] + 1e-6 for key in whole), (whole, less)
