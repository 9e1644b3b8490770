import gzip
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from hazardgeo.errors import FormatError, HazardGeoWarning, InputError
from hazardgeo.io import read_shakemap

ROWS = "0 1 30 20 6\n1 1 40 25 7\n0 0 10 5 4\n1 0 20 9 5"


def grid_xml(
    path: Path,
    *,
    rows: str = ROWS,
    fields: str = "LON:dd LAT:dd PGA:pctg PGV:cms MMI:intensity",
    time: str = "2023-12-18T15:59:30Z",
    bounds: tuple[float, float] = (0, 1),
    event: str = "e1",
    kind: str = "ACTUAL",
    head: str = "",
    close: str = "</shakemap_grid>",
) -> Path:
    columns = "".join(
        f'<grid_field index="{i}" name="{f.split(":")[0]}" units="{f.split(":")[1]}"/>' for i, f in enumerate(fields.split(), 1)
    )
    path.write_text(
        f'<?xml version="1.0"?>{head}<shakemap_grid xmlns="http://earthquake.usgs.gov/eqcenter/shakemap" event_id="{event}" '
        f'shakemap_id="{event}" shakemap_version="2" shakemap_originator="us" shakemap_event_type="{kind}">'
        f'<event event_id="{event}" magnitude="6.2" depth="10" lat="0.5" lon="0.5" event_timestamp="{time}"/>'
        f'<grid_specification lon_min="{bounds[0]}" lon_max="{bounds[1]}" lat_min="0" lat_max="1" nominal_lon_spacing="0.99" '
        f'nominal_lat_spacing="1" nlon="2" nlat="2"/>{columns}<grid_data>\n{rows}\n</grid_data>{close}'
    )
    return path


def test_percent_of_g_becomes_g_and_nodes_are_cell_centres(tmp_path: Path) -> None:
    shaking = read_shakemap(grid_xml(tmp_path / "grid.xml"))
    assert shaking.pga_g is not None
    np.testing.assert_allclose(shaking.pga_g.values, [[0.3, 0.4], [0.1, 0.2]], rtol=1e-6)
    assert shaking.grid.bounds == (-0.5, -0.5, 1.5, 1.5)
    assert shaking.grid.crs.to_epsg() == 4326
    assert shaking.source == "ShakeMap us e1 version 2, ACTUAL"
    assert (shaking.event.magnitude, shaking.event.depth_km, shaking.event.identifier) == (6.2, 10.0, "e1")
    assert {name: r.unit for name, r in shaking.layers.items()} == {"pga_g": "g", "pgv_cm_s": "cm/s", "mmi": "MMI"}


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("", 0.01), ("pctg", 0.01), ("%g", 0.01), ("g", 1.0), ("gal", 1 / 980.665), ("m/s2", 1 / 9.80665)],
)
def test_pga_is_percent_of_g_unless_its_unit_text_says_otherwise(tmp_path: Path, unit: str, factor: float) -> None:
    path = grid_xml(tmp_path / "g.xml", fields=f"LON:dd LAT:dd PGA:{unit}", rows="0 1 1\n1 1 2\n0 0 3\n1 0 4")
    shaking = read_shakemap(path)
    assert shaking.pga_g is not None
    np.testing.assert_allclose(shaking.pga_g.values, np.array([[1, 2], [3, 4]]) * factor, rtol=1e-6)
    assert shaking.pgv_cm_s is None


def test_columns_are_found_by_name_and_rows_placed_by_coordinates(tmp_path: Path) -> None:
    rows = "4 300 0 5 0 10\n6 0 1 20 0 30\n7 500 1 25 1 40\n5 400 0 9 1 20"
    path = grid_xml(tmp_path / "g.xml", fields="MMI: SVEL:ms LAT:dd PGV:cms LON:dd PGA:", rows=rows)
    with pytest.warns(HazardGeoWarning, match=r"25\.0% of the SVEL"):
        shaking = read_shakemap(path)
    assert shaking.pga_g is not None
    assert shaking.pgv_cm_s is not None
    assert shaking.vs30_m_s is not None
    np.testing.assert_allclose(shaking.pga_g.values, [[0.3, 0.4], [0.1, 0.2]], rtol=1e-6)
    np.testing.assert_array_equal(shaking.pgv_cm_s.values, [[20, 25], [5, 9]])
    np.testing.assert_array_equal(shaking.vs30_m_s.values, [[np.nan, 500], [300, 400]])


