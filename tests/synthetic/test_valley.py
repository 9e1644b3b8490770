import hashlib
import json
import tomllib
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import geopandas
import laspy
import numpy as np
import pytest
import rasterio
import shapely

from hazardgeo import io, synthetic
from hazardgeo.errors import ConfigError, FormatError
from hazardgeo.raster import rasterize, sample, sample_xy
from hazardgeo.synthetic.scans.registration import from_answer

SEED = 1


@pytest.fixture(scope="module")
def folder(valley: Path) -> Path:
    return valley.parent


@pytest.fixture(scope="module")
def answers(folder: Path) -> dict:
    return json.loads((folder / "truth" / "answers.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def cloud(folder: Path):
    return io.read_cloud(folder / "inputs" / "scan_after.laz")


@pytest.fixture(scope="module")
def after(folder: Path):
    return io.read_raster(folder / "truth" / "dem_after.tif", unit="m")


def _vectors(folder: Path, name: str) -> geopandas.GeoDataFrame:
    return io.read_vector(folder / name)


def _digests(folder: Path) -> dict[str, str]:
    files = (p for p in folder.rglob("*") if p.suffix in {".npy", ".json", ".toml", ".xml", ".tif", ".laz"})
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def _components(lines: geopandas.GeoSeries) -> dict[tuple[float, float], int]:
    """The number of the connected part that every vertex belongs to, by walking over shared vertices."""
    neighbours = defaultdict(set)
    for line in lines:
        vertices = list(line.coords)
        for a, b in pairwise(vertices):
            neighbours[a].add(b)
            neighbours[b].add(a)
    part: dict[tuple[float, float], int] = {}
    for number, start in enumerate(neighbours):
        pending = [start]
        while pending:
            vertex = pending.pop()
            if vertex not in part:
                part[vertex] = number
                pending += neighbours[vertex]
    return part


def test_same_seed_gives_the_same_bytes(folder: Path, tmp_path: Path):
    again = synthetic.valley(tmp_path, seed=SEED).parent

    assert _digests(again) == _digests(folder)
    for name in ("people", "roads", "sites", "mapped_bodies"):
        first, second = (_vectors(f / "inputs", f"{name}.gpkg") for f in (folder, again))
        assert first.drop(columns="geometry").equals(second.drop(columns="geometry"))
        assert first.geometry.geom_equals_exact(second.geometry, 0).all()


@pytest.mark.slow
def test_another_seed_gives_another_valley(after, tmp_path: Path):
    other = io.read_raster(synthetic.valley(tmp_path, seed=SEED + 1).parent / "truth" / "dem_after.tif", unit="m")

    assert np.abs(other.values - after.values).max() > 5.0
    assert other.grid.same_as(after.grid)


def test_scenario_names_inputs_that_exist_and_no_truth(folder: Path):
    scenario = tomllib.loads((folder / "scenario.toml").read_text(encoding="utf-8"))

    assert scenario["crs"] == "EPSG:32648"
    assert "ynthetic" in scenario["notice"]
    assert scenario["ground"] == {"cell_m": 2.0}
    for path in scenario["inputs"].values():
        assert path.startswith("inputs/")
        assert (folder / path).is_file()
    assert set(scenario["inputs"]) == {
        "scan", "shakemap", "shakemap_uncertainty", "lithology", "land_cover", "precipitation", "water_table",
        "saturation", "distance_to_river", "distance_to_coast", "vs30", "bodies", "surveyed", "people", "roads", "sites",
    }  # fmt: skip


def test_inputs_hold_no_truth(folder: Path, cloud):
    assert not cloud.attributes["classification"].any()
    assert "planted" not in _vectors(folder / "inputs", "sites.gpkg").columns
    assert "volume_m3" not in _vectors(folder / "inputs", "mapped_bodies.gpkg").columns
    assert not {p.name for p in (folder / "inputs").iterdir()} & {p.name for p in (folder / "truth").iterdir()}


def test_every_file_of_the_valley_says_synthetic(folder: Path):
    for path in [*folder.rglob("*.tif")]:
        with rasterio.open(path) as dataset:
            assert any("synthetic" in f"{k} {v}" for k, v in dataset.tags().items()), path.name
    for path in folder.rglob("*.gpkg"):
        assert io.read_vector(path)["synthetic"].str.contains("demo valley").all()
    assert "Synthetic" in (folder / "inputs" / "grid.xml").read_text(encoding="utf-8")


def test_deposits_hold_the_bulked_volume_of_their_sources(folder: Path, answers: dict):
    bodies = _vectors(folder / "truth", "landslides.gpkg")
    change = io.read_raster(folder / "truth" / "change_m.tif", unit="m")

    for body, parts in bodies.groupby("body_id"):
        by_part = parts.set_index("part")["volume_m3"]
        bulking = {"flow slide": 1.3, "dam slide": 1.25}.get(parts["kind"].iloc[0], 1.2)
        assert by_part["deposit"] == pytest.approx(bulking * by_part["source"], rel=0.01), body
    for part, sign in (("source", -1), ("deposit", 1)):
        inside = rasterize(bodies[bodies["part"] == part], change.grid).values
        measured = sign * float(change.values[inside].sum(dtype=np.float64)) * 4.0
        assert measured == pytest.approx(bodies.loc[bodies["part"] == part, "volume_m3"].sum(), rel=0.01)
    assert answers["volumes"]["flow_slide_deposit_m3"] == pytest.approx(1.3 * answers["volumes"]["flow_slide_source_m3"])


def test_change_is_the_ground_after_minus_the_ground_before(folder: Path, after):
    before = io.read_raster(folder / "truth" / "dem_before.tif", unit="m")
    change = io.read_raster(folder / "truth" / "change_m.tif", unit="m")

    np.testing.assert_allclose(after.values - before.values, change.values, atol=5e-4)  # float32 at 1,900 m
    assert after.height is not None
    assert after.height.vertical == "EPSG:5737"
    planted = np.zeros(change.grid.shape, bool)
    for name in ("landslides", "cracks", "decoys"):
        planted |= rasterize(_vectors(folder / "truth", f"{name}.gpkg"), change.grid, all_touched=name == "cracks").values
    assert not change.values[~planted].any()


def test_collapses_are_about_180_m2_on_average(folder: Path):
    bodies = _vectors(folder / "truth", "landslides.gpkg")
    areas = bodies[bodies["kind"].isin(["collapse", "slide"])].groupby("body_id")["area_m2"].sum()

    assert 12 <= len(areas) <= 20
    assert areas.mean() == pytest.approx(180.0, rel=0.35)  # few draws of a heavy tail


def test_the_flow_slide_crosses_the_cut_roads_and_mapping_sees_it(folder: Path, answers: dict):
    bodies, roads = _vectors(folder / "truth", "landslides.gpkg"), _vectors(folder / "inputs", "roads.gpkg")
    deposit = bodies[(bodies["kind"] == "flow slide") & (bodies["part"] == "deposit")].union_all()
    cut = roads[roads["road_id"].isin(answers["roads"]["cut_road_ids"])]
    by_flow = cut[cut.intersects(deposit)]

    assert {"Valley Road", "Platform Track"} <= set(by_flow["name"])
    assert by_flow.intersection(deposit).length.max() > 10.0
    assert not roads.loc[~roads["road_id"].isin(cut["road_id"])].intersects(bodies.union_all()).any()
    assert cut.intersects(bodies.union_all()).all()
    assert set(by_flow["road_id"]) <= set(answers["roads"]["cut_road_ids_by_mapped_bodies"])  # small falls may be overlooked


def test_roads_are_one_network_until_the_slide_cuts_off_the_hamlet(folder: Path, answers: dict):
    roads, people = _vectors(folder / "inputs", "roads.gpkg"), _vectors(folder / "inputs", "people.gpkg")
    assert len(set(_components(roads.geometry).values())) == 1

    moved = _vectors(folder / "truth", "landslides.gpkg").union_all()
    lake = _vectors(folder / "truth", "lake.gpkg").union_all()
    wet = roads["road_id"].isin(answers["roads"]["flooded_road_ids"])
    pieces = [
        (shapely.LineString(p), under) for line, under in zip(roads.geometry, wet, strict=True) for p in pairwise(line.coords)
    ]
    dry = [piece for piece, under in pieces if not (piece.intersects(moved) or (under and piece.intersects(lake)))]
    part = _components(geopandas.GeoSeries(dry))
    vertices = sorted({vertex for line in roads.geometry for vertex in line.coords})
    out = {part[vertices[0]], part[vertices[-1]]}  # the valley road leads on in the west and in the east
    nearest = shapely.STRtree(shapely.points(vertices)).nearest(people.geometry.to_numpy())
    isolated = people[[part.get(vertices[i]) not in out for i in nearest]]
    told = answers["roads"]
    assert sorted(set(isolated["village"])) == told["villages_cut_off"]
    assert int(isolated["people"].sum()) == told["people_cut_off"]
    hamlet = isolated[isolated["village"] == told["village_whose_only_road_is_cut"]]
    assert (
        int(hamlet["people"].sum()) == told["people_whose_only_road_is_cut"] == answers["residents_by_village"]["Platform Hamlet"]
    )


def test_bridges_cross_the_river_channel(folder: Path):
    roads = _vectors(folder / "inputs", "roads.gpkg")
    before = io.read_raster(folder / "truth" / "dem_before.tif", unit="m")
    bridges = roads[roads["bridge"].astype(bool)]

    assert len(bridges) == 2
    for line in bridges.geometry:
        ends, middle = sample_xy(before, *np.array(line.coords).T), np.array(line.interpolate(0.5, normalized=True).coords)
        assert ends.min() - sample_xy(before, *middle.T)[0] > 1.0


def test_residents_add_up(folder: Path, answers: dict):
    people = _vectors(folder / "inputs", "people.gpkg")

    assert int(people["people"].sum()) == answers["residents"] == sum(answers["residents_by_village"].values()) == 1200
    assert (people["people"] >= 1).all()
    assert set(people["building_type"]) == {"adobe", "brick", "rc"}


def test_planted_sites_are_where_the_answers_say(folder: Path, answers: dict):
    sites = _vectors(folder / "inputs", "sites.gpkg").set_index("name")
    bodies = _vectors(folder / "truth", "landslides.gpkg").union_all()

    assert answers["sites"]["inside_slide_bodies"] == sites.index[sites.intersects(bodies)].tolist() == ["Gully Mouth School"]
    assert answers["sites"]["not_surveyed"] == ["East Sports Ground"]
    assert sites["toilets"].isna().any()
    assert sites.loc["Terrace Office", "heated_area_m2"] == 0
    assert "Platform Threshing Ground" in answers["sites"]["cut_off"]
    # all heated floors together, at 3.5 m2 a person, hold fewer than half of the residents
    assert sites["heated_area_m2"].sum() / 3.5 < answers["residents"] / 2


def test_ground_points_lie_on_the_ground_of_their_epoch(folder: Path, answers: dict, after):
    before = io.read_raster(folder / "truth" / "dem_before.tif", unit="m")
    moved = from_answer(answers["registration"])
    for epoch, ground in (("before", before), ("after", after)):
        cloud = io.read_cloud(folder / "inputs" / f"scan_{epoch}.laz")
        kind = np.load(folder / "truth" / f"scan_{epoch}_class.npy")
        assert len(kind) == len(cloud)
        assert not cloud.attributes["classification"].any()
        xyz = moved.undone(cloud.xyz) if epoch == "after" else cloud.xyz
        points = xyz[kind == 2]
        error = points[:, 2] - sample_xy(ground, points[:, 0], points[:, 1], how="bilinear")

        assert abs(np.median(error)) < 0.015
        assert np.median(np.abs(error)) < 0.04
        assert {2, 3, 5, 6, 7, 9, 14, 15, 18} <= set(np.unique(kind))


def test_the_scan_misses_what_was_not_surveyed(folder: Path, answers: dict, cloud):
    surveyed = io.read_raster(folder / "truth" / "surveyed.tif")
    xyz = from_answer(answers["registration"]).undone(cloud.xyz)
    inside = sample_xy(surveyed, xyz[:, 0], xyz[:, 1])

    assert (inside == 1).mean() > 1 - 1e-5  # coordinates are kept to the millimetre
    assert 0.9 < (surveyed.values == 1).mean() < 0.98
    assert 1.0 < len(cloud) / 1e6 < 1.5


def test_the_files_of_the_scans_are_las_1_4_with_flight_lines(folder: Path):
    for epoch in ("before", "after"):
        with laspy.open(folder / "inputs" / f"scan_{epoch}.laz") as reader:
            header, points = reader.header, reader.read()
        assert (str(header.version), header.point_format.id) == ("1.4", 6)
        assert header.global_encoding.gps_time_type == laspy.header.GpsTimeType.STANDARD
        assert len(np.unique(points.point_source_id)) >= 5
        assert points.number_of_returns.max() in (3, 4)
        # 2022-12-18 is 1,355,356,800 s after the start of GPS time without leap seconds: 355 million as LAS counts
        assert 3.1e8 < points.gps_time.min() < 3.56e8


def test_the_valley_has_a_gentle_floor_a_steep_scarp_and_a_tableland(folder: Path):
    before = io.read_raster(folder / "truth" / "dem_before.tif", unit="m")
    by_row, by_col = np.gradient(before.values.astype(float), 2.0)
    dip = np.degrees(np.arctan(np.hypot(by_row, by_col)))
    people = _vectors(folder / "inputs", "people.gpkg")
    floor = sample(before, people[people["village"] == "Gully Mouth"])
    platform = sample(before, people[people["village"] == "Platform Hamlet"])

    assert 80 < platform.mean() - floor.mean() < 150
    floor_dip = sample(before.like(dip.astype(np.float32), "dip", "deg"), people[people["village"] == "South Bank"])
    assert np.median(floor_dip) < 3.0
    assert (dip > 50).mean() > 0.01
    assert np.isfinite(before.values).all()


def test_shaking_in_the_valley_is_strong_and_labelled_as_a_scenario(folder: Path, after):
    shaking = io.read_shakemap(folder / "inputs" / "grid.xml")
    local = shaking.on(after.grid)

    assert shaking.event.magnitude == 6.2
    assert shaking.event.identifier in ("", f"synthetic-{SEED}")
    assert local.pga_g is not None
    assert 0.15 < local.pga_g.values.min() <= local.pga_g.values.max() < 1.1
    assert local.pgv_cm_s is not None
    assert 8 < local.pgv_cm_s.values.min() <= local.pgv_cm_s.values.max() < 120
    assert local.vs30_m_s is not None
    assert 250 <= local.vs30_m_s.values.min() <= local.vs30_m_s.values.max() <= 400
    assert 'shakemap_event_type="SCENARIO"' in (folder / "inputs" / "grid.xml").read_text(encoding="utf-8")


def test_model_layers_cover_the_valley_with_known_values(folder: Path, after):
    east, north = after.grid.centres()
    corners = np.array([east[0], east[-1]]), np.array([north[0], north[-1]])
    for name in ("lithology", "land_cover", "precipitation_mm", "water_table_m", "distance_to_river_km", "distance_to_coast_km"):
        layer = io.read_raster(folder / "inputs" / f"{name}.tif")
        assert not layer.unknown.any(), name
        assert np.isfinite(sample_xy(layer, *corners).astype(float)).all()
    water = io.read_raster(folder / "inputs" / "water_table_m.tif")
    people = _vectors(folder / "inputs", "people.gpkg")
    assert np.median(sample(water, people[people["village"] == "South Bank"])) < 4.0
    assert sample(water, people[people["village"] == "Platform Hamlet"]).min() >= 20.0


def test_unknown_size_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="no size 'huge'; choose 'small' or 'full'"):
        synthetic.valley(tmp_path, seed=1, size="huge")  # type: ignore[arg-type]


def test_a_negative_seed_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="seed of the demo valley is -1"):
        synthetic.valley(tmp_path, seed=-1)


def test_a_file_in_the_way_is_refused(tmp_path: Path):
    (tmp_path / "taken").write_text("x")
    with pytest.raises(FormatError, match="taken"):
        synthetic.valley(tmp_path / "taken", seed=1)
