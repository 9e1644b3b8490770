import warnings
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely

from hazardgeo import io
from hazardgeo.errors import HazardGeoWarning
from hazardgeo.synthetic.layout import layout
from hazardgeo.synthetic.places import registers, shelters

CHECKED = ["capacity_people", "indoor_area_m2", "heated_area_m2", "outdoor_area_m2", "toilets", "water_l_day"]


@pytest.fixture(scope="module")
def sites() -> geopandas.GeoDataFrame:
    return shelters.register(layout("small", np.random.default_rng(1)), [], shapely.Point(), np.random.default_rng(1)).drop(
        columns="planted"
    )


def _read(path: Path) -> geopandas.GeoDataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HazardGeoWarning)  # rows of totals and notes, Chinese names
        return io.standard_columns(io.read_vector(path, crs="EPSG:32648"))


@pytest.mark.parametrize("name", [registers.CSV_NAME, registers.XLSX_NAME])
def test_the_registers_give_the_same_sites_as_the_geopackage(name: str, sites: geopandas.GeoDataFrame, tmp_path: Path):
    write = registers.write_csv if name.endswith("csv") else registers.write_workbook
    write(sites, tmp_path / name)
    io.write_vectors({"sites": sites}, tmp_path / "sites.gpkg")
    found, clean = _read(tmp_path / name), io.read_vector(tmp_path / "sites.gpkg")
    assert found["编号"].tolist() == clean["site_id"].tolist()
    assert found["name"].tolist() == clean["name_zh"].tolist()
    assert shapely.distance(found.geometry.to_numpy(), clean.geometry.to_numpy()).max() < 0.02
    for column in CHECKED:
        np.testing.assert_allclose(found[column].astype(float), clean[column].astype(float), atol=0.01, err_msg=column)


def test_the_csv_is_what_an_office_sends(sites: geopandas.GeoDataFrame, tmp_path: Path):
    registers.write_csv(sites, tmp_path / "a.csv")
    with pytest.raises(UnicodeDecodeError):
        (tmp_path / "a.csv").read_text(encoding="utf-8")
    assert (tmp_path / "a.csv").read_text(encoding="gb18030").startswith("编号,名称,类型,经度,纬度")


def test_the_workbook_is_untidy_and_the_same_twice(sites: geopandas.GeoDataFrame, tmp_path: Path):
    import openpyxl

    for name in ("a.xlsx", "b.xlsx"):
        registers.write_workbook(sites, tmp_path / name)
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx").active
    assert len(sheet.merged_cells.ranges) == 3
    first = [row[0].value for row in sheet.iter_rows()]
    assert first[0] == "应急避难场所台账"
    assert "synthetic" in first[1]
    assert first[-2] == "合计"
    assert "室外面积(亩)" in [cell.value for cell in sheet[4]]
