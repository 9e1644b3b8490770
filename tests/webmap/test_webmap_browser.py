"""Maps in a real browser, opened from a file with every network request refused."""

from __future__ import annotations

import io

import geopandas
import numpy as np
import pytest
import shapely
from PIL import Image

from hazardgeo.raster import ClassLabel, Raster
from hazardgeo.webmap import Headline, Map, Style

pytestmark = pytest.mark.browser

STATUS = {"open": Style("#1b7837", "open"), "closed": Style("#b2182b", "closed", dash="3 3")}
RUN = "(window.__x = window.__x || []).push(1)"
PAYLOADS = [
    f'<img src=x onerror="{RUN}">',
    f"</script><script>{RUN}</script>",
    f"<script>{RUN}</script>",
    f"<!--<script>{RUN}",
    "${" + RUN + "}",
    "`);" + RUN + ";(`",
    "');" + RUN + ";('",
    '"></title><meta http-equiv="refresh" content="0;url=https://example.org/gone">',
    '<iframe src="https://example.org/frame"></iframe><link rel=prefetch href="https://example.org/p">',
    '<svg onload="' + RUN + '"><style>*{background:url(https://example.org/s)}</style></svg>',
    f"javascript:{RUN}",
    "\\u003cscript\\u003e \u2028 \u2029 \u202e \x00 汉字",
]
CLICK_SHAPE = """kind => { const found = [];
  map_hazardgeo.eachLayer(l => { if (l instanceof L[kind] && l.getLatLng) found.push(l.getLatLng()) });
  const p = map_hazardgeo.latLngToContainerPoint(found[0]), r = map_hazardgeo.getContainer().getBoundingClientRect();
  return [p.x + r.x, p.y + r.y] }"""


def pictures(tab):
    return tab.locator(".leaflet-hg-pictures-pane img").count()


SCREEN_PLACE = """([lat, lng]) => { const p = map_hazardgeo.latLngToContainerPoint([lat, lng]);
  const r = map_hazardgeo.getContainer().getBoundingClientRect(); return [p.x + r.x, p.y + r.y] }"""


def pixel(tab, lat, lng):
    """Colour under a place on the screen."""
    x, y = tab.evaluate(SCREEN_PLACE, [lat, lng])
    shot = np.asarray(Image.open(io.BytesIO(tab.screenshot())).convert("RGB"))
    return shot[round(y), round(x)]


@pytest.mark.parametrize("payload", [*PAYLOADS[:3], " ".join(PAYLOADS), " ".join(reversed(PAYLOADS))], ids=range(5))
def test_text_at_any_door_is_shown_and_never_runs(tmp_path, open_page, levels, places, payload):
    classes = (
        ClassLabel(1, payload, "#fef0d9"),
        ClassLabel(4, payload, "#d7301f"),
        ClassLabel(10, payload, "#b39ddb", hatched=True),
    )
    raster = Raster(levels.values, levels.grid, payload, payload, classes=classes)
    surface = Raster(np.ones(levels.grid.shape, np.float32), levels.grid, payload, payload)
    rows = places.assign(**{payload: payload})
    m = Map(
        payload,
        notice=payload,
        event=payload,
        times={payload: payload},
        headlines=[Headline(payload, payload, payload)],
        not_assessed=[payload],
    )
    m.add_raster(raster, name=payload, note=payload).add_raster(surface, name=f"2 {payload}", note=payload)
    m.add_vector(
        rows,
        name=f"3 {payload}",
        by=payload,
        classes={payload: Style("#1b7837", payload)},
        popup={payload: payload},
        radius_px=9,
        note=payload,
    )
    m.save(tmp_path / "m.html")
    page = open_page(tmp_path / "m.html")
    page.tab.mouse.click(*page.tab.evaluate(CLICK_SHAPE, "CircleMarker"))
    page.tab.wait_for_selector(".hg-popup")
    page.tab.wait_for_timeout(100)
    assert page.tab.evaluate("window.__x") is None
    assert page.tab.evaluate("map_hazardgeo.getZoom()") > 3
    assert page.tab.locator("#hg-panel h1").evaluate("e => e.textContent") == payload
    assert page.tab.locator(".hg-popup td").evaluate("e => e.textContent") == payload
    assert page.tab.locator("#hg-panel img, #hg-panel script, #hg-panel iframe, .hg-popup img, .hg-popup script").count() == 0
    page.require_quiet()


