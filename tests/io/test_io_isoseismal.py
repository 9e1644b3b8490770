from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from hazardgeo.errors import CrsError, HazardGeoWarning, InputError, MissingColumnError
from hazardgeo.io import read_isoseismals
from hazardgeo.io.shaking.isoseismal import intensity_of

ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
UNICODE = "ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩⅪⅫ"
HAN = ("一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二")


def nested(n: int) -> list[shapely.Geometry]:
    return [shapely.box(102 + 0.1 * i, 35 + 0.1 * i, 104 - 0.1 * i, 37 - 0.1 * i) for i in range(n)]


def write(path: Path, shapes: list[shapely.Geometry] | None = None, **columns: list[Any]) -> Path:
    n = len(next(iter(columns.values())))
    geopandas.GeoDataFrame(columns, geometry=nested(n) if shapes is None else shapes, crs=4326).to_file(path)
    return path


@given(st.integers(1, 12), st.sampled_from(["{}", "{}度", "{} 度区", "烈度{}", "{}级", "Intensity {}"]))
def test_every_spelling_of_a_degree_means_it(degree: int, pattern: str) -> None:
    for text in (ROMAN[degree - 1], ROMAN[degree - 1].lower(), UNICODE[degree - 1], HAN[degree - 1], str(degree)):
        assert intensity_of(pattern.format(text)) == (degree, degree)
    assert intensity_of(degree) == intensity_of(float(degree)) == (degree, degree)


@pytest.mark.parametrize("text", ["VI-VII", "Ⅵ～Ⅶ度", "6—7", "六至七度", "VI/VII", "VII-VI"])
def test_ranges_keep_both_ends(text: str) -> None:
    assert intensity_of(text) == (6, 7)


@pytest.mark.parametrize(
    "text", ["", "nan", None, "0", "13", "-8", "6强", "6+", "V1", "<VI", "≥Ⅷ", "震中", "VI-VII-VIII", True, "1e1"]
)
def test_what_is_no_degree_is_not_guessed(text: object) -> None:
    assert intensity_of(text) is None


def test_a_chinese_shapefile_says_its_scale_by_its_column(tmp_path: Path) -> None:
    path = write(tmp_path / "烈度图.shp", LD=["Ⅵ度区", "Ⅶ度区", "Ⅷ度区"], id=[1, 2, 3])
    found = read_isoseismals(path, crs=32648)
    assert found["intensity"].tolist() == [6, 7, 8]
    assert found["scale"].tolist() == ["csi"] * 3
    assert found["label"].tolist() == ["Ⅵ度区", "Ⅶ度区", "Ⅷ度区"]
    assert found.crs.to_epsg() == 32648


@pytest.mark.parametrize("column", ["烈度", "地震烈度", "烈度（度）", "LIEDU", "ld"])
def test_names_of_columns_that_mean_the_chinese_scale(tmp_path: Path, column: str) -> None:
    found = read_isoseismals(write(tmp_path / "i.gpkg", **{column: [6, 7], "面积": [100.0, 10.0]}))
    assert found["intensity"].tolist() == [6, 7]
    assert set(found["scale"]) == {"csi"}


def test_a_column_that_does_not_say_its_scale_needs_it_stated(tmp_path: Path) -> None:
    path = write(tmp_path / "i.geojson", intensity=[6.5, 7.0])
    with pytest.raises(InputError, match=r"column 'intensity' of .* does not say its scale; state scale='csi'"):
        read_isoseismals(path)
    assert read_isoseismals(path, scale="mmi")["intensity"].tolist() == [6.5, 7.0]
    mercalli = write(tmp_path / "m.geojson", MMI=[6.5, 7.0])
    assert set(read_isoseismals(mercalli)["scale"]) == {"mmi"}
    with pytest.raises(InputError, match="says mmi, scale= says csi"):
        read_isoseismals(mercalli, scale="csi")
    with pytest.raises(InputError, match="'jma' is not known"):
        read_isoseismals(mercalli, scale="jma")  # type: ignore[arg-type]


def test_a_range_becomes_its_middle_with_both_ends(tmp_path: Path) -> None:
    found = read_isoseismals(write(tmp_path / "i.gpkg", 烈度=["VI-VII"]))
    assert found[["intensity", "intensity_low", "intensity_high"]].to_numpy().tolist() == [[6.5, 6, 7]]


def test_kml_names_are_read_and_labels_left_out(tmp_path: Path) -> None:
    path = tmp_path / "i.kml"
    ring = "102,35 104,35 104,37 102,37 102,35"
    area = f"<Polygon><outerBoundaryIs><LinearRing><coordinates>{ring}</coordinates></LinearRing></outerBoundaryIs></Polygon>"
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document>'
        f"<Placemark><name>Ⅷ度区</name>{area}</Placemark>"
        "<Placemark><name>震中</name><Point><coordinates>102.8,35.7</coordinates></Point></Placemark></Document></kml>",
        encoding="utf-8",
    )
    with pytest.warns(HazardGeoWarning, match="1 of 2 features are points"):
        found = read_isoseismals(path, scale="csi")
    assert found["intensity"].tolist() == [8]


