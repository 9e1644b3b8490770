"""The demo against its truth: what is scored, what is not built yet, and that nothing reads the truth."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner

from hazardgeo import pipeline, synthetic
from hazardgeo.cli.demo import _table
from hazardgeo.cli.demo import command as demo_command
from hazardgeo.errors import FormatError, HazardGeoWarning
from hazardgeo.pipeline import Manifest
from hazardgeo.synthetic import Metric

Demo = tuple[Path, Manifest]


@pytest.fixture(scope="module")
def metrics(valley: Path, demo: Demo) -> dict[str, Metric]:
    return {m.name: m for m in synthetic.score(valley.parent, demo[0])}


def test_nobody_flew_there_so_nothing_is_called_low_and_nobody_is_said_to_stay(metrics: dict[str, Metric]) -> None:
    assert metrics["first law: cells that nobody flew and that are called low"].value == 0
    assert metrics["first law: people who stay where nobody flew"].value == 0


def test_the_source_of_the_flow_slide_is_never_called_low(metrics: dict[str, Metric]) -> None:
    assert metrics["first law: cells of the flow slide's source called low"].value == 0
    by_indicator = metrics["first law: share of the flow slide's source that the loess indicator calls high or does not assess"]
    assert by_indicator.met


def test_the_assignments_can_be_followed_and_the_tiny_case_is_exact(metrics: dict[str, Metric]) -> None:
    assert metrics["shelter: infeasible assignments"].value == 0
    assert metrics["shelter: uncovered people of the tiny case, error"].value == 0


def test_what_is_not_built_is_never_a_pass(metrics: dict[str, Metric]) -> None:
    waiting = [m for m in metrics.values() if m.met is None]
    assert {m.name.partition(":")[0] for m in waiting} == {"change", "lake"}
    assert all(m.value is None and m.note == "not built" for m in waiting)
    lines = _table(list(metrics.values()))
    assert sum("not built" in line for line in lines[:-1]) == len(waiting)
    assert f"{len(waiting)} not built yet" in lines[-1]


def test_every_figure_has_a_goal(metrics: dict[str, Metric]) -> None:
    assert all(m.goal for m in metrics.values())
    assert {m.name.partition(":")[0] for m in metrics.values()} >= {
        "ground filter", "terrain", "roads", "people", "shelter", "first law",
    }  # fmt: skip


def test_a_score_needs_the_truth(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="a score needs the truth"):
        synthetic.score(tmp_path, tmp_path)


def test_the_folder_of_inputs_alone_gives_a_scenario_that_runs(valley: Path, tmp_path: Path) -> None:
    shutil.copytree(valley.parent / "inputs", tmp_path / "inputs")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HazardGeoWarning)  # the untidy registers beside the clean one
        proposed = pipeline.propose(tmp_path / "inputs")
    scenario = tmp_path / "inputs" / "scenario.toml"
    scenario.write_text(proposed.toml, encoding="utf-8")
    manifest = pipeline.run(scenario, out=tmp_path / "out")
    assert {s.status for s in manifest.stages} == {"done"}
    assert int(manifest.headlines["People displaced"]["value"].replace(",", "")) > 0


def test_json_belongs_to_a_score(tmp_path: Path) -> None:
    result = CliRunner().invoke(demo_command, ["--json", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "--json belongs to --score" in result.output


def test_planted_losses_agree_with_each_other(valley: Path) -> None:
    import pandas as pd

    answers = json.loads((valley.parent / "truth" / "answers.json").read_text(encoding="utf-8"))
    lost = pd.read_csv(valley.parent / "truth" / "displaced.csv")
    assert lost["people"].sum() == answers["residents"]
    assert lost["displaced_people"].sum() == answers["displaced_people"] == sum(answers["displaced_by_village"].values())
    assert answers["sites"]["capacity_people"] < answers["displaced_people"]
