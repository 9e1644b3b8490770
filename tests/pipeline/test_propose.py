"""Folders as programs write them become scenarios that say what was taken, what was left out, and why."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyproj
import pytest
import rasterio
import shapely
from affine import Affine
from click.testing import CliRunner
from numpy.typing import NDArray

from hazardgeo import cli, io, pipeline
from hazardgeo.cloud import PointCloud
from hazardgeo.errors import FormatError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster

UTM48 = pyproj.CRS(32648)
EAST, NORTH = 302_000.0, 3_953_000.0  # west of Linxia, in zone 48
METADATA = "<ModelMetadata version='1'><SRS>{}</SRS><SRSOrigin>{}</SRSOrigin></ModelMetadata>"
RAW = bytes(range(256))


def slope_points(east: float = EAST, north: float = NORTH, size: int = 40) -> NDArray[np.float64]:
    """Ground points every metre on a plane that rises to the north by 0.3 m/m."""
    y, x = np.mgrid[0:size, 0:size].astype(float)
    return np.column_stack([east + x.ravel() + 0.5, north + y.ravel() + 0.5, 1900.0 + 0.3 * y.ravel()])


def las(path: Path, xyz: NDArray[np.float64] | None = None, crs: pyproj.CRS = UTM48) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    io.write_cloud(PointCloud(slope_points() if xyz is None else xyz, crs), path)


def ply(path: Path, xyz: NDArray[np.float64], faces: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    head = f"ply\nformat ascii 1.0\nelement vertex {len(xyz)}\nproperty double x\nproperty double y\nproperty double z\n"
    head += f"element face {faces}\nproperty list uchar int vertex_indices\n" if faces else ""
    text = head + "end_header\n" + "".join(f"{x:.3f} {y:.3f} {z:.3f}\n" for x, y, z in xyz) + "3 0 1 2\n" * faces
    path.write_text(text, encoding="ascii")


def tif(path: Path, crs: Any = UTM48, cell: float = 2.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    grid = Grid(Affine(cell, 0, EAST, 0, -cell, NORTH + 20 * cell), (20, 20), crs)
    io.write_raster(Raster(np.full((20, 20), 1900.0, np.float32), grid, path.stem, "m"), path)


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "GTiff", "count": 3, "dtype": "uint8", "width": 8, "height": 8, "crs": UTM48.to_wkt()}
    with rasterio.open(path, "w", transform=Affine(1, 0, EAST, 0, -1, NORTH), **profile) as dataset:
        dataset.write(np.zeros((3, 8, 8), np.uint8))


def shapes(path: Path, geometries: list[Any], columns: dict[str, list[Any]] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    geopandas.GeoDataFrame(columns or {}, geometry=geometries, crs=UTM48).to_file(path)


def proposed(folder: Path) -> tuple[dict[str, Any], str]:
    """The scenario document, and all notes in one text."""
    proposal = pipeline.propose(folder)
    return tomllib.loads(proposal.toml), "\n".join(proposal.notes)


def terra(folder: Path) -> None:
    """DJI Terra: a surface model and a picture of the photos, tiles and the merged cloud of the scanner."""
    tif(folder / "map" / "dsm.tif")
    picture(folder / "map" / "result.tif")
    las(folder / "lidars" / "terra_las" / "cloud0.las")
    las(folder / "lidars" / "terra_las" / "cloud1.las", slope_points(EAST + 40))
    merged = np.vstack([slope_points(), slope_points(EAST + 40)])
    las(folder / "lidars" / "terra_las" / "cloud_merged.las", merged)


def pix4d(folder: Path) -> None:
    """Pix4Dmapper: a PLY in local coordinates, with the offset and the CRS beside the parameters."""
    params = folder / "slope" / "1_initial" / "params"
    params.mkdir(parents=True)
    (params / "slope_offset.xyz").write_text(f"{EAST:.3f} {NORTH:.3f} 1800.000\n", encoding="utf-8")
    (params / "slope_wkt.prj").write_text(UTM48.to_wkt("WKT1_ESRI"), encoding="utf-8")
    cloud = folder / "slope" / "2_densification" / "point_cloud" / "slope_group1_densified_point_cloud.ply"
    ply(cloud, slope_points() - [EAST, NORTH, 1800.0])
    tif(folder / "slope" / "3_dsm_ortho" / "1_dsm" / "slope_dsm.tif")
    picture(folder / "slope" / "3_dsm_ortho" / "2_mosaic" / "slope_transparent_mosaic_group1.tif")
    ply(folder / "slope" / "2_densification" / "3d_mesh" / "slope_simplified_3d_mesh.ply", slope_points(0, 0, 4), faces=2)


def odm(folder: Path) -> None:
    las(folder / "odm_georeferencing" / "odm_georeferenced_model.laz")
    coords = f"WGS84 UTM 48N\n{EAST:.0f} {NORTH:.0f}\n0.5 0.5 95.0\n"
    (folder / "odm_georeferencing" / "coords.txt").write_text(coords, encoding="utf-8")
    tif(folder / "odm_dem" / "dsm.tif")
    tif(folder / "odm_dem" / "dtm.tif")
    picture(folder / "odm_orthophoto" / "odm_orthophoto.tif")
    (folder / "odm_texturing").mkdir()
    (folder / "odm_texturing" / "odm_textured_model_geo.obj").write_text("v 1 2 3\n", encoding="utf-8")


def test_terra_gives_the_merged_cloud_once(tmp_path: Path) -> None:
    terra(tmp_path)
    document, notes = proposed(tmp_path)
    assert document["crs"] == "EPSG:32648"
    assert document["inputs"] == {"scan": "lidars/terra_las/cloud_merged.las"}
    assert "cloud0.las: left out, it covers the same ground as cloud_merged.las" in notes
    assert "map/dsm.tif: left out, the terrain comes from scan (cloud_merged.las)" in notes
    assert "map/result.tif: left out, it is a picture, which is not used by any stage yet" in notes


def test_tiles_without_a_merged_cloud_are_taken_together(tmp_path: Path) -> None:
    terra(tmp_path)
    (tmp_path / "lidars" / "terra_las" / "cloud_merged.las").unlink()
    document, notes = proposed(tmp_path)
    assert document["inputs"]["scan"] == {"path": "lidars/terra_las/cloud0.las", "tiles": ["cloud1.las"]}
    assert "cloud1.las: scan, a tile beside cloud0.las" in notes


def test_a_scan_in_tiles_runs_as_one_that_is_whole(tmp_path: Path) -> None:
    terra(tmp_path)
    whole = pipeline.propose(tmp_path).toml
    (tmp_path / "whole.toml").write_text(whole, encoding="utf-8")
    (tmp_path / "lidars" / "terra_las" / "cloud_merged.las").rename(tmp_path / "merged.las.kept")
    (tmp_path / "tiles.toml").write_text(pipeline.propose(tmp_path).toml, encoding="utf-8")
    (tmp_path / "merged.las.kept").rename(tmp_path / "lidars" / "terra_las" / "cloud_merged.las")
    for name in ("whole", "tiles"):
        assert pipeline.check(tmp_path / f"{name}.toml") == []
        pipeline.run(tmp_path / f"{name}.toml", out=tmp_path / "maps" / name, only="ground")
    one, two = (io.read_raster(tmp_path / "maps" / name / "rasters" / "dem.tif") for name in ("whole", "tiles"))
    assert one.grid == two.grid
    np.testing.assert_array_equal(one.values, two.values)


def test_a_missing_tile_is_an_error_not_a_gap(tmp_path: Path) -> None:
    las(tmp_path / "a.las")
    (tmp_path / "scenario.toml").write_text('[inputs.scan]\npath = "a.las"\ntiles = ["b.las"]\n', encoding="utf-8")
    assert any("b.las" in line for line in pipeline.check(tmp_path / "scenario.toml"))
    with pytest.raises(FormatError, match=r"b\.las"):
        pipeline.run(tmp_path / "scenario.toml", out=tmp_path / "out", only="ground")


def test_two_epochs_are_never_joined_and_the_later_is_taken(tmp_path: Path) -> None:
    las(tmp_path / "震前.las")
    las(tmp_path / "震后.las", slope_points(EAST + 3))
    document, notes = proposed(tmp_path)
    assert document["inputs"] == {"scan": "震后.las"}
    assert "震前.las: left out, it covers the same ground as 震后.las or its tiles; choose one of them" in notes


def test_a_cloud_far_away_is_named_as_not_surveyed(tmp_path: Path) -> None:
    las(tmp_path / "a.las")
    las(tmp_path / "b.las", slope_points(EAST + 5000))
    document, notes = proposed(tmp_path)
    assert document["inputs"] == {"scan": "a.las"}
    assert "b.las: left out, it is no tile beside a.las; its ground counts as not surveyed" in notes


def test_pix4d_gives_a_local_cloud_with_its_offset(tmp_path: Path) -> None:
    pix4d(tmp_path)
    document, notes = proposed(tmp_path)
    assert document["inputs"]["scan"] == {
        "path": "slope/2_densification/point_cloud/slope_group1_densified_point_cloud.ply",
        "crs": "EPSG:32648",
        "offset": [EAST, NORTH, 1800.0],
    }
    assert document["crs"] == "EPSG:32648"
    assert "slope_simplified_3d_mesh.ply: left out, it is a 3D model of surfaces, not a cloud" in notes
    assert "slope_dsm.tif: left out, the terrain comes from scan" in notes


def test_odm_gives_its_cloud_and_without_it_the_ground_model(tmp_path: Path) -> None:
    odm(tmp_path)
    document, notes = proposed(tmp_path)
    assert document["inputs"] == {"scan": "odm_georeferencing/odm_georeferenced_model.laz"}
    assert "(.obj) left out: a 3D model of surfaces, not a cloud; export the point cloud as LAS" in notes
    (tmp_path / "odm_georeferencing" / "odm_georeferenced_model.laz").unlink()
    document, notes = proposed(tmp_path)
    assert document["inputs"] == {"dem": "odm_dem/dtm.tif"}
    assert "odm_dem/dsm.tif: left out, dtm.tif is the dem already" in notes
    assert "notice" not in document


def test_a_surface_model_alone_is_taken_and_every_map_says_what_it_is(tmp_path: Path) -> None:
    tif(tmp_path / "map" / "gsddsm.tif")
    proposal = pipeline.propose(tmp_path)
    document = tomllib.loads(proposal.toml)
    assert document["inputs"] == {"dem": "map/gsddsm.tif"}
    assert document["notice"] == "The terrain is a surface model with trees and houses, not the bare ground."
    assert "# surface model (DSM)\n" in proposal.toml


def test_contextcapture_tiles_in_folders_of_their_own(tmp_path: Path) -> None:
    production = tmp_path / "Productions" / "Production_1"
    las(production / "Data" / "Tile_000" / "Tile_000.las")
    las(production / "Data" / "Tile_001" / "Tile_001.las", slope_points(EAST, NORTH + 40))
    (production / "metadata.xml").write_text(METADATA.format("EPSG:32648", f"{EAST},{NORTH},1800"), encoding="utf-8")
    document, _ = proposed(tmp_path)
    assert document["inputs"]["scan"]["tiles"] == ["../Tile_001/Tile_001.las"]


def test_a_tangent_plane_is_named_with_the_export_to_make(tmp_path: Path) -> None:
    (tmp_path / "metadata.xml").write_text(METADATA.format("ENU:35.7,102.8", "0,0,0"), encoding="utf-8")
    ply(tmp_path / "Data" / "Tile_0.ply", slope_points(0, 0, 4))
    document, notes = proposed(tmp_path)
    assert "metadata.xml says that the coordinates are on a plane that touches the Earth" in notes
    assert document["inputs"] == {"scan": "Data/Tile_0.ply"}  # without a CRS, which check asks for
    assert "crs" not in document


def test_metashape_clouds_take_crs_and_origin_of_their_metadata(tmp_path: Path) -> None:
    wkt = UTM48.to_wkt("WKT1_GDAL")
    (tmp_path / "metadata.xml").write_text(METADATA.format(wkt, f"{EAST},{NORTH},0"), encoding="utf-8")
    (tmp_path / "site.psx").write_text("<document/>", encoding="utf-8")
    ply(tmp_path / "dense.ply", slope_points(0, 0, 4))
    document, notes = proposed(tmp_path)
    assert document["inputs"]["scan"] == {"path": "dense.ply", "crs": "EPSG:32648", "offset": [EAST, NORTH, 0.0]}
    assert "1 file (.psx) left out: a project of Agisoft Metashape; export from it" in notes


@pytest.mark.parametrize("product", [terra, pix4d, odm])
def test_new_check_and_run_go_through(product: Any, tmp_path: Path) -> None:
    folder = tmp_path / "成果 2023"
    product(folder)
    road = shapely.LineString([(EAST + 5, NORTH + 5), (EAST + 35, NORTH + 35)])
    shapes(folder / "道路.gpkg", [road])
    for arguments in (
        ["new", str(folder)],
        ["check", str(folder / "scenario.toml")],
        ["run", str(folder / "scenario.toml"), "--out", str(tmp_path / "maps")],
    ):
        outcome = CliRunner().invoke(cli.group, arguments, standalone_mode=False)
        assert outcome.exception is None, outcome.exception
        assert not outcome.return_value, outcome.output
    dem = io.read_raster(tmp_path / "maps" / "rasters" / "dem.tif")
    assert dem.grid.crs == UTM48
    slope = io.read_raster(tmp_path / "maps" / "rasters" / "slope.tif")
    inner = slope.values[8:-8, 8:-8]
    assert np.nanmedian(inner) == pytest.approx(np.degrees(np.arctan(0.3)), abs=0.5)
    assert 1899 < np.nanmin(dem.values) < np.nanmax(dem.values) < 1913


def test_chinese_names_are_understood(tmp_path: Path) -> None:
    area = shapely.box(EAST, NORTH, EAST + 30, NORTH + 30)
    tif(tmp_path / "积石山高程.tif")
    shapes(tmp_path / "道路.shp", [shapely.LineString([(EAST, NORTH), (EAST + 30, NORTH)])])
    shapes(tmp_path / "等高线.shp", [shapely.LineString([(EAST, NORTH), (EAST + 30, NORTH)])])
    shapes(tmp_path / "村庄.gpkg", [area.centroid], {"人口": [120]})
    shapes(tmp_path / "避难场所.gpkg", [area.centroid], {"capacity_people": [300]})
    shapes(tmp_path / "滑坡.gpkg", [area])
    shapes(tmp_path / "调查范围.gpkg", [area])
    document, _ = proposed(tmp_path)
    paths = {name: entry if isinstance(entry, str) else entry["path"] for name, entry in document["inputs"].items()}
    assert paths == {
        "dem": "积石山高程.tif",
        "roads": "道路.shp",
        "people": "村庄.gpkg",
        "sites": "避难场所.gpkg",
        "bodies": "滑坡.gpkg",
        "surveyed": "调查范围.gpkg",
    }


def test_the_layers_of_one_file_are_told_apart(tmp_path: Path) -> None:
    tif(tmp_path / "dem.tif")
    line = geopandas.GeoDataFrame(geometry=[shapely.LineString([(EAST, NORTH), (EAST + 9, NORTH)])], crs=UTM48)
    point = geopandas.GeoDataFrame({"population": [7]}, geometry=[shapely.Point(EAST, NORTH)], crs=UTM48)
    line.to_file(tmp_path / "all.gpkg", layer="roads")
    point.to_file(tmp_path / "all.gpkg", layer="villages")
    document, _ = proposed(tmp_path)
    assert document["inputs"]["roads"] == {"path": "all.gpkg", "layer": "roads"}
    assert document["inputs"]["people"] == {"path": "all.gpkg", "layer": "villages"}


def test_a_second_file_for_an_input_is_a_choice_in_a_comment(tmp_path: Path) -> None:
    tif(tmp_path / "dem.tif")
    for name in ("roads_a.gpkg", "roads_b.gpkg"):
        shapes(tmp_path / name, [shapely.LineString([(EAST, NORTH), (EAST + 9, NORTH)])])
    proposal = pipeline.propose(tmp_path)
    assert '# could also be: roads_b.gpkg\nroads = "roads_a.gpkg"' in proposal.toml
    assert "roads_b.gpkg: left out, roads_a.gpkg is the roads already; choose one of them" in proposal.notes


SHAKEMAP = """<?xml version="1.0"?>
<shakemap_grid event_id="a" shakemap_id="a" shakemap_version="1" shakemap_originator="us" shakemap_event_type="ACTUAL">
<event event_id="a" magnitude="6.2" depth="10" lat="35.7" lon="102.8" event_timestamp="2023-12-18T15:59:30UTC"/>
<grid_specification lon_min="102.0" lat_min="35.0" lon_max="103.0" lat_max="36.0" nominal_lon_spacing="1"
 nominal_lat_spacing="1" nlon="2" nlat="2"/>
