"""Pages that folium wrote, made to work without a network."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from hazardgeo.errors import FormatError, InputError
from hazardgeo.io.files import atomic
from hazardgeo.webmap import assets, policy

_VENDORED = {
    r"/leaflet@1\.9\.\d+/dist/(leaflet\.(?:js|css))$": r"\1",
    r"/(?:jquery-3\.7\.\d+|jquery@3\.7\.\d+/dist/jquery)\.min\.js$": "jquery.min.js",
}
_DROPPED = (  # (end of the address, what the page may then not use, what that is called)
    (r"/bootstrap@5\.[\d.]+/dist/js/bootstrap\.bundle\.min\.js$", r"data-bs-|\bbootstrap\.\w", "Bootstrap's scripts"),
    (r"/bootstrap@5\.[\d.]+/dist/css/bootstrap\.min\.css$", r"(?!)", "Bootstrap's styles"),
    (r"/bootstrap-glyphicons\.css$", r"\bclass=\\?[\"'][^\"'>]*\bglyphicon\b", "glyphicons"),
    (r"/fontawesome-free@6\.[\d.]+/css/all\.min\.css$", r"\bclass=\\?[\"'][^\"'>]*\bfa-", "Font Awesome icons"),
    (r"/leaflet\.awesome-markers\.(?:js|css)$", r"\bAwesomeMarkers\b", "folium.Icon (AwesomeMarkers)"),
    (r"/leaflet\.awesome\.rotate(?:\.min)?\.css$", r"(?!)", "rotated icons"),
)
_TILES = re.compile(r"L\.tileLayer(?:\.wms)?\(\s*[\"']((?:https?:)?//[^\"']*)")
_LOADERS = {"src", "href", "data", "poster", "srcset", "action", "formaction", "background", "xlink:href"}
_LINKS = {"a", "area"}
_SETUP = re.compile(r"\s*(?:(?:L_NO_TOUCH|L_DISABLE_3D) = (?:true|false);\s*)+\Z")
_MAP = re.compile(r"\bL\.map\(")
# What decides where JavaScript is text: whole comments, strings and regular expressions, and the signs of open ones
_IN_CODE = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'"""
    r"""|(?<=[(,=:\[!&|?{;])\s*/(?!\*)(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/"""
    r"""|/\*|["'`{}]""",
    re.DOTALL,
)
_IN_TEMPLATE = re.compile(r"\\.|`|\$\{", re.DOTALL)


def inline(folium_html: str | Path, out: str | Path) -> Path:
    """Write a folium page so that it opens without a network, and return the path written.

    `folium_html` is a file, or the HTML text itself (text that begins with "<"). Leaflet 1.9 and jQuery 3.7 come from
    this package; what folium always asks for but a page seldom uses (Bootstrap, Font Awesome, AwesomeMarkers) is left
    out. A policy in the page lets only the one script that folium writes, its settings and these libraries run, and
    nothing be loaded. Other scripts are refused, as is one that ends within a text, which is what a popup with "</script>"
    makes of it. The page is trusted all the same: folium copies the text of popups and tooltips into its script, where
    "`" or "${" can make it code, and nothing tells that code from folium's own. For text from others use `Map`, which
    shows text as text.

    Raises InputError, naming it, for anything that would need the network or a library that is not here (tile layers,
    plugins, folium.Icon, colour maps) and for further scripts; FormatError for files that cannot be read or written.
    """
    page = _read(folium_html)
    tags = _Tags(page)
    scripts: list[str] = [*tags.scripts]
    _require_offline(tags)
    _require_own_scripts(tags.scripts)
    pieces, at = [], 0
    for start, end, address in tags.assets:
        text = _replacement(address, tags.used)
        pieces += [page[at:start], text]
        if text.startswith("<script>"):
            scripts.append(text.removeprefix("<script>").removesuffix("</script>"))
        at = end
    whole = "".join((*pieces, page[at:]))
    locked = whole[: tags.head_end] + policy.policy_tags(scripts) + whole[tags.head_end :]
    with atomic(out) as temporary:
        temporary.write_bytes(locked.encode("utf-8", "replace"))
    return Path(out)


def _read(folium_html: str | Path) -> str:
    if isinstance(folium_html, str) and folium_html.lstrip().startswith("<"):
        page = folium_html
    else:
        try:
            page = Path(folium_html).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise FormatError(f"page {str(folium_html)!r} cannot be read: {error}; give an HTML file or its text.") from error
    return page.replace("\r\n", "\n").replace("\r", "\n")