def test_layers_switch_and_popups_open(tmp_path, open_page, levels, places):
    m = Map("Valley", notice="Synthetic data").add_raster(levels, name="Levels")
    m.add_vector(places, name="Shelters", by="status", classes=STATUS, popup={"name": "Name", "capacity": "People"}, radius_px=9)
    m.save(tmp_path / "m.html")
    page = open_page(tmp_path / "m.html")
    tab = page.tab
    assert pictures(tab) == 1
    assert tab.locator(".hg-sign", has_text="not assessed").is_visible()
    tab.get_by_label("Levels").uncheck()
    assert pictures(tab) == 0
    assert not tab.locator(".hg-sign", has_text="not assessed").is_visible()
    tab.get_by_label("Levels").check()
    tab.mouse.click(*tab.evaluate(CLICK_SHAPE, "CircleMarker"))
    assert tab.locator(".hg-popup td").all_inner_texts() in (["School", "120"], ["Hall", "45"], ["Gym", "300"])
    assert tab.locator("#hg-notice").inner_text() == "Synthetic data"
    page.require_quiet()


def test_opacity_changes_the_picture(tmp_path, open_page, levels):
    Map("Valley").add_raster(levels, name="Levels", opacity=0.5).save(tmp_path / "m.html")
    page = open_page(tmp_path / "m.html")
    image = page.tab.locator(".leaflet-hg-pictures-pane img")
    assert image.evaluate("e => e.style.opacity") == "0.5"
    page.tab.locator(".hg-opacity input").fill("1")
    assert image.evaluate("e => e.style.opacity") == "1"
    page.require_quiet()


def test_colours_lie_where_the_data_say(tmp_path, open_page, levels):
    Map("Valley").add_raster(levels, name="Levels", opacity=1).save(tmp_path / "m.html")
    page = open_page(tmp_path / "m.html")
    corners = geopandas.GeoSeries(
        shapely.points([370_100, 370_900, 370_100], [4_709_100, 4_709_800, 4_710_015]), crs=32631
    ).to_crs(4326)
    (low, high, outside) = (pixel(page.tab, p.y, p.x).tolist() for p in corners)
    assert low == [0xFE, 0xF0, 0xD9]
    assert high == [0xD7, 0x30, 0x1F]
    assert outside == [0xE9, 0xED, 0xF1]
    unknown = geopandas.GeoSeries([shapely.Point(370_300, 4_709_700)], crs=32631).to_crs(4326)[0]
    shade = pixel(page.tab, unknown.y, unknown.x)
    assert np.ptp(shade.astype(int)) < 4
    assert shade.max() < 235


def test_vectors_lie_where_the_data_say(tmp_path, open_page):
    square = geopandas.GeoDataFrame(geometry=[shapely.box(370_000, 4_709_000, 371_000, 4_710_000)], crs=32631)
    holed = square.assign(geometry=square.difference(shapely.box(370_400, 4_709_400, 370_600, 4_709_600)))
    Map("Valley").add_vector(holed, name="Area", classes={None: Style("#000000", "area")}).save(tmp_path / "m.html")
    page = open_page(tmp_path / "m.html")
    inside, hole = geopandas.GeoSeries(shapely.points([370_200, 370_500], [4_709_200, 4_709_500]), crs=32631).to_crs(4326)
    assert pixel(page.tab, inside.y, inside.x).max() < 140
    assert pixel(page.tab, hole.y, hole.x).tolist() == [0xE9, 0xED, 0xF1]
    page.require_quiet()


def test_shapes_without_a_value_are_hatched(tmp_path, open_page):
    square = geopandas.GeoDataFrame({"s": [None]}, geometry=[shapely.box(1, 42, 1.01, 42.01)], crs=4326)
    Map("Valley").add_vector(square, name="Area", by="s", classes=STATUS, popup={"s": "Status"}).save(tmp_path / "m.html")
    page = open_page(tmp_path / "m.html")
    shades = {tuple(pixel(page.tab, 42.005, 1.005 + i * 2e-5).tolist()) for i in range(12)}
    assert len(shades) > 1
    assert page.tab.locator(".hg-sign").all_inner_texts() == ["open (0)", "closed (0)", "unknown (1)"]


def test_empty_maps_and_layers_still_open(tmp_path, open_page):
    nothing = geopandas.GeoDataFrame({"s": []}, geometry=[], crs=4326)
    Map("Valley").add_vector(nothing, name="Nothing", by="s", classes=STATUS, popup={"s": "S"}).save(tmp_path / "m.html")
    page = open_page(tmp_path / "m.html")
    page.require_quiet()
    Map("Bare").save(tmp_path / "bare.html")
    open_page(tmp_path / "bare.html").require_quiet()


def test_on_a_phone_the_map_comes_first_and_the_panel_unfolds(tmp_path, open_page, levels):
    Map("Valley", notice="Synthetic").add_raster(levels, name="Levels").save(tmp_path / "m.html")
    phone = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
    page = open_page(tmp_path / "m.html", **phone)
    assert page.tab.locator("#hg-notice").is_visible()
    assert not page.tab.locator("#hg-content").is_visible()
    assert page.tab.locator(".folium-map").bounding_box()["height"] > 600
    page.tab.locator(".hg-fold").tap()
    assert page.tab.locator("#hg-content").is_visible()
    assert page.tab.evaluate("document.documentElement.scrollWidth") <= 390
    page.require_quiet()
