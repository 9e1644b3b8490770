"""The one door to folium: an empty map without any network address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MAP_NAME = "map_hazardgeo"


@dataclass(frozen=True, slots=True)
class Shell:
    """The parts of a folium map: the element it is drawn in, and the script that makes it the variable MAP_NAME."""

    body: str
    script: str


def empty_map() -> Shell:
    """A folium map without tiles; its random id is replaced by a fixed one, so that the same input makes the same page."""
    import folium

    m = folium.Map(location=[0, 0], zoom_start=2, tiles=None, prefer_canvas=True, attributionControl=False, zoomSnap=0.25)
    m._id = MAP_NAME.removeprefix("map_")
    m.default_js, m.default_css = [], []
    figure: Any = m.get_root()
    figure.render()
    return Shell(figure.html.render().strip(), "\n" + figure.script.render().strip() + "\n")
