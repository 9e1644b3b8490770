"""One self-contained HTML map file that opens by double click without a network."""

from hazardgeo.webmap.inline import inline
from hazardgeo.webmap.layers import Style
from hazardgeo.webmap.page import Headline, Map, MapReport

__all__ = ["Headline", "Map", "MapReport", "Style", "inline"]
