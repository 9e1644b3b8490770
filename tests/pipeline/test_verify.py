"""Results held against their manifest, and run again."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hazardgeo import cli, io, pipeline
from hazardgeo.errors import FormatError
from hazardgeo.pipeline import Manifest, source

Demo = tuple[Path, Manifest]


@pytest.fixture
def small(demo: Demo, tmp_path: Path) -> Path:
    """The results of a run of one stage; its folder."""
    shutil.copy(demo[0] / "rasters" / "dem.tif", tmp_path / "dem.tif")
    (tmp_path / "s.toml").write_text('[inputs]\ndem = "dem.tif"\n', encoding="utf-8")
    pipeline.run(tmp_path / "s.toml", out=tmp_path / "out", only="terrain")
    return tmp_path / "out"


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(cli.group, ["run", *arguments], standalone_mode=False)


def test_a_run_gives_the_same_bytes_again(small: Path) -> None:
    found = pipeline.verify(small / "manifest.json")
    assert found.same
    assert found.rerun
    assert not found.versions
    assert set(found.outputs) == {f"rasters/{name}.tif" for name in ("slope", "aspect", "hillshade", "wetness")} | {
        "resolved.toml"
    }


@pytest.mark.slow
def test_the_whole_demo_gives_the_same_bytes_again(demo: Demo) -> None:
    found = pipeline.verify(demo[0] / "manifest.json")
    assert found.same, [line for line in found.lines if "same bytes" not in line]
    assert len(found.outputs) == len(demo[1].outputs)


def test_results_that_were_changed_or_lost_are_named(small: Path) -> None:
    with (small / "rasters" / "slope.tif").open("ab") as stream:
        stream.write(b"x")
    (small / "rasters" / "aspect.tif").unlink()
    found = pipeline.verify(small / "manifest.json", rerun=False)
    assert not found.same
    assert found.outputs["rasters/slope.tif"] == "changed since the run"
    assert found.outputs["rasters/aspect.tif"] == "missing"
    assert found.outputs["rasters/wetness.tif"] == "same bytes"


def test_an_input_that_changed_is_named_and_not_run_again(small: Path) -> None:
    dem = io.read_raster(small.parent / "dem.tif")
    io.write_raster(dem.like(dem.values + 1, "dem", "m"), small.parent / "dem.tif")
    found = pipeline.verify(small / "manifest.json")
    assert found.inputs == {"dem: dem.tif": "changed"}
    assert not found.rerun
    assert not found.same
    (small.parent / "dem.tif").unlink()
    assert pipeline.verify(small / "manifest.json").inputs == {"dem: dem.tif": "missing"}


def test_results_that_do_not_follow_from_the_inputs_are_found_by_running_again(small: Path) -> None:
    forged = io.read_raster(small / "rasters" / "slope.tif")
    io.write_raster(forged.like(forged.values * 0, "slope", "deg"), small / "rasters" / "slope.tif")
    manifest = json.loads((small / "manifest.json").read_text(encoding="utf-8"))
    for file in manifest["outputs"]:
        if file["path"] == "rasters/slope.tif":
            content = (small / "rasters" / "slope.tif").read_bytes()
            file.update(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    (small / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert pipeline.verify(small / "manifest.json", rerun=False).same
    assert pipeline.verify(small / "manifest.json").outputs["rasters/slope.tif"] == "differs when run again"


def test_other_versions_are_named(small: Path) -> None:
    manifest = json.loads((small / "manifest.json").read_text(encoding="utf-8"))
    manifest["versions"]["numpy"] = "1.0"
    (small / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    found = typed("--verify", str(small / "manifest.json"))
    assert "version of numpy: 1.0 then, " in found.output
    assert "versions changed since the run, so bytes may differ" in found.output


@pytest.mark.parametrize("content", ["{}", "[]", "no json", '{"outputs": [{"path": 1}]}'])
def test_what_is_no_manifest_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(content, encoding="utf-8")
    with pytest.raises(FormatError, match="is not the manifest of a run"):
        pipeline.verify(tmp_path / "manifest.json")


def test_a_manifest_alone_is_not_enough(small: Path, tmp_path: Path) -> None:
    shutil.copy(small / "manifest.json", tmp_path / "manifest.json")
    with pytest.raises(FormatError, match=r"there is no resolved\.toml beside"):
        pipeline.verify(tmp_path / "manifest.json")
    with pytest.raises(FormatError, match="cannot be read"):
        pipeline.verify(tmp_path / "elsewhere.json")


def test_the_command_counts_only_the_same_bytes_as_success(small: Path) -> None:
    good = typed("--verify", str(small / "manifest.json"), "--quick")
    assert (good.return_value, good.output.splitlines()[-1]) == (0, "all the same (hashes compared, not run again)")
    (small / "rasters" / "slope.tif").unlink()
    bad = typed("--verify", str(small / "manifest.json"), "--quick", "--json")
    assert bad.return_value == 1
    assert json.loads(bad.output)["outputs"]["rasters/slope.tif"] == "missing"


def test_verify_takes_no_scenario(tmp_path: Path) -> None:
    for arguments in ([], ["s.toml", "--verify", "m.json"], ["s.toml", "--quick"]):
        assert CliRunner().invoke(cli.group, ["run", *arguments]).exit_code == 2


@pytest.mark.parametrize("options", [["--strict"], ["--only", "terrain"], ["--set", "a.b=1"], ["--out", "x"], ["--no-resume"]])
def test_verify_takes_no_options_of_a_run(options: list[str]) -> None:
    done = CliRunner().invoke(cli.group, ["run", "--verify", "m.json", *options])
    assert (done.exit_code, "--verify does what the manifest says" in done.output) == (2, True)


@pytest.mark.parametrize(("key", "value"), [("title", "x"), ("notice", "all safe"), ("seed", 99)])
def test_a_manifest_that_says_another_scenario_is_found(key: str, value: object, small: Path) -> None:
    path = small / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), key: value}), encoding="utf-8")
    found = pipeline.verify(path, rerun=False)
    assert not found.same
    assert found.outputs["manifest.json"] == f"{key} not as in resolved.toml"


@pytest.mark.parametrize("texts", [("1 2 3", "4 5 6"), ("1 2 3", "1 2 3")])
@pytest.mark.parametrize("edited", ["a", "b"])
def test_tiles_of_one_name_from_two_folders_are_told_apart(texts: tuple[str, str], edited: str, tmp_path: Path) -> None:
    tiles = [tmp_path / folder / "p.xyz" for folder in "ab"]
    for tile, text in zip(tiles, texts, strict=True):
        tile.parent.mkdir()
        tile.write_text(text, encoding="utf-8")
    (tmp_path / "resolved.toml").write_text(
        'title = "t"\ncrs = "EPSG:32648"\n[inputs]\nscan = { path = "a/p.xyz", tiles = ["../b/p.xyz"] }\n', encoding="utf-8"
    )
    scenario = pipeline.read_scenario(tmp_path / "resolved.toml")
    said = Manifest(
        title=scenario.title,
        notice=scenario.notice,
        seed=scenario.seed,
        inputs=source.records("scan", tiles),
        outputs=(),
        stages=(),
        warnings=(),
        headlines={},
        finished="",
    )
    said.write(tmp_path / "manifest.json")
    assert pipeline.verify(tmp_path / "manifest.json", rerun=False).same
    (tmp_path / edited / "p.xyz").write_text("9 9 9", encoding="utf-8")
    assert pipeline.verify(tmp_path / "manifest.json", rerun=False).inputs == {"scan: p.xyz": "changed"}
    (tmp_path / edited / "p.xyz").unlink()
    assert pipeline.verify(tmp_path / "manifest.json", rerun=False).inputs == {"scan: p.xyz": "missing"}