@pytest.mark.parametrize("bad", ["-3", "nan", "inf", "-inf"])
def test_negative_and_non_finite_motion_is_unknown_never_low(tmp_path: Path, bad: str) -> None:
    path = grid_xml(tmp_path / "g.xml", rows=ROWS.replace("40 25 7", f"{bad} {bad} {bad}"))
    with pytest.warns(HazardGeoWarning) as caught:
        shaking = read_shakemap(path)
    assert len([w for w in caught if w.category is HazardGeoWarning]) == 3
    for layer in shaking.layers.values():
        assert np.isnan(layer.values).tolist() == [[False, True], [False, False]]


def test_a_missing_line_leaves_its_node_unknown(tmp_path: Path) -> None:
    path = grid_xml(tmp_path / "g.xml", rows=ROWS.replace("0 0 10 5 4\n", ""))
    with pytest.warns(HazardGeoWarning, match=r"25\.0% of the nodes have no line"):
        shaking = read_shakemap(path)
    assert all(np.isnan(layer.values[1, 0]) for layer in shaking.layers.values())


def test_a_map_of_zero_pga_is_refused_and_zero_pgv_is_unknown(tmp_path: Path) -> None:
    zero_pga = "0 1 0 20 6\n1 1 0 25 7\n0 0 0 5 4\n1 0 0 9 5"
    with pytest.raises(FormatError, match="PGA is 0 at all nodes"):
        read_shakemap(grid_xml(tmp_path / "a.xml", rows=zero_pga))
    zero_pgv = "0 1 30 0 6\n1 1 40 0 7\n0 0 10 0 4\n1 0 20 0 5"
    with pytest.warns(HazardGeoWarning, match=r"100\.0% of the PGV"):
        shaking = read_shakemap(grid_xml(tmp_path / "b.xml", rows=zero_pgv))
    assert shaking.pgv_cm_s is not None
    assert np.isnan(shaking.pgv_cm_s.values).all()


def test_a_grid_without_any_motion_is_refused(tmp_path: Path) -> None:
    path = grid_xml(tmp_path / "g.xml", fields="LON:dd LAT:dd SVEL:ms", rows="0 1 1\n1 1 2\n0 0 3\n1 0 4")
    with pytest.raises(FormatError, match="has no PGA, PGV or MMI"):
        read_shakemap(path)


@pytest.mark.parametrize("east", ["-179", "181"])
def test_longitudes_past_180_run_on(tmp_path: Path, east: str) -> None:
    rows = f"179 1 30 20 6\n{east} 1 40 25 7\n179 0 10 5 4\n{east} 0 20 9 5"
    shaking = read_shakemap(grid_xml(tmp_path / "g.xml", rows=rows, bounds=(179, float(east))))
    assert shaking.grid.bounds == (178, -0.5, 182, 1.5)
    assert shaking.mmi is not None
    assert shaking.mmi.values.tolist() == [[6, 7], [4, 5]]


@pytest.mark.parametrize(
    "text", ["2023-12-18T15:59:30", "2023-12-18T15:59:30Z", "2023-12-18T15:59:30UTC", "2023-12-18T23:59:30+08:00"]
)
def test_times_are_utc_unless_they_say_otherwise(tmp_path: Path, text: str) -> None:
    assert read_shakemap(grid_xml(tmp_path / "g.xml", time=text)).event.time == datetime(2023, 12, 18, 15, 59, 30, tzinfo=UTC)


def test_a_time_in_an_unknown_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="'2023-12-18T15:59:30 PST' is not understood"):
        read_shakemap(grid_xml(tmp_path / "g.xml", time="2023-12-18T15:59:30 PST"))


def test_a_document_type_is_refused_so_no_entity_is_expanded(tmp_path: Path) -> None:
    head = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    with pytest.raises(FormatError, match="declares a DOCTYPE"):
        read_shakemap(grid_xml(tmp_path / "g.xml", head=head))


