"""A run whose shaking is an intensity map: what it says inside the zones, and that it says nothing outside."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas
import pytest
import shapely
import tomli_w

from hazardgeo import io, pipeline
from hazardgeo.errors import ConfigError, InputError
from hazardgeo.levels import LEVELS, LOW, MODERATE
from hazardgeo.pipeline import Manifest
from hazardgeo.raster import Raster

Demo = tuple[Path, Manifest]
EVENT = {"magnitude": 6.2, "longitude": 102.8, "latitude": 35.7, "depth_km": 10.0, "time": "2022-12-18T15:59:30Z"}


def edge_in_the_middle(surface: Raster) -> float:
    """Easting of the edge between cells that is nearest to the middle."""
    return surface.grid.bounds[0] + surface.grid.cell[0] * (surface.grid.shape[1] // 2)


def scenario(valley: Path, demo: Demo, folder: Path, change: Callable[[dict[str, Any]], None] = lambda _: None) -> Path:
    """The valley on its DEM, with zones VII and VIII over its western half in place of the ShakeMap."""
    dem = io.read_raster(demo[0] / "rasters" / "dem.tif")
    west, south, _, north = dem.grid.bounds
    middle = edge_in_the_middle(dem)
    shapes = [shapely.box(west - 9e3, south - 9e3, middle, north + 9e3), shapely.box(west, south, (west + middle) / 2, north)]
    zones = geopandas.GeoDataFrame({"烈度": ["Ⅶ度区", "Ⅷ度区"]}, geometry=shapes, crs=dem.grid.crs)
    zones.to_crs(4326).to_file(folder / "烈度图.geojson")
    document = tomllib.loads(valley.read_text(encoding="utf-8"))
    document["inputs"] = {name: str(valley.parent / path) for name, path in document["inputs"].items()}
    del document["inputs"]["scan"], document["inputs"]["shakemap"], document["ground"]
    del document["inputs"]["shakemap_uncertainty"]  # it belongs to the ShakeMap
    document["inputs"] |= {"dem": str(demo[0] / "rasters" / "dem.tif"), "isoseismals": "烈度图.geojson"}
    document |= {"event": EVENT, "shaking": {"source": "isoseismals"}}
    change(document)
    path = folder / "scenario.toml"
    path.write_text(tomli_w.dumps(document), encoding="utf-8")
    return path


def test_nothing_outside_the_zones_is_called_safe(valley: Path, demo: Demo, tmp_path: Path) -> None:
    path = scenario(valley, demo, tmp_path)
    assert pipeline.check(path) == []
    manifest = pipeline.run(path, out=tmp_path / "out")
    assert [s.status for s in manifest.stages if s.name in ("shaking", "landslide", "liquefaction", "demand")] == ["done"] * 4
    pga = io.read_raster(tmp_path / "out" / "rasters" / "shaking_pga_g.tif")
    east = pga.grid.centres()[0] > edge_in_the_middle(pga)
    said = f"{east.mean():.1%} of the terrain lies outside the isoseismals; its shaking is unknown"
    assert 0.499 < east.mean() < 0.501
    assert any(said in w for w in manifest.warnings)
    assert pga.unknown[:, east].all()
    assert sorted(set(pga.values[:, ~east].ravel().tolist())) == pytest.approx([1.35 / 9.80665, 2.79 / 9.80665])

    known_safe = [label.code for label in LEVELS if label.code in (LOW, MODERATE)]
    for hazard in ("landslide", "liquefaction", "loess_flow_slide"):
        shown = io.read_raster(tmp_path / "out" / "rasters" / f"level_{hazard}.tif").values
        assert not set(shown[:, east].ravel().tolist()) & set(known_safe), hazard
        assert set(shown[:, ~east].ravel().tolist()) & set(known_safe), hazard

    middle = sum(pga.grid.bounds[::2]) / 2
    people, sites, roads = (geopandas.read_file(tmp_path / "out" / "layers.gpkg", layer=n) for n in ("people", "sites", "roads"))
    outside = people[people.geometry.x > middle]
    assert len(outside)
    assert outside["staying_people"].sum() == 0
    assert outside["not_assessed_people"].sum() + outside["must_leave_people"].sum() == outside["people"].sum()
    assert people["staying_people"].sum() > 0
    assert "open" not in set(sites.loc[sites.geometry.bounds["minx"] > middle, "status"])
    assert "open" not in set(roads.loc[roads.geometry.bounds["minx"] > middle, "status"])
    assert "open" in set(roads["status"])


def test_the_model_does_not_stand_in_for_a_missing_intensity_map(valley: Path, demo: Demo, tmp_path: Path) -> None:
    path = scenario(valley, demo, tmp_path, lambda d: d["inputs"].pop("isoseismals"))
    manifest = pipeline.run(path, out=tmp_path / "out", only="shaking")
    shaking = next(s for s in manifest.stages if s.name == "shaking")
    assert (shaking.status, shaking.reason) == ("skipped", "[shaking] source = 'isoseismals' needs inputs.isoseismals")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.pop("event"), "isoseismals give no magnitude and no time; add an \\[event\\]"),
        (lambda d: d.pop("shaking"), "set source = 'isoseismals' in \\[shaking\\]"),
        (lambda d: (d["inputs"].update(shakemap="grid.xml"), d.pop("event")), "names shakemap and isoseismals"),
    ],
)
def test_scenarios_that_do_not_say_where_the_shaking_comes_from_are_refused(
    change: Callable[[dict[str, Any]], None], words: str, valley: Path, demo: Demo, tmp_path: Path
) -> None:
    path = scenario(valley, demo, tmp_path, change)
    with pytest.raises(ConfigError, match=words):
        pipeline.run(path, out=tmp_path / "out")


def test_zones_far_from_the_terrain_are_refused(valley: Path, demo: Demo, tmp_path: Path) -> None:
    path = scenario(valley, demo, tmp_path)
    far = geopandas.GeoDataFrame({"烈度": [8]}, geometry=[shapely.box(10, 40, 11, 41)], crs=4326)
    far.to_file(tmp_path / "烈度图.geojson")
    with pytest.raises(InputError, match="the isoseismals do not reach the terrain"):
        pipeline.run(path, out=tmp_path / "out", only="shaking")
