"""Colours of maps and what the legend says about them."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hazardgeo.errors import InputError
from hazardgeo.webmap.texts import number

Ramp = Literal["viridis", "cividis", "grey", "OrRd"]
UNKNOWN_COLOUR = "#9e9e9e"
STOPS: dict[str, tuple[str, ...]] = {
    "viridis": ("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"),
    "cividis": ("#00224e", "#1a386f", "#434e6c", "#61656f", "#7d7c78", "#9b9476", "#bcae6c", "#dec958", "#fee838"),
    "OrRd": ("#fff7ec", "#fee8c8", "#fdd49e", "#fdbb84", "#fc8d59", "#ef6548", "#d7301f", "#b30000", "#7f0000"),
    "grey": ("#000000", "#ffffff"),
}


def require_ramp(ramp: str) -> None:
    """Raise InputError unless `ramp` is one of the four."""
    if ramp not in get_args(Ramp):
        raise InputError(f"unknown colour ramp {ramp!r}; use one of {', '.join(get_args(Ramp))}.")


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue (0-255) of "#rrggbb"."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def ramp_colours(share: NDArray[np.floating[Any]], ramp: str) -> NDArray[np.uint8]:
    """RGB along a ramp, for shares from 0 to 1 (clipped); linear between its stops."""
    stops = np.array([rgb(c) for c in STOPS[ramp]], np.float32)
    table = np.stack([np.interp(np.linspace(0, 1, 256), np.linspace(0, 1, len(stops)), band) for band in stops.T], axis=-1)
    return np.asarray(np.rint(table).astype(np.uint8)[np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)])


def swatch(label: str, colour: str, *, hatched: bool = False, dash: str = "", shape: str = "area") -> dict[str, Any]:
    """One line of a legend: a filled, hatched, dashed or round sign and its label."""
    return {"label": label, "colour": colour, "hatched": hatched, "dash": dash, "shape": shape}


def ramp_bar(ramp: str, limits: tuple[float, float], unit: str, *, below: bool, above: bool) -> dict[str, Any]:
    """The colour bar of a continuous raster; its ends say when values lie beyond them."""
    low, high = (number(float(f"{v:.4g}")) for v in limits)
    return {
        "colours": list(STOPS[ramp]),
        "low": f"{'≤ ' if below else ''}{low}",
        "high": f"{'≥ ' if above else ''}{high}",
        "unit": "" if unit in ("", "1") else unit,
    }


def share_text(share: float) -> str:
    """A share of cells in words that never round something down to nothing or up to everything.

    >>> share_text(0.001), share_text(0.34), share_text(0.9999)
    ('under 1 %', '34 %', 'over 99 %')
    """
    if 0 < share < 0.01:
        return "under 1 %"
    return "over 99 %" if 0.99 < share < 1 else f"{100 * share:.0f} %"