def test_an_open_root_is_read_but_a_cut_table_is_not(tmp_path: Path) -> None:
    path = grid_xml(tmp_path / "g.xml", close="")
    assert read_shakemap(path).mmi is not None
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(FormatError, match="not a whole ShakeMap grid"):
        read_shakemap(path)
    (tmp_path / "other.xml").write_text("no xml")
    with pytest.raises(FormatError, match="is not XML"):
        read_shakemap(tmp_path / "other.xml")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (ROWS.replace("1 1 40", "0.5 1 40"), "is not a node of its grid"),
        (ROWS.replace("1 1 40", "7 1 40"), "is not a node of its grid"),
        (ROWS.replace("1 1 40", "0 1 40"), "have two lines"),
        (ROWS.replace("40 25 7", "40 25"), "not a table of numbers"),
        (ROWS.replace("40", "x"), "not a table of numbers"),
        ("", "columns for 5"),
    ],
)
def test_tables_that_contradict_their_grid_are_refused(tmp_path: Path, rows: str, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read_shakemap(grid_xml(tmp_path / "g.xml", rows=rows))


def test_an_unknown_unit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="PGV is in 'm/s2'"):
        read_shakemap(grid_xml(tmp_path / "g.xml", fields="LON:dd LAT:dd PGA:pctg PGV:m/s2 MMI:intensity"))
    with pytest.raises(FormatError, match=r"PGA is in 'ln\(g\)', which is not known; convert it to g"):
        read_shakemap(grid_xml(tmp_path / "g.xml", fields="LON:dd LAT:dd PGA:ln(g) PGV:cms MMI:intensity"))


def test_uncertainties_join_their_own_event_and_grid_only(tmp_path: Path) -> None:
    grid = grid_xml(tmp_path / "g.xml")
    fields, rows = "LON:dd LAT:dd STDPGA:ln(pctg) STDPGV:ln(cms)", "0 1 .1 .2\n1 1 .3 .4\n0 0 .5 .6\n1 0 .7 .8"
    shaking = read_shakemap(grid, uncertainty_xml=grid_xml(tmp_path / "u.xml", fields=fields, rows=rows))
    assert shaking.sigma_ln_pga is not None
    assert shaking.sigma_ln_pgv is not None
    np.testing.assert_allclose(shaking.sigma_ln_pga.values, [[0.1, 0.3], [0.5, 0.7]], rtol=1e-6)
    np.testing.assert_allclose(shaking.sigma_ln_pgv.values, [[0.2, 0.4], [0.6, 0.8]], rtol=1e-6)
    with pytest.raises(InputError, match="is of event 'e2'"):
        read_shakemap(grid, uncertainty_xml=grid_xml(tmp_path / "v.xml", fields=fields, rows=rows, event="e2"))
    moved = grid_xml(tmp_path / "w.xml", fields=fields, rows=rows.replace("1 1", "2 1").replace("1 0", "2 0"), bounds=(0, 2))
    with pytest.raises(InputError, match="have different grids"):
        read_shakemap(grid, uncertainty_xml=moved)
    with pytest.raises(FormatError, match="neither STDPGA nor STDPGV"):
        read_shakemap(grid, uncertainty_xml=grid)


def test_a_scenario_says_that_it_is_one(tmp_path: Path) -> None:
    assert "SCENARIO (not an earthquake that happened)" in read_shakemap(grid_xml(tmp_path / "g.xml", kind="SCENARIO")).source


def test_the_loma_prieta_map_reads_as_its_lines_say(data_case: Callable[[str], Path]) -> None:
    folder = data_case("lomaprieta_usgs")
    shaking = read_shakemap(folder / "grid.xml", uncertainty_xml=folder / "uncertainty.xml")
    assert shaking.grid.shape == (29, 49)
    layers = ("pga_g", "pgv_cm_s", "mmi", "vs30_m_s", "sigma_ln_pga", "sigma_ln_pgv")
    assert tuple(shaking.layers) == layers
    north_west = [float(shaking.layers[name].values[0, 0]) for name in layers]
    assert north_west == pytest.approx([0.1809, 12.66, 6.052, 600, 0.4367, 0.4611], rel=1e-6)
    south_east = [float(shaking.layers[name].values[-1, -1]) for name in layers]
    assert south_east == pytest.approx([0.0846, 5.68, 5.025, 664.8, 0.2814, 0.2914], rel=1e-6)
    assert shaking.source == "ShakeMap us 19891018000415 version 1, ACTUAL"


def test_toy_files_without_a_closing_tag_are_placed_by_coordinates(data_case: Callable[[str], Path]) -> None:
    folder = data_case("shakemap_xml")
    shaking = read_shakemap(folder / "test_shakegrid.xml", uncertainty_xml=folder / "test_uncert.xml")
    assert shaking.pga_g is not None
    assert shaking.sigma_ln_pga is not None
    np.testing.assert_allclose(shaking.pga_g.values, [[0.72, 0.11], [0.24, 0.54]], rtol=1e-6)
    np.testing.assert_allclose(shaking.sigma_ln_pga.values, [[0.49, 0.16], [0.43, 0.32]], rtol=1e-6)
    assert read_shakemap(folder / "pager_nyc_scenario_m5.8_grid.xml").grid.cell[1] == pytest.approx(3.04 / 122)


