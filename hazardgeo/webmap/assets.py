"""The vendored files that pages carry inside themselves."""

from __future__ import annotations

import base64
import re
from importlib.resources import files

from hazardgeo.webmap.policy import close_safe

_STATIC = files("hazardgeo.webmap") / "static"
_ICONS = {"iconUrl": "marker-icon.png", "iconRetinaUrl": "marker-icon-2x.png", "shadowUrl": "marker-shadow.png"}


def text(name: str) -> str:
    """The text of a static file."""
    return (_STATIC / name).read_text(encoding="utf-8")


def script(name: str) -> str:
    """A script that is safe inside its element; Leaflet's finds its marker icons without a folder of pictures."""
    body = "\n".join(line for line in text(name).splitlines() if not line.startswith("//# sourceMappingURL"))
    return close_safe(body + (_icon_script() if name == "leaflet.js" else "") + "\n")


def style(name: str) -> str:
    """A style sheet with its pictures inside."""

    def embed(match: re.Match[str]) -> str:
        address = match.group(1).strip("\"'")
        return match.group(0) if address.startswith(("#", "data:")) else f"url({data_uri(address.rpartition('/')[2])})"

    return re.sub(r"url\(([^)]*)\)", embed, text(name))


def data_uri(name: str) -> str:
    """A vendored PNG as a data address."""
    return "data:image/png;base64," + base64.b64encode((_STATIC / name).read_bytes()).decode()


def _icon_script() -> str:
    options = ",".join(f"{key}:'{data_uri(name)}'" for key, name in _ICONS.items())
    return (
        f"\nL.Icon.Default.mergeOptions({{{options}}});L.Icon.Default.imagePath='data:,';"
        "L.Icon.Default.prototype._getIconUrl=function(name){return L.Icon.prototype._getIconUrl.call(this,name);};"
    )
