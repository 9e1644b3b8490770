from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hazardgeo.errors import FormatError, HazardGeoWarning, InputError, MissingColumnError
from hazardgeo.io import read_stations

G = 9.80665


def table(path: Path, header: str, *rows: str) -> Path:
    path.write_text("\n".join([f"station,longitude,latitude,{header}", *rows]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("header", "pga_g"),
    [
        ("PGA(gal)", 0.98 / G), ("PGA（cm/s²）", 0.98 / G), ("PGA (cm/s^2)", 0.98 / G), ("峰值加速度(cm/s2)", 0.98 / G),
        ("pga_cm_s2", 0.98 / G), ("PGA/gal", 0.98 / G), ("PGA [%g]", 0.98), ("pga_pctg", 0.98), ("PGA(mg)", 0.098),
    ],
)  # fmt: skip
def test_the_unit_in_the_header_decides(tmp_path: Path, header: str, pga_g: float) -> None:
    found = read_stations(table(tmp_path / "s.csv", header, "62ABC,102.8,35.7,98"))
    assert found["pga_g"].tolist() == pytest.approx([pga_g])
    assert found["station"].tolist() == ["62ABC"]
    assert found.crs.to_epsg() == 4326
    assert found.geometry[0].x == 102.8


def test_the_larger_horizontal_component_counts_and_the_vertical_never(tmp_path: Path) -> None:
    header = "PGA_EW(gal),PGA_NS(gal),PGA_UD(gal),PGV_EW(cm/s),PGV_NS(cm/s),Vs30(m/s),震中距(km)"
    found = read_stations(table(tmp_path / "s.csv", header, "A,102,35,100,200,900,8,6,300,12.5", "B,103,35,,150,10,5,,,"))
    np.testing.assert_allclose(found["pga_g"], np.array([2.0, 1.5]) / G)
    assert found["pgv_cm_s"].tolist() == [8, 5]
    assert found["components"].tolist() == ["ENZ", "ENZ"]
    np.testing.assert_array_equal(found["vs30_m_s"], [300, np.nan])
    np.testing.assert_array_equal(found["distance_km"], [12.5, np.nan])


def test_a_vertical_peak_alone_is_no_motion(tmp_path: Path) -> None:
    path = table(tmp_path / "s.csv", "EW(gal),UD(gal)", "A,102,35,100,50", "B,103,35,,50")
    with pytest.warns(HazardGeoWarning, match="1 stations without a value"):
        found = read_stations(path)
    assert found["station"].tolist() == ["A"]
    assert found.attrs["left_out"] == 1


def test_a_column_without_a_unit_is_refused_until_it_is_stated(tmp_path: Path) -> None:
    path = table(tmp_path / "s.csv", "PGA", "A,102,35,98")
    with pytest.raises(InputError, match=r"column 'PGA' does not state its unit; state it with units=\{'PGA': 'gal'\}"):
        read_stations(path)
    assert read_stations(path, units={"PGA": "gal"})["pga_g"][0] == pytest.approx(0.98 / G)
    with pytest.raises(MissingColumnError, match="no column 'pga'"):
        read_stations(path, units={"pga": "gal"})
    with pytest.raises(InputError, match="is in 'furlong', which is not known; use gal"):
        read_stations(path, units={"PGA": "furlong"})


def test_values_in_gal_that_are_called_g_are_noticed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="PGA of station 'A' would be 98 g, more than any record; the column looks like gal"):
        read_stations(table(tmp_path / "s.csv", "PGA(g)", "A,102,35,98", "B,103,35,0.2"))