@pytest.mark.parametrize("encoding", ["bogus", "gb18030"])
def test_an_encoding_that_the_parser_does_not_know_is_named(tmp_path: Path, encoding: str) -> None:
    path = grid_xml(tmp_path / "grid.xml")
    path.write_text(path.read_text().replace('version="1.0"', f'version="1.0" encoding="{encoding}"'))
    with pytest.raises(FormatError, match=r"grid\.xml has an encoding that is not read: .*; save it as UTF-8"):
        read_shakemap(path)


def test_other_columns_such_as_urat_and_psa_do_not_disturb(tmp_path: Path) -> None:
    rows = "0 1 .5 30 20 9\n1 1 1 40 25 9\n0 0 1 10 5 9\n1 0 1 20 9 9"
    path = grid_xml(tmp_path / "g.xml", fields="LON:dd LAT:dd URAT: PGA:pctg PGV:cms PSA03:pctg", rows=rows)
    assert tuple(read_shakemap(path).layers) == ("pga_g", "pgv_cm_s")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_byte_order_mark_and_utf_16_are_read(tmp_path: Path, encoding: str) -> None:
    path = grid_xml(tmp_path / "g.xml")
    text = path.read_text().replace('version="1.0"', f'version="1.0" encoding="{encoding.removesuffix("-sig")}"')
    path.write_text(text, encoding=encoding)
    assert read_shakemap(path).grid.shape == (2, 2)


def test_packed_files_are_read(tmp_path: Path) -> None:
    plain = grid_xml(tmp_path / "grid.xml")
    fields, rows = "LON:dd LAT:dd STDPGA:ln(pctg)", "0 1 .1\n1 1 .3\n0 0 .5\n1 0 .7"
    sigma = grid_xml(tmp_path / "uncertainty.xml", fields=fields, rows=rows)
    (tmp_path / "grid.xml.gz").write_bytes(gzip.compress(plain.read_bytes()))
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        archive.write(plain, "download/grid.xml")
        archive.write(sigma, "download/uncertainty.xml")
    for name in ("grid.xml.gz", "both.zip"):
        shaking = read_shakemap(tmp_path / name, uncertainty_xml=tmp_path / "both.zip")
        assert shaking.sigma_ln_pga is not None
        assert shaking.pga_g is not None
        np.testing.assert_allclose(shaking.pga_g.values, [[0.3, 0.4], [0.1, 0.2]], rtol=1e-6)


def test_other_products_of_a_shakemap_are_refused_naming_the_grid(tmp_path: Path) -> None:
    (tmp_path / "shake_result.hdf").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    (tmp_path / "cont_pga.json").write_text('{"type": "FeatureCollection", "features": []}')
    for name, members in {"raster.zip": ["pga_mean.flt"], "shape.zip": ["pga.shp"], "two.zip": ["a.xml", "b.xml"]}.items():
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for member in members:
                archive.writestr(member, "x")
    (tmp_path / "cut.zip").write_bytes((tmp_path / "raster.zip").read_bytes()[:-10])
    (tmp_path / "cut.gz").write_bytes(gzip.compress(bytes(1000))[:-10])
    for name, words in {
        "shake_result.hdf": r"is HDF5 .*; fetch the grid\.xml",
        "cont_pga.json": r"is JSON .*fetch the grid\.xml",
        "raster.zip": r"is a raster\.zip of a ShakeMap .*; fetch the grid\.xml",
        "shape.zip": r"holds no XML .*; fetch the grid\.xml",
        "two.zip": "holds 2 XML files",
        "cut.zip": "cannot be unpacked",
        "cut.gz": "cannot be unpacked",
    }.items():
        with pytest.raises(FormatError, match=words):
            read_shakemap(tmp_path / name)


def test_a_packed_bomb_is_refused(tmp_path: Path) -> None:
    (tmp_path / "grid.xml.gz").write_bytes(gzip.compress(b" " * 100_000_001, compresslevel=1))
    with pytest.raises(FormatError, match="holds more than 100 MB"):
        read_shakemap(tmp_path / "grid.xml.gz")


