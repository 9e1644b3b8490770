"""The map page: title, figures, layers and legend in one file that asks nothing of any network."""

from __future__ import annotations

import hashlib
import html
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas

from hazardgeo.errors import HazardGeoWarning, InputError
from hazardgeo.io.files import atomic
from hazardgeo.raster import Raster
from hazardgeo.webmap import assets, policy, shell
from hazardgeo.webmap.layers import RasterLayer, Style, VectorLayer, raster_layer, vector_layer
from hazardgeo.webmap.legend import Ramp
from hazardgeo.webmap.picture import MAX_PX
from hazardgeo.webmap.texts import json_block

DISCLAIMER = (
    "Not a safe-zone map: a place without a warning is not known to be safe, and hatched places were not assessed. "
    "Models and surveys can be wrong. Check on the ground before acting."
)
_TIME_LABELS = {"event": "Event", "data": "Data", "analysis": "Analysis"}
_SIDES_PX = (MAX_PX, 1448, 1024, 724, 512)
_PAGE = "the page without layers"


@dataclass(frozen=True, slots=True)
class Headline:
    """A figure that a reader must see first: what it is, its value with the unit, and what it rests on."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class MapReport:
    """What was written: size of the file and of each layer in bytes, and the sha256 of the file."""

    bytes: int
    layers: Mapping[str, int]
    sha256: str


class Map:
    """A map page in the making; add layers in the order in which they are drawn, then save.

    Rasters lie below vectors. `notice` stays visible at the top of the page: say there what is synthetic or assumed.
    `times` are shown as given ("event", "data" and "analysis" by name); no other date gets into the page. Texts may hold
    anything: they are shown as text and never run. The same input makes the same bytes.

    >>> from hazardgeo.webmap import Headline, Map
    >>> m = Map("Valley after the earthquake", headlines=[Headline("People without a place", "120", "38 not assessed")])
    """

    def __init__(
        self,
        title: str,
        *,
        notice: str = "",
        event: str = "",
        times: Mapping[str, str] | None = None,
        headlines: Sequence[Headline] = (),
        not_assessed: Sequence[str] = (),
    ) -> None:
        if not title.strip():
            raise InputError("the map has no title; say in a few words what it shows.")
        self._texts: dict[str, Any] = {
            "title": title,
            "notice": notice,
            "event": event,
            "times": [[_TIME_LABELS.get(key, str(key)), str(value)] for key, value in (times or {}).items()],
            "headlines": [[h.label, h.value, h.note] for h in headlines],
            "not_assessed": [str(item) for item in not_assessed],
            "disclaimer": DISCLAIMER,
        }
        self._layers: list[RasterLayer | VectorLayer] = []

    def add_raster(
        self,
        r: Raster,
        *,
        name: str,
        shown: bool = True,
        opacity: float = 0.75,
        ramp: Ramp = "viridis",
        limits: tuple[float, float] | None = None,
        note: str = "",
    ) -> Map:
        """Add a picture of `r` and return the map.

        Class rasters (uint8, bool) are drawn in the colours of their classes, which stand from the gentlest to the gravest:
        by nearest cell, and by the gravest cell where the picture is too coarse to show each (the layer says so). There
        the last plain class goes before the hatched ones, and these before the others. Surfaces are drawn along
        `ramp` between `limits` (by default the 2nd and 98th percentile of the known cells). Unknown cells and hatched
        classes are drawn as an opaque hatch; what lies outside the grid is clear. Pictures have at most 2048 cells a
        side, and the layer says so where that is coarser than the data. For a base without a network add
        `terrain.hillshade(dem)` first, with ramp="grey" and opacity=1.

        Raises InputError for ids (int32), codes without a label, areas across the antimeridian or beyond latitude 85.05.
        """
        self._require_new(name)
        self._layers.append(raster_layer(r, name=name, shown=shown, opacity=opacity, note=note, ramp=ramp, limits=limits))
        return self

    def add_vector(
        self,
        gdf: geopandas.GeoDataFrame,
        *,
        name: str,
        by: str | None = None,
        classes: Mapping[Any, Style] | None = None,
        popup: Mapping[str, str] | None = None,
        shown: bool = True,
        radius_px: float = 5,
        note: str = "",
    ) -> Map:
        """Add the shapes of `gdf`, in any CRS, and return the map.

        `by` names the column whose values choose a Style in `classes`; later classes are drawn above earlier ones, and
        rows without a value are hatched as "unknown". `popup` maps columns to the words shown for them when a shape is
        clicked. Coordinates are rounded to a millionth of a degree (0.11 m north). Entries without geometry are not
        drawn, and the layer says how many.

        Raises CrsError without a CRS, MissingColumnError, and InputError for values that `classes` does not name,
        geometry collections, more than 300,000 shapes, and places across the antimeridian or beyond latitude 85.05.
        """
        self._require_new(name)
        options = {"shown": shown, "radius_px": radius_px, "note": note}
        layer = vector_layer(gdf, name=name, by=by, classes=classes or {}, popup=popup or {}, **options)  # type: ignore[arg-type]
        self._layers.append(layer)
        return self

    def save(self, path: str | Path, *, max_mb: float = 15.0) -> MapReport:
        """Write the page and return its size, the size of each layer and its sha256.

        15 MB is what mail and slow office PCs still bear. Over `max_mb`, pictures are made coarser step by step, with a
        HazardGeoWarning; if that does not suffice, InputError lists the sizes and nothing is written. The file appears
        complete or not at all; FormatError where it cannot be written.
        """
        if not max_mb > 0:
            raise InputError(f"max_mb is {max_mb}; give a positive number of megabytes.")
        full_mb = 0.0
        for side_px in _SIDES_PX:
            blocks = [json_block(layer.data(side_px)) for layer in self._layers]
            page = self._page(blocks).encode("utf-8")
            sizes = {layer.name: len(block.encode("utf-8")) for layer, block in zip(self._layers, blocks, strict=True)}
            mb = len(page) / 1e6
            full_mb = full_mb or mb
            if mb <= max_mb:
                break
        listed = ", ".join(
            f"{name} {size / 1e6:.2f}" for name, size in (*sizes.items(), (_PAGE, len(page) - sum(sizes.values())))
        )
        if mb > max_mb:
            raise InputError(
                f"the map needs {mb:.2f} MB even with pictures of {side_px} px, more than max_mb={max_mb:g} (in MB: {listed}); "
                "leave out layers or popup columns, or raise max_mb."
            )
        if side_px < MAX_PX:
            warnings.warn(
                f"the pictures of map {Path(path).name} were made coarser, {side_px} instead of {MAX_PX} px a side, to bring it "
                f"from {full_mb:.2f} to {mb:.2f} MB (in MB: {listed}); raise max_mb={max_mb:g} to keep them.",
                HazardGeoWarning,
                stacklevel=2,
            )
        with atomic(path) as temporary:
            temporary.write_bytes(page)
        return MapReport(len(page), sizes, hashlib.sha256(page).hexdigest())

    def _require_new(self, name: str) -> None:
        if not name.strip():
            raise InputError("a layer has no name; give one with name=.")
        if any(layer.name == name for layer in self._layers):
            raise InputError(f"the map already has a layer {name!r}; give each layer its own name.")

    def _page(self, blocks: list[str]) -> str:
        empty = shell.empty_map()
        meta = {**self._texts, "layers": len(blocks), "view": self._view()}
        scripts = [assets.script("leaflet.js"), policy.close_safe(empty.script), assets.script("panel.js")]
        data = [("hg-page", json_block(meta)), *((f"hg-layer-{i}", block) for i, block in enumerate(blocks))]
        return "".join(
            (
                '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
                policy.policy_tags(scripts),
                '<meta name="viewport" content="width=device-width,initial-scale=1">',
                f"<title>{html.escape(self._texts['title'])}</title>",
                f"<style>{assets.style('leaflet.css')}</style><style>{assets.style('panel.css')}</style></head>\n<body>",
                self._plain_words(),
                empty.body,
                *(f'\n<script type="application/json" id="{key}">{block}</script>' for key, block in data),
                f'\n<script type="text/plain" id="hg-licences">{html.escape(assets.text("LICENSES.md"))}</script>',
                *(f"\n<script>{script}</script>" for script in scripts),
                "\n</body></html>\n",
            )
        )

    def _plain_words(self) -> str:
        """What is readable where scripts do not run, as in a mail preview."""
        t = self._texts
        figures = [": ".join(filter(None, (label, value, note))) for label, value, note in t["headlines"]]
        missing = [f"Not assessed: {item}" for item in t["not_assessed"]]
        lines = [t["notice"], t["event"], *figures, *missing, t["disclaimer"], "The map needs a browser with JavaScript."]
        words = "".join(f"<p>{html.escape(line)}</p>" for line in lines if line)
        return f"<noscript><h1>{html.escape(t['title'])}</h1>{words}</noscript>"

    def _view(self) -> list[list[float]] | None:
        """[[south, west], [north, east]] around the layers that are shown first, else around all."""
        drawn = [layer for layer in self._layers if layer.bounds is not None]
        shown = [layer for layer in drawn if layer.shown] or drawn
        boxes = [layer.bounds for layer in shown if layer.bounds is not None]
        if not boxes:
            return None
        west, south, east, north = (f(side) for f, side in zip((min, min, max, max), zip(*boxes, strict=True), strict=True))
        return [[south, west], [north, east]]