def test_values_in_g_that_are_called_gal_are_noticed(tmp_path: Path) -> None:
    with pytest.warns(HazardGeoWarning, match="which nobody feels; check the unit"):
        read_stations(table(tmp_path / "s.csv", "PGA(gal)", "A,102,35,0.3", "B,103,35,0.2"))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (("A,102,35,-957.7", "B,103,35,3"), "of row 1 is negative; peaks are magnitudes"),
        (("A,102,35,0", "B,103,35,0"), "is 0 in all rows"),
        (("A,102,35,many", "B,103,35,3"), "'many' of row 1 is not a number"),
        (("A,102,35,20", "A,102,35,30"), "station 'A' is there twice with different values"),
    ],
)
def test_values_that_are_no_peaks_are_refused(tmp_path: Path, rows: tuple[str, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_stations(table(tmp_path / "s.csv", "PGA(gal)", *rows))


def test_a_zero_is_unknown_and_a_row_given_twice_counts_once(tmp_path: Path) -> None:
    rows = ("A,102,35,20,2", "A,102,35,20,2", "B,103,35,0,3", "C,104,35,,")
    with pytest.warns(HazardGeoWarning, match="1 stations without a value, 1 rows given twice of 4 rows are left out"):
        found = read_stations(table(tmp_path / "s.csv", "PGA(gal),PGV(cm/s)", *rows))
    np.testing.assert_allclose(found["pga_g"], [0.2 / G, np.nan])
    assert found.attrs == {"flagged": 0, "left_out": 1, "duplicates": 1}


def test_a_velocity_that_is_the_acceleration_scaled_is_refused(tmp_path: Path) -> None:
    rows = [f"{i},10{i},35,{100 * i},{i}" for i in range(1, 5)]
    with pytest.raises(InputError, match=r"PGV is PGA times 9\.81 everywhere, so it is no velocity"):
        read_stations(table(tmp_path / "s.csv", "PGA(gal),PGV(cm/s)", *rows))


def test_a_velocity_in_the_wrong_unit_is_refused(tmp_path: Path) -> None:
    rows = ("A,102,35,300,0.25", "B,103,35,100,0.11", "C,104,35,60,0.07")  # m/s under a header of cm/s
    with pytest.raises(InputError, match=r"PGA means intensity .* at the median, PGV"):
        read_stations(table(tmp_path / "s.csv", "PGA(gal),PGV(cm/s)", *rows))
    found = read_stations(table(tmp_path / "t.csv", "PGA(gal),PGV(m/s)", *rows))
    np.testing.assert_allclose(found["pgv_cm_s"], [25, 11, 7])


def test_two_columns_of_one_quantity_must_be_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"columns 'PGA\(gal\)' and 'PGA\(g\)' both hold pga"):
        read_stations(table(tmp_path / "s.csv", "PGA(gal),PGA(g)", "A,102,35,98,0.1"))


def test_a_table_without_motion_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingColumnError, match="no PGA, PGV or MMI; name them as"):
        read_stations(table(tmp_path / "s.csv", "height(m)", "A,102,35,98"))


def feature(code: str, channels: list[dict[str, Any]], **properties: Any) -> dict[str, Any]:
    base = {"code": code, "name": f"name of {code}", "network": "CI", "distance": 12.0, "vs30": 400.0, "channels": channels}
    return {
        "type": "Feature",
        "id": f"CI.{code}",
        "geometry": {"type": "Point", "coordinates": [-119.7, 35.2]},
        "properties": base | properties,
    }


def channel(name: str, pga: float | str, flag: str = "0", pgv: float = 2.0) -> dict[str, Any]:
    amplitudes = [
        {"name": "pga", "value": pga, "units": "%g", "flag": flag, "ln_sigma": 0},
        {"name": "pgv", "value": pgv, "units": "cm/s", "flag": "", "ln_sigma": 0},
        {"name": "sa(0.3)", "value": 9.0, "units": "%g", "flag": "0", "ln_sigma": 0},
    ]
    return {"name": name, "amplitudes": amplitudes}


def stationlist(path: Path, *features: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features)}))
    return path


def test_a_json_list_gives_percent_g_without_flagged_amplitudes(tmp_path: Path) -> None:
    seen = feature("A", [channel("--.HNE", 3.0), channel("--.HNN", 5.0, flag="G"), channel("--.HNZ", 9.0, pgv=4.0)])
    felt = feature(
        "294",
        [{"name": "mmi", "amplitudes": [{"name": "mmi", "value": 5.7, "units": "intensity", "flag": "0", "sigma": 0}]}],
        network="DYFI", pga=13.4, pgv=9.0, vs30=None,
    )  # fmt: skip
    with pytest.warns(HazardGeoWarning, match="1 flagged amplitudes"):
        found = read_stations(stationlist(tmp_path / "stationlist.json", seen, felt))
    assert found["station"].tolist() == ["CI.A", "CI.294"]
    np.testing.assert_allclose(found["pga_g"], [0.03, np.nan])
    np.testing.assert_allclose(found["pgv_cm_s"], [2, np.nan])
    np.testing.assert_allclose(found["mmi"], [np.nan, 5.7])
    np.testing.assert_allclose(found["vs30_m_s"], [400, np.nan])