class _Tags(HTMLParser):
    """Where a page asks for files, which scripts it carries, and its markup without the text of libraries."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=False)
        self._page = page
        self._lines = [0, *(m.end() for m in re.finditer("\n", page))]
        self._script: list[str] | None = None
        self._asset_start: tuple[int, str] | None = None
        self.assets: list[tuple[int, int, str]] = []
        self.scripts: list[str] = []
        self.others: list[str] = []
        self.head_end = -1
        self.feed(page)
        self.close()

    @property
    def used(self) -> str:
        """All that the page itself writes: its markup and its scripts, without the addresses of the assets."""
        kept, at = [], 0
        for start, end, _ in self.assets:
            kept.append(self._page[at:start])
            at = end
        return "".join((*kept, self._page[at:]))

    def _at(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        start, raw, given = self._at(), self.get_starttag_text() or "", dict(attrs)
        if tag == "head" and self.head_end < 0:
            self.head_end = start + len(raw)
        if tag == "script" and given.get("src"):
            self._asset_start = (start, given["src"] or "")
        elif tag == "script":
            self._script = []
        elif tag == "link" and (given.get("rel") or "").lower() == "stylesheet":
            self.assets.append((start, start + len(raw), given.get("href") or ""))
        else:
            self._note_loads(tag, given)

    def handle_endtag(self, tag: str) -> None:
        if tag != "script":
            return
        if self._asset_start is not None:
            start, address = self._asset_start
            self.assets.append((start, self._page.index(">", self._at()) + 1, address))
            self._asset_start = None
        elif self._script is not None:
            self.scripts.append("".join(self._script))
            self._script = None

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            self._script.append(data)

    def _note_loads(self, tag: str, given: dict[str, str | None]) -> None:
        if tag in _LINKS:
            return
        if tag == "meta" and (given.get("http-equiv") or "").lower() == "refresh":
            self.others.append(f"<meta http-equiv=refresh content={given.get('content')}>")
        for key, value in given.items():
            if key in _LOADERS and value and not value.startswith(("data:", "#", "blob:")):
                self.others.append(value)


def _require_offline(tags: _Tags) -> None:
    if tags.head_end < 0:
        raise InputError("the page has no <head>, so it is not a page that folium saved; give the output of Map.save().")
    tiles = [address for script in tags.scripts for address in _TILES.findall(script)]
    if tiles:
        raise InputError(f"the page draws tiles from {tiles[0]!r}, which needs a network; make the map with tiles=None.")
    if any(re.search("<iframe", script, re.IGNORECASE) for script in tags.scripts):
        raise InputError("the page shows frames (IFrame popups), which the policy of an offline page refuses; use plain popups.")
    if tags.others:
        raise InputError(f"the page loads {tags.others[0][:200]!r}, which needs a network or another file; take it out.")


def _require_own_scripts(scripts: list[str]) -> None:
    """InputError unless the page has, beside the settings of Leaflet, only the one whole script that folium writes."""
    own = [script for script in scripts if not _SETUP.match(script)]
    for script in own:
        if ends_within_text(script) or "</script" in script.lower():
            raise InputError(
                f"the script that begins with {_beginning(script)} ends within a text: a popup, a tooltip or an attribute "
                "holds '</script>' or breaks its quotes; take that out, or use Map, which shows any text."
            )
    others = [script for script in own if not _MAP.search(script)] or own[1:]
    if others:
        raise InputError(
            f"the page has a script that folium's map does not, beginning with {_beginning(others[0])}; take it out."
        )


def _beginning(script: str) -> str:
    return repr(" ".join(script.split())[:60])


def ends_within_text(script: str) -> bool:
    """True where JavaScript ends inside a string, a template literal or a comment.

    >>> ends_within_text("f(`<b>"), ends_within_text("f(`<b>${g({a: '`'})}</b>`) // it's")
    (True, False)
    """
    nested: list[str] = []
    at = 0
    while found := (_IN_TEMPLATE if nested[-1:] == ["`"] else _IN_CODE).search(script, at):
        sign, at = found.group(), found.end()
        if sign in ("'", '"', "/*"):
            return True
        if sign == "}" or (sign == "`" and nested[-1:] == ["`"]):
            del nested[-1:]
        elif sign in ("`", "{", "${"):
            nested.append(sign)
    return "`" in nested


def _replacement(address: str, used: str) -> str:
    for pattern, name in _VENDORED.items():
        match = re.search(pattern, address)
        if match:
            file = match.expand(name)
            return f"<script>{assets.script(file)}</script>" if file.endswith(".js") else f"<style>{assets.style(file)}</style>"
    for pattern, sign, feature in _DROPPED:
        if re.search(pattern, address):
            if re.search(sign, used):
                raise InputError(f"the page uses {feature}, which are not supported offline; use CircleMarker or a plain Marker.")
            return ""
    raise InputError(f"the page asks for {address!r}, which this package does not carry; leave out the plugin that needs it.")