def test_a_zone_without_an_intensity_is_refused_since_the_lower_one_would_take_its_place(tmp_path: Path) -> None:
    for bad in ("?", None):
        path = write(tmp_path / "i.gpkg", 烈度=["VI", "VII", bad])
        with pytest.raises(InputError, match="of feature 3 is no intensity from I to XII"):
            read_isoseismals(path)
    path = write(tmp_path / "j.gpkg", 烈度=["VI", "VII", "VIII"], shapes=[*nested(2), None])
    with pytest.warns(HazardGeoWarning, match="left out"), pytest.raises(InputError, match="a zone must not be lost"):
        read_isoseismals(path)


def test_several_columns_or_none_must_be_chosen(tmp_path: Path) -> None:
    two = write(tmp_path / "i.gpkg", 烈度=[6, 7], LD=[7, 8])
    with pytest.raises(InputError, match="several columns of intensity that differ; choose one with column=: 烈度, LD"):
        read_isoseismals(two)
    assert read_isoseismals(two, column="LD")["intensity"].tolist() == [7, 8]
    none = write(tmp_path / "j.gpkg", zone=["VI", "VII"])
    with pytest.raises(MissingColumnError, match="no column of intensity that is known; name it with column="):
        read_isoseismals(none)
    assert read_isoseismals(none, column="zone", scale="csi")["intensity"].tolist() == [6, 7]
    with pytest.raises(MissingColumnError, match="no column 'x'"):
        read_isoseismals(none, column="x")


def test_closed_lines_of_whole_degrees_become_zones(tmp_path: Path) -> None:
    lines = [shape.exterior for shape in nested(2)]
    lines = [shapely.LineString(line.coords) for line in lines]
    found = read_isoseismals(write(tmp_path / "i.gpkg", lines, 烈度=["VI", "VII"]))
    assert found.geometry.to_numpy()[1].equals(nested(2)[1])
    with pytest.raises(InputError, match=r"feature 1 is a line of intensity 6\.5, and which zone it bounds is not certain"):
        read_isoseismals(write(tmp_path / "j.gpkg", lines, 烈度=["VI-VII", "VIII"]))
    opened = [lines[0], shapely.LineString(lines[1].coords[:-1])]
    with pytest.raises(InputError, match="feature 2 is an open line, which bounds no zone; close it, or polygonise"):
        read_isoseismals(write(tmp_path / "k.gpkg", opened, 烈度=["VI", "VII"]))


def test_the_contours_of_a_shakemap_are_refused_by_name(tmp_path: Path) -> None:
    lines = [shapely.MultiLineString([shape.exterior.coords]) for shape in nested(2)]
    path = write(tmp_path / "cont_mmi.json", lines, value=[4.5, 5.0], units=["mmi", "mmi"], color=["#7cffc7", "#7cff90"])
    with pytest.raises(InputError, match=r"the contours of a ShakeMap, whose lines bound values; fetch its grid\.xml"):
        read_isoseismals(path)


def test_a_file_without_a_crs_or_polygons_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "i.shp", LD=[6, 7])
    path.with_suffix(".prj").unlink()
    with pytest.raises(CrsError, match="state it with source_crs"):
        read_isoseismals(path)
    assert read_isoseismals(path, source_crs="EPSG:4326")["intensity"].tolist() == [6, 7]
    points = write(tmp_path / "p.gpkg", [shapely.Point(1, 2)], 烈度=["VI"])
    with pytest.warns(HazardGeoWarning, match="points"), pytest.raises(InputError, match="holds no polygons"):
        read_isoseismals(points)


def test_ranks_are_never_taken_for_intensities(tmp_path: Path) -> None:
    ranked = write(tmp_path / "a.gpkg", level=[4, 3, 2], 烈度名=["Ⅵ", "Ⅶ", "Ⅷ"])
    assert read_isoseismals(ranked)["intensity"].tolist() == [6, 7, 8]
    described = write(tmp_path / "b.gpkg", level=[1, 2, 3], desc=["Ⅵ度区", "Ⅶ度区", "Ⅷ度区"])
    assert read_isoseismals(described, scale="csi")["intensity"].tolist() == [6, 7, 8]
    index = write(tmp_path / "c.gpkg", Intensity=["VI", "VII", "VIII"], MI=[3.0, 2.0, 1.0])
    assert read_isoseismals(index, scale="csi")["intensity"].tolist() == [6, 7, 8]
    agreed = write(tmp_path / "d.gpkg", LD=[6, 7, 8], 烈度=["Ⅵ", "Ⅶ", "Ⅷ"], note=["Ⅵ(6)度", "Ⅶ(7)度", "Ⅷ(8)度"])
    assert read_isoseismals(agreed)["intensity"].tolist() == [6, 7, 8]
    with pytest.raises(InputError, match="that differ; choose one with column=: intensity, desc"):
        read_isoseismals(write(tmp_path / "e.gpkg", intensity=[3, 2], desc=["Ⅵ度区", "Ⅶ度区"]), scale="csi")
    with pytest.raises(InputError, match="LD = '0' of feature 2"):
        read_isoseismals(write(tmp_path / "f.gpkg", LD=[6, 0]))