@pytest.mark.parametrize(
    "declared",
    [
        '<!DOCTYPE x SYSTEM "file:///etc/hostname">',
        '<!DOCTYPE x [<!ENTITY e SYSTEM "http://x.invalid/">]>',
        "<!DOCTYPE x [<!ENTITY % p 'x'>]>",
    ],
)
def test_external_entities_are_never_fetched(tmp_path: Path, declared: str) -> None:
    with pytest.raises(FormatError, match="declares a DOCTYPE"):
        read_shakemap(grid_xml(tmp_path / "g.xml", head=declared))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('nlon="2" nlat="2"', 'nlon="2000000000" nlat="2000000000"', "for 4 lines"),
        ('nlon="2"', 'nlon="1e300"', "for 4 lines"),
        ('nlon="2"', 'nlon="nan"', "nlon is nan"),
        ('nlon="2"', 'nlon="2.5"', "nlon is 2.5, not a whole number"),
        ('nlon="2"', 'nlon="-2"', "for 4 lines"),
        ('name="PGV"', 'name="PGA"', "the grid_field PGA or its index 4 twice"),
        ('index="4"', 'index="3"', "the grid_field PGV or its index 3 twice"),
    ],
)
def test_damaged_headers_are_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = grid_xml(tmp_path / "g.xml")
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(FormatError, match=words):
        read_shakemap(path)


def test_swapped_longitudes_and_latitudes_are_refused(tmp_path: Path) -> None:
    path = grid_xml(
        tmp_path / "g.xml",
        fields="LAT:dd LON:dd PGA:pctg PGV:cms MMI:intensity",
        bounds=(102, 103),
        rows=("102 1 30 20 6\n103 1 40 25 7\n102 0 10 5 4\n103 0 20 9 5"),
    )
    with pytest.raises(FormatError, match="is not a node of its grid"):
        read_shakemap(path)


@pytest.mark.parametrize("fields", ["LON:dd LAT:dd PGA:pctg PGV:m/s MMI:", "LON:dd LAT:dd PGA:g PGV:cms MMI:"])
def test_a_mislabelled_column_is_noticed_by_the_other(tmp_path: Path, fields: str) -> None:
    rows = "0 1 3 2 6\n1 1 4 2.5 7\n0 0 1 .5 4\n1 0 2 .9 5"
    with pytest.raises(FormatError, match=r"PGA means intensity .* at the median, PGV"):
        read_shakemap(grid_xml(tmp_path / "g.xml", fields=fields, rows=rows))


def test_a_velocity_that_is_the_acceleration_scaled_is_noticed(tmp_path: Path) -> None:
    rows = "0 1 30 30 6\n1 1 40 40 7\n0 0 10 10 4\n1 0 20 20 5"
    with pytest.warns(HazardGeoWarning, match="PGV is PGA times 100 "):
        read_shakemap(grid_xml(tmp_path / "g.xml", rows=rows))


def test_a_station_list_is_named(data_case: Callable[[str], Path]) -> None:
    with pytest.raises(FormatError, match=r"is a station list .*; read it with read_stations"):
        read_shakemap(data_case("wenchuan_stations") / "stationlist.xml")


def test_an_intensity_outside_the_scale_is_unknown_or_refused(tmp_path: Path) -> None:
    with pytest.warns(HazardGeoWarning, match=r"25\.0% of the MMI values are not from 1 to 12"):
        shaking = read_shakemap(grid_xml(tmp_path / "a.xml", rows=ROWS.replace("25 7", "25 70")))
    assert shaking.mmi is not None
    assert np.isnan(shaking.mmi.values).tolist() == [[False, True], [False, False]]
    with pytest.raises(FormatError, match="MMI is 55 at the median"):
        read_shakemap(grid_xml(tmp_path / "b.xml", rows="0 1 30 20 60\n1 1 40 25 70\n0 0 10 5 40\n1 0 20 9 50"))


@pytest.mark.parametrize("mmi", ["0", "nan"])
def test_nodes_where_all_motions_are_0_are_unknown_not_calm(tmp_path: Path, mmi: str) -> None:
    with pytest.warns(HazardGeoWarning, match=r"0 or missing together at 25\.0% of the nodes"):
        shaking = read_shakemap(grid_xml(tmp_path / "g.xml", rows=ROWS.replace("10 5 4", f"0 0 {mmi}")))
    for layer in shaking.layers.values():
        assert np.isnan(layer.values).tolist() == [[False, False], [True, False]]
