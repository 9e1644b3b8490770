"""The map of the valley, as somebody opens it from a USB stick."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

FIRST_SITE = """() => {
  let place = null;
  map_hazardgeo.eachLayer(l => { if (l instanceof L.CircleMarker && l.options.radius >= 9) place = l.getLatLng(); });
  const p = map_hazardgeo.latLngToContainerPoint(place), box = map_hazardgeo.getContainer().getBoundingClientRect();
  return [box.x + p.x, box.y + p.y];
}"""


def test_the_map_of_the_valley_opens_without_a_network(demo: tuple[Path, Any], open_page: Callable[..., Any]) -> None:
    page = open_page(demo[0] / "map.html")
    tab = page.tab
    assert "synthetic" in tab.locator("#hg-notice").inner_text().lower()
    pictures = ".leaflet-hg-pictures-pane img"
    shown = tab.locator(pictures).count()
    tab.get_by_label("Level: landslide").uncheck()
    assert tab.locator(pictures).count() == shown - 1
    tab.get_by_label("Level: liquefaction").check()
    assert tab.locator(".hg-sign:visible", has_text="masked by the model").count() > 0
    tab.mouse.click(*tab.evaluate(FIRST_SITE))
    assert "places" in tab.locator(".hg-popup").inner_text()
    page.require_quiet()


def test_the_map_says_what_was_not_assessed(demo: tuple[Path, Any], open_page: Callable[..., Any]) -> None:
    page = open_page(demo[0] / "map.html")
    words = page.tab.locator("#hg-panel").inner_text()
    for said in ("input missing", "Without an assured place", "Not a safe-zone map"):
        assert said in words