<grid_field index="1" name="LON" units="dd"/><grid_field index="2" name="LAT" units="dd"/>
<grid_field index="3" name="{}" units="{}"/>
<grid_data>102 36 5\n103 36 6\n102 35 7\n103 35 8\n</grid_data></shakemap_grid>
"""


def test_a_shakemap_goes_with_its_uncertainties_and_before_an_intensity_map(tmp_path: Path) -> None:
    tif(tmp_path / "dem.tif")
    (tmp_path / "grid.xml").write_text(SHAKEMAP.format("PGA", "pctg"), encoding="utf-8")
    (tmp_path / "uncertainty.xml").write_text(SHAKEMAP.format("STDPGA", "ln(pctg)"), encoding="utf-8")
    (tmp_path / "dem.tif.aux.xml").write_text("<PAMDataset/>", encoding="utf-8")
    shapes(tmp_path / "烈度图.gpkg", [shapely.box(EAST, NORTH, EAST + 30, NORTH + 30)], {"烈度": ["Ⅷ度区"]})
    document, notes = proposed(tmp_path)
    assert document["inputs"]["shakemap"] == "grid.xml"
    assert document["inputs"]["shakemap_uncertainty"] == "uncertainty.xml"
    assert "烈度图.gpkg: left out, the shaking comes from the ShakeMap" in notes
    (tmp_path / "grid.xml").unlink()
    assert "uncertainty.xml: left out, there is no grid.xml beside it" in proposed(tmp_path)[1]


def test_an_intensity_map_asks_for_its_earthquake(tmp_path: Path) -> None:
    tif(tmp_path / "dem.tif")
    shapes(tmp_path / "烈度图.gpkg", [shapely.box(EAST, NORTH, EAST + 30, NORTH + 30)], {"烈度": ["Ⅷ度区"]})
    proposal = pipeline.propose(tmp_path)
    document = tomllib.loads(proposal.toml)
    assert document["inputs"]["isoseismals"] == "烈度图.gpkg"
    assert "event" not in document
    assert "# [event]\n# magnitude =\n" in proposal.toml


def test_a_scale_that_nothing_states_is_asked_for(tmp_path: Path) -> None:
    tif(tmp_path / "dem.tif")
    shapes(tmp_path / "isoseismals.gpkg", [shapely.box(EAST, NORTH, EAST + 30, NORTH + 30)], {"intensity": [8]})
    proposal = pipeline.propose(tmp_path)
    assert tomllib.loads(proposal.toml)["inputs"]["isoseismals"] == "isoseismals.gpkg"
    assert "# state scale = 'csi' (Chinese) or 'mmi' in its table" in proposal.toml


def test_a_chinese_register_of_shelters_is_read_by_its_columns(tmp_path: Path) -> None:
    tif(tmp_path / "dem.tif")
    (tmp_path / "安置点.csv").write_text("名称,经度,纬度,可容纳人数\n一中,102.8,35.7,300\n", encoding="gb18030")
    document, _ = proposed(tmp_path)
    assert document["inputs"]["sites"] == "安置点.csv"


def test_json_of_other_kinds_is_passed_over(tmp_path: Path) -> None:
    tif(tmp_path / "dem.tif")
    (tmp_path / "mission.json").write_text('{"drone": "M300"}', encoding="utf-8")
    assert "mission.json" in proposed(tmp_path)[1]


def test_building_footprints_are_named_as_not_used(tmp_path: Path) -> None:
    tif(tmp_path / "dem.tif")
    shapes(tmp_path / "buildings.gpkg", [shapely.box(EAST, NORTH, EAST + 9, NORTH + 9)])
    assert "buildings.gpkg: left out, it holds building footprints, which are not used by any stage yet" in proposed(tmp_path)[1]


def test_a_cut_cloud_is_not_taken_before_a_whole_one(tmp_path: Path) -> None:
    las(tmp_path / "a.las")
    whole = (tmp_path / "a.las").read_bytes()
    (tmp_path / "a.las").write_bytes(whole[: len(whole) // 2])
    las(tmp_path / "b.las", slope_points(EAST + 40))
    document, notes = proposed(tmp_path)
    assert document["inputs"] == {"scan": "b.las"}
    assert "a.las: left out, " in notes


def test_many_files_with_one_reason_share_a_line(tmp_path: Path) -> None:
    tif(tmp_path / "dem.tif")
    for i in range(12):
        shapes(tmp_path / f"roads{i:02}.gpkg", [shapely.LineString([(EAST, NORTH), (EAST + 9, NORTH)])])
    notes = pipeline.propose(tmp_path).notes
    shared = [note for note in notes if "roads00.gpkg is the roads already" in note]
    assert len(shared) == 1
    assert "roads08.gpkg and 3 more: left out" in shared[0]


def test_raw_scans_alone_are_refused_with_the_export_to_make(tmp_path: Path) -> None:
    for i in range(12):
        (tmp_path / f"ScanPos{i:03}.rxp").write_bytes(RAW)
    (tmp_path / "DJI_20231220_0001.LDR").write_bytes(RAW)
    with pytest.raises(
        FormatError, match=r"12 files \(\.rxp\) left out: a raw scan of a RIEGL scanner; export LAS 1\.4"
    ) as caught:
        pipeline.propose(tmp_path)
    assert "(.ldr) left out: raw data of a DJI Zenmuse laser scanner; export LAS from DJI Terra" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_raw_scans_beside_data_are_counted_by_kind(tmp_path: Path) -> None:
    tif(tmp_path / "dem.tif")
    for name in ("a.fls", "b.fls", "c.jpg", "d.7z", "e.xyz"):
        (tmp_path / name).write_bytes(RAW)
    _, notes = proposed(tmp_path)
    assert "2 files (.fls) left out: a raw scan or project of a FARO scanner; export" in notes
    assert "1 file (.jpg) left out: photos and films are not used by any stage yet" in notes
    assert "1 file (.7z) left out: packed files; unpack them into this folder" in notes
    assert "1 file (.xyz) left out: points as text" in notes


def test_packed_shapes_are_read_and_other_archives_are_to_be_unpacked(tmp_path: Path) -> None:
    tif(tmp_path / "dem.tif")
    shapes(tmp_path / "packed" / "roads.shp", [shapely.LineString([(EAST, NORTH), (EAST + 9, NORTH)])])
    shutil.make_archive(str(tmp_path / "roads"), "zip", tmp_path / "packed")
    shutil.rmtree(tmp_path / "packed")
    (tmp_path / "odm").mkdir()
    (tmp_path / "odm" / "log.txt").write_text("a", encoding="utf-8")
    shutil.make_archive(str(tmp_path / "all"), "zip", tmp_path / "odm")
    document, notes = proposed(tmp_path)
    assert document["inputs"]["roads"] == "roads.zip"
    assert "all.zip: left out, it holds packed files; unpack them into this folder" in notes


def test_a_damaged_statement_does_not_hide_the_rest(tmp_path: Path) -> None:
    las(tmp_path / "a.las")
    (tmp_path / "metadata.xml").write_text("<ModelMetadata><SRS>", encoding="utf-8")
    document, notes = proposed(tmp_path)
    assert document["inputs"] == {"scan": "a.las"}
    assert "metadata.xml is not XML" in notes
    assert str(tmp_path) not in notes


def test_a_file_name_cannot_break_the_scenario(tmp_path: Path) -> None:
    tif(tmp_path / "dem.tif")
    for name in ('roads "a".gpkg', "roads\nscan = 1.gpkg"):
        shapes(tmp_path / name, [shapely.LineString([(EAST, NORTH), (EAST + 9, NORTH)])])
    document, _ = proposed(tmp_path)
    assert set(document["inputs"]) == {"dem", "roads"}


def test_an_empty_folder_and_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"holds no file that can be used: give \.las"):
        pipeline.propose(tmp_path)
    with pytest.raises(FormatError, match="there is no folder"):
        pipeline.propose(tmp_path / "no")


def test_results_of_a_run_are_not_proposed(tmp_path: Path) -> None:
    tif(tmp_path / "dem.tif")
    tif(tmp_path / "maps" / "rasters" / "dtm.tif")
    (tmp_path / "maps" / "manifest.json").write_text("{}", encoding="utf-8")
    assert proposed(tmp_path)[0]["inputs"] == {"dem": "dem.tif"}


@pytest.mark.parametrize("name", ["dem_diff", "DoD_dem", "dem_aspect", "dem_std", "高程异常", "dem坡向", "geoid_dem"])
def test_what_is_derived_from_terrain_is_no_terrain(name: str, tmp_path: Path) -> None:
    tif(tmp_path / f"{name}.tif")
    tif(tmp_path / "zz_dem.tif")
    assert proposed(tmp_path)[0]["inputs"] == {"dem": "zz_dem.tif"}


def test_a_distance_without_a_unit_is_proposed_with_a_note(tmp_path: Path) -> None:
    tif(tmp_path / "dem.tif")
    tif(tmp_path / "river_distance.tif")
    with rasterio.open(tmp_path / "river_distance.tif", "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        dataset.set_band_unit(1, "")
    document, notes = proposed(tmp_path)
    assert document["inputs"]["distance_to_river"] == "river_distance.tif"
    assert "it does not state its unit; set unit = 'm' or 'km' in its table" in notes