def test_a_json_file_that_is_no_list_is_refused(tmp_path: Path) -> None:
    contours = {"type": "Feature", "geometry": {"type": "MultiLineString", "coordinates": []}, "properties": {"value": 4}}
    for path in (stationlist(tmp_path / "cont_pga.json", contours), tmp_path / "x.json"):
        if path.name == "x.json":
            path.write_text("{cut")
        with pytest.raises(FormatError, match=r"not a ShakeMap station list|not valid JSON"):
            read_stations(path)
    with pytest.raises(InputError, match="leave units= away"):
        read_stations(tmp_path / "x.json", units={"PGA": "g"})


XML = (
    '<?xml version="1.0"?>{head}<shakemap-data><stationlist created="1">'
    '<station code="A" name="a" netid="CEA" lat="{lat}" lon="102" dist="9" intensity="6.1">'
    '<comp name="N"><pga value="3.47" flag="0"/></comp><comp name="E"><pga value="12" flag="T"/></comp>'
    '<comp name="HNZ"><acc value="20" flag=""/><vel value="1" flag="0"/></comp></station>'
    '<station code="B" name="b" netid="DYFI" lat="36" lon="103" intensity="4.2">'
    '<comp name="DERIVED"><pga value="5" flag="0"/></comp></station></stationlist>'
)


def test_an_xml_list_gives_percent_g_and_no_derived_motion(tmp_path: Path) -> None:
    path = tmp_path / "stationlist.xml.gz"
    path.write_bytes(gzip.compress(XML.format(head="", lat=35).encode()))
    with pytest.warns(HazardGeoWarning, match="1 flagged amplitudes"):
        found = read_stations(path)
    np.testing.assert_allclose(found["pga_g"], [0.0347, np.nan])
    assert found["pgv_cm_s"].isna().all()
    np.testing.assert_array_equal(found["mmi"], [np.nan, 4.2])


def test_entities_in_a_station_list_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "stationlist.xml"
    for entity in ('<!ENTITY a "aaaa">', '<!ENTITY a SYSTEM "file:///etc/hostname">', '<!ENTITY % a SYSTEM "http://x.invalid/">'):
        path.write_text(XML.format(head=f"<!DOCTYPE x [{entity}]>", lat=35))
        with pytest.raises(FormatError, match="declares entities"):
            read_stations(path)


def test_damaged_xml_lists_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "stationlist.xml"
    for text, words in (
        (XML.format(head="", lat="north"), "station 'A' has no coordinates"),
        (XML.format(head="", lat=35)[:-20], "not a whole ShakeMap station list"),
        ("<?xml version='1.0'?><a></b>", "not readable XML"),
    ):
        path.write_text(text)
        with pytest.raises(FormatError, match=words):
            read_stations(path)
    path.write_text(XML.format(head="", lat=135))
    with pytest.raises(InputError, match="lies at 102, 135, which are no degrees"):
        read_stations(path)


def test_the_wenchuan_list_reads_as_its_network_published(data_case: Callable[[str], Path]) -> None:
    found = read_stations(data_case("wenchuan_stations") / "stationlist.xml")
    assert len(found) == 481
    assert found["network"].value_counts().to_dict() == {"CSMNC": 389, "CEA": 32, "DYFI": 31, "INTENSITY": 29}
    assert found["pga_g"].notna().sum() == 421
    assert found["mmi"].notna().sum() == 60
    strongest = found.loc[found["pga_g"].idxmax()]
    assert strongest["pga_g"] * 980.665 == pytest.approx(957.7, rel=1e-3)  # Wolong, as published by CSMNC
    first = found.set_index("station").loc["CEA01"]
    assert (first["pga_g"], first["distance_km"], first.geometry.x) == (0.0347, 144.225824, 101.99595)
    assert found.loc[found["station"] == "OBS_26", "mmi"].tolist() == [9]
