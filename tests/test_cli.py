"""The command line as it is typed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner

from hazardgeo import cli


def invoke(*arguments: str) -> str:
    found = CliRunner().invoke(cli.group, list(arguments), standalone_mode=False)
    assert found.exception is None, found.exception
    return found.output


def test_help_names_every_command() -> None:
    assert all(name in invoke("--help") for name in cli.COMMANDS)


def test_info_of_a_shaking_map(data_case: Callable[[str], Path]) -> None:
    said = invoke("info", str(data_case("lomaprieta_usgs") / "grid.xml"))
    assert "event: Loma Prieta, California, M 6.9, 1989-10-18T00:04:15Z, 18 km deep" in said
    assert "layers: pga_g, pgv_cm_s, mmi, vs30_m_s, sigma_ln_pga" in said


def test_info_of_one_layer_of_several(data_case: Callable[[str], Path]) -> None:
    said = invoke("info", str(data_case("andorra") / "andorra.osm.pbf"), "--layer", "points")
    assert "geometry: Point" in said
    assert "crs: EPSG:4326" in said


def test_info_of_a_cloud_reads_its_header(data_case: Callable[[str], Path]) -> None:
    assert "points: 73403" in invoke("info", str(data_case("lidr_als") / "Topography.laz"))


def test_info_of_a_raster(data_case: Callable[[str], Path]) -> None:
    assert "1201 x 1201 cells" in invoke("info", str(data_case("andorra") / "N42E001.hgt"))


def test_the_doctor_names_versions_and_what_is_missing() -> None:
    said = invoke("doctor")
    assert "numba: threading layer" in said
    assert "open3d: " in said
