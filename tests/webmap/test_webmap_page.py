from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from html.parser import HTMLParser

import geopandas
import numpy as np
import pytest
import shapely
from affine import Affine

from hazardgeo.errors import FormatError, HazardGeoWarning, InputError
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.webmap import Headline, Map, Style

TWICE = """
import sys, geopandas, numpy as np, shapely
from affine import Affine
from hazardgeo.grid import Grid
from hazardgeo.raster import Raster
from hazardgeo.webmap import Headline, Map, Style
grid = Grid(Affine(10, 0, 370000, 0, -10, 4710000), (40, 60), 32631)
values = np.arange(2400, dtype=np.float32).reshape(40, 60)
paths = [shapely.LineString([(1.4, 42 + i / 99), (1.5, 42)]) for i in range(20)]
lines = geopandas.GeoDataFrame({"s": ["a", "b"] * 10}, geometry=paths, crs=4326)
styles = {"a": Style("#112233", "a"), "b": Style("#445566", "b")}
m = Map("Twice", times={"data": "2023"}, headlines=[Headline("People", "3")]).add_raster(Raster(values, grid), name="r")
print(m.add_vector(lines, name="v", by="s", classes=styles, popup={"s": "S"}).save(sys.argv[1]).sha256)
"""


class Addresses(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.found, self.handlers = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found += [value for key, value in attrs if key in ("src", "href", "data", "srcset", "action", "poster")]
        self.handlers += [key for key, _ in attrs if key.startswith("on")]


def test_two_processes_write_the_same_bytes(tmp_path):
    files = [tmp_path / "a.html", tmp_path / "b.html"]
    printed = [subprocess.run([sys.executable, "-c", TWICE, f], capture_output=True, text=True, check=True).stdout for f in files]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert printed[0].strip() == printed[1].strip() == hashlib.sha256(files[0].read_bytes()).hexdigest()


def test_pages_hold_no_address_no_handler_and_no_random_id(tmp_path, levels, places):
    m = Map("Title", notice="https://example.org/a.png").add_raster(levels, name="levels").add_vector(places, name="places")
    m.save(tmp_path / "m.html")
    page = (tmp_path / "m.html").read_text(encoding="utf-8")
    read = Addresses(page)
    assert read.found == []
    assert read.handlers == []
    assert not re.search(r"[^0-9a-zA-Z+/=][0-9a-f]{32}[^0-9a-zA-Z+/=]", page)
    assert "default-src 'none'" in page
    assert "Copyright (c) 2010-2023, Volodymyr Agafonkin" in page


def test_the_report_gives_the_size_of_the_file_and_its_layers(tmp_path, levels, places):
    target = tmp_path / "m.html"
    report = Map("Title").add_raster(levels, name="levels").add_vector(places, name="places").save(target)
    assert report.bytes == target.stat().st_size
    assert list(report.layers) == ["levels", "places"]
    assert 0 < sum(report.layers.values()) < report.bytes
    assert report.sha256 == hashlib.sha256(target.read_bytes()).hexdigest()
    assert [f.name for f in tmp_path.iterdir()] == ["m.html"]


def test_pages_over_budget_get_coarser_pictures_and_a_warning(tmp_path):
    grid = Grid(Affine(5, 0, 370_000, 0, -5, 4_710_000), (900, 900), 32631)
    noise = Raster(np.random.default_rng(1).random(grid.shape).astype(np.float32), grid, "noise")
    m = Map("Title").add_raster(noise, name="noise")
    fine = m.save(tmp_path / "fine.html")
    with pytest.warns(HazardGeoWarning, match=r"made coarser, \d+ instead of 2048 px.*\(in MB: noise .*raise max_mb=0.5"):
        coarse = m.save(tmp_path / "coarse.html", max_mb=0.5)
    assert coarse.bytes <= 500_000 < fine.bytes
    assert "coarser than the data" in (tmp_path / "coarse.html").read_text(encoding="utf-8")


def test_pages_that_cannot_get_small_enough_are_refused_with_their_sizes(tmp_path, places):
    m = Map("Title").add_vector(places, name="places")
    with pytest.raises(InputError, match=r"needs 0\.\d+ MB.*max_mb=0\.1 \(in MB: places 0\.00, the page without layers"):
        m.save(tmp_path / "m.html", max_mb=0.1)
    with pytest.raises(InputError, match="max_mb is nan"):
        m.save(tmp_path / "m.html", max_mb=float("nan"))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_nothing_behind(tmp_path, places):
    (tmp_path / "m.html").mkdir()
    with pytest.raises(FormatError, match=r"cannot write .*m\.html: it is a folder"):
        Map("Title").add_vector(places, name="places").save(tmp_path / "m.html")
    assert [f.name for f in tmp_path.iterdir()] == ["m.html"]


def test_forty_thousand_road_edges_fit_in_ten_megabytes(tmp_path):
    rng = np.random.default_rng(2)
    start = rng.uniform((370_000, 4_690_000), (395_000, 4_720_000), (40_000, 1, 2))
    walk = start + np.cumsum(rng.normal(0, 15, (40_000, 8, 2)), axis=1)
    roads = geopandas.GeoDataFrame({"s": rng.integers(0, 3, 40_000)}, geometry=shapely.linestrings(walk), crs=32631)
    styles = {i: Style(f"#{i}{i}8844", str(i)) for i in range(3)}
    report = Map("Title").add_vector(roads, name="roads", by="s", classes=styles).save(tmp_path / "m.html", max_mb=10)
    assert report.layers["roads"] < 5e6


def test_layers_have_names_of_their_own_and_maps_a_title(places):
    with pytest.raises(InputError, match="already has a layer 'a'"):
        Map("Title").add_vector(places, name="a").add_vector(places, name="a")
    with pytest.raises(InputError, match="has no name"):
        Map("Title").add_vector(places, name=" ")
    with pytest.raises(InputError, match="has no title"):
        Map("")


def test_pages_without_scripts_still_say_the_figures_and_what_is_missing(tmp_path):
    m = Map("A & B", notice="Synthetic <data>", headlines=[Headline("People", "3", "of 5")], not_assessed=["Rock fall"])
    m.save(tmp_path / "m.html")
    words = re.search("<noscript>(.*?)</noscript>", (tmp_path / "m.html").read_text(encoding="utf-8")).group(1)
    for text in ("A &amp; B", "Synthetic &lt;data&gt;", "People: 3: of 5", "Not assessed: Rock fall", "Not a safe-zone map"):
        assert text in words
