"""How a raster looks: a small picture for notebooks, and a matplotlib plot."""

from __future__ import annotations

import base64
import html as _html
import io
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hazardgeo.raster.core import Raster

THUMBNAIL_PX = 220
_HATCH_LIGHT, _HATCH_DARK = (235, 235, 235), (190, 190, 190)
_RAMP = np.array([[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]], float)  # viridis, five stops


def html(r: Raster) -> str:
    """A table of what the raster is beside a small picture, for notebooks."""
    buffer = io.BytesIO()
    Image.fromarray(thumbnail(r)).save(buffer, "PNG")
    picture = base64.b64encode(buffer.getvalue()).decode()
    known = r.values[~r.unknown]
    rows = {
        "name": r.name or "unnamed",
        "unit": r.unit or "-",
        "grid": str(r.grid),
        "heights": "" if r.height is None else str(r.height),
        "range": f"{known.min():g} to {known.max():g}" if known.size and known.dtype != bool else "",
        "unknown": f"{r.unknown.mean():.1%} of cells",
        **dict(r.tags),
    }
    cells = "".join(
        f"<tr><th style='text-align:left'>{_html.escape(k)}</th><td>{_html.escape(v)}</td></tr>" for k, v in rows.items() if v
    )
    return (
        f"<div style='display:flex;gap:1em'><img alt='{_html.escape(r.name)}' style='image-rendering:pixelated' "
        f"src='data:image/png;base64,{picture}'><table>{cells}</table></div>"
    )


def thumbnail(r: Raster) -> NDArray[np.uint8]:
    """An RGB picture of at most THUMBNAIL_PX pixels a side; unknown cells are hatched grey."""
    step = max(1, -(-max(r.grid.shape) // THUMBNAIL_PX))
    values, unknown = r.values[::step, ::step], r.unknown[::step, ::step]
    picture = _class_colours(r, values) if r.classes else _ramp_colours(values, unknown)
    diagonal = np.add.outer(np.arange(values.shape[0]), np.arange(values.shape[1])) % 6 < 2
    picture[unknown] = np.where(diagonal[unknown][:, None], _HATCH_DARK, _HATCH_LIGHT)
    return picture


def _class_colours(r: Raster, values: NDArray[Any]) -> NDArray[np.uint8]:
    table = np.full((256, 3), 200, np.uint8)
    for c in r.classes:
        table[c.code] = tuple(bytes.fromhex(c.colour.lstrip("#")))
    return np.asarray(table[values.astype(np.uint8)])


def _ramp_colours(values: NDArray[Any], unknown: NDArray[np.bool_]) -> NDArray[np.uint8]:
    known = values[~unknown].astype(float)
    low, high = np.percentile(known, [2, 98]) if known.size else (0.0, 1.0)
    share = np.clip((np.where(unknown, low, values).astype(float) - low) / ((high - low) or 1.0), 0, 1)
    stops = np.linspace(0, 1, len(_RAMP))
    return np.stack([np.interp(share, stops, _RAMP[:, band]) for band in range(3)], axis=-1).astype(np.uint8)


def plot(r: Raster, ax: Axes | None, **imshow: Any) -> Axes:
    """The raster drawn on `ax` (a new one without) with its unit on the colour bar."""
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    axes = ax if ax is not None else plt.subplots(layout="constrained")[1]
    west, south, east, north = r.grid.bounds
    axes.add_patch(
        Rectangle((west, south), east - west, north - south, facecolor="#ebebeb", edgecolor="#bebebe", hatch="///", lw=0)
    )
    options: dict[str, Any] = {"extent": (west, east, south, north), **imshow}
    if r.classes:
        alpha = np.where(r.unknown, 0, 255).astype(np.uint8)
        axes.imshow(np.dstack([_class_colours(r, r.values), alpha]), **options)
        handles = [Rectangle((0, 0), 1, 1, facecolor=c.colour, label=c.label) for c in r.classes]
        axes.legend(handles=handles, fontsize="small")
    else:
        image = axes.imshow(np.ma.masked_array(r.values, r.unknown), **options)
        axes.figure.colorbar(image, ax=axes, label=f"{r.name} [{r.unit or '-'}]")
    axes.set_title(r.name)
    axes.ticklabel_format(style="plain", useOffset=False)
    return axes
