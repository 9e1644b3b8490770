"""Lists of strong-motion stations: CSV tables with units in their headers, and the station lists of ShakeMap (JSON, XML)."""

from __future__ import annotations

import math
import re
import unicodedata
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hazardgeo.errors import HazardGeoWarning, InputError, MissingColumnError
from hazardgeo.event import intensity_from_pga, intensity_from_pgv
from hazardgeo.io import files
from hazardgeo.io.shaking.station_list import Station, from_json, from_xml, number
from hazardgeo.io.vector.read import read_vector

COLUMNS = ("station", "name", "network", "pga_g", "pgv_cm_s", "mmi", "vs30_m_s", "distance_km", "components")
_G = 980.665
_UNITS: Mapping[str, Mapping[str, float]] = {
    "pga": {
        **dict.fromkeys(("gal", "gals", "cm/s2", "cm/s/s", "cms-2"), 1 / _G),
        **dict.fromkeys(("m/s2", "m/s/s", "ms-2"), 100 / _G),
        **dict.fromkeys(("%g", "pctg"), 0.01),
        "mg": 1e-3,
        "g": 1.0,
    },
    "pgv": {**dict.fromkeys(("cm/s", "cms", "cms-1", "kine"), 1.0), "m/s": 100.0, "mm/s": 0.1},
    "vs30": {"m/s": 1.0, "": 1.0},
    "distance": {"km": 1.0, "": 1.0, "m": 1e-3},
    "mmi": {"": 1.0, "mmi": 1.0},
}
_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (  # the first that fits counts: 加速度 holds 速度
    ("vs30", ("vs30",)),
    ("pga", ("pga", "加速度", "acceleration", "acc")),
    ("pgv", ("pgv", "速度", "velocity", "vel")),
    ("distance", ("distance", "dist", "repi", "rhypo", "rrup", "距")),
    ("mmi", ("mmi",)),
)
_COMPONENTS = {
    "E": ("ew", "e-w", "e_w", "东西"),
    "N": ("ns", "n-s", "n_s", "南北"),
    "Z": ("ud", "u-d", "u_d", "vertical", "垂直", "竖"),
}
_TEXTS = {
    "station": ("station", "station_code", "code", "stationid", "station_id", "台站代码", "台站编号", "台站", "台号", "站代码"),
    "name": ("name", "station_name", "台站名称", "台站名", "名称", "站名"),
    "network": ("network", "net", "netid", "台网", "台网代码"),
}
_LETTER = re.compile(r"(?:pga|pgv|acc|vel)[\s_-]?([envz]|h[12])\s*$")
_LETTERS = {"e": "E", "n": "N", "z": "Z", "v": "Z", "h1": "1", "h2": "2"}
_MOST_G = 3.0
_LEAST_LARGEST_G = 0.001  # about what people begin to feel
_MOST_INTENSITIES_APART = 3.0


def read_stations(path: str | Path, *, units: Mapping[str, str] | None = None, source_crs: Any = None) -> gpd.GeoDataFrame:
    """Stations in WGS 84 with pga_g, pgv_cm_s, mmi, vs30_m_s, distance_km, station, name, network and components.

    Reads tables (CSV and what read_vector reads as points) and the station lists of ShakeMap (stationlist.json and
    stationlist.xml, also packed). Units of a table stand in its headers: "PGA(gal)", "PGA_EW (cm/s²)", "峰值加速度(cm/s2)",
    "PGV(cm/s)"; `units` states or overrules them by column, as {"PGA": "gal"}. Of components (EW, NS, UD; E, N, Z) the
    larger horizontal one counts (RotD50, which newer ground-motion models use, is somewhat smaller); the vertical one never
    does, and `components` names those that were there. Distances are those of the list, of whatever kind.

    Intensities of felt reports are read as mmi; motions derived from them, and Chinese instrumental intensities, are not.
    A peak of 0 is unknown. Flagged amplitudes, stations without any value and rows given twice are left out and counted,
    in a HazardGeoWarning and in attrs ("flagged", "left_out", "duplicates").

    Raises InputError for a PGA or PGV column without a unit, negative peaks (peaks are magnitudes), a column of zeros only,
    more than 3 g, PGA and PGV that mean intensities 3 or more apart (Worden et al. 2012, doi:10.1785/0120110156) or are one
    another scaled, two columns of one quantity, two stations of one code with different values, coordinates that are no
    degrees; MissingColumnError, FormatError.
    """
    source = files.existing(path)
    kind = _kind(source)
    if units and kind != "table":
        raise InputError(f"{source} states its units itself; leave units= away.")
    stations = {"json": from_json, "xml": from_xml}[kind](source) if kind != "table" else _from_table(source, units, source_crs)
    table = _table(stations)
    _require_plausible(table, source)
    return _without_empty_and_double(table, source, sum(s.flagged for s in stations))


def _kind(path: Path) -> str:
    with path.open("rb") as stream:
        head = stream.read(512).lstrip(b"\xef\xbb\xbf \t\r\n")
    name = path.name.lower()
    if (head.startswith(b"<?xml") and b"<kml" not in head) or name.endswith((".xml", ".xml.gz", ".xml.zip")):
        return "xml"
    return "json" if name.endswith(".json") and head.startswith(b"{") else "table"


@dataclass(frozen=True, slots=True)
class _Header:
    """What a column of a table holds: the quantity, the component ("" where it is the peak of the station), the factor."""

    column: str
    quantity: str
    component: str
    factor: float


def _from_table(path: Path, units: Mapping[str, str] | None, source_crs: Any) -> list[Station]:
    """The stations of a table whose headers state quantities and units."""
    table = read_vector(path, source_crs=source_crs, crs="EPSG:4326")
    unknown = [c for c in units or {} if c not in table.columns]
    if unknown:
        raise MissingColumnError(f"{path} has no column {unknown[0]!r}; it has {', '.join(map(str, table.columns[:20]))}.")
    found = [_header(str(c), units or {}, path) for c in table.columns if c != table.geometry.name]
    headers = [h for h in found if h is not None]
    if not any(h.quantity in ("pga", "pgv", "mmi") for h in headers):
        listed = ", ".join(map(str, table.columns[:20]))
        raise MissingColumnError(f"{path} has no PGA, PGV or MMI; name them as 'PGA(gal)' or state units= (it has {listed}).")
    for i, header in enumerate(headers):
        twin = next((h for h in headers[:i] if (h.quantity, h.component) == (header.quantity, header.component)), None)
        if twin is not None and header.quantity in ("pga", "pgv", "mmi"):
            raise InputError(
                f"{path}: columns {twin.column!r} and {header.column!r} both hold {header.quantity}; name their components "
                "(EW, NS, UD), or leave one out."
            )
        _require_numbers(table[header.column], header, path)
    plain = {_plain(str(c)): str(c) for c in reversed(list(table.columns))}
    texts = {key: next((plain[n] for n in names if n in plain), None) for key, names in _TEXTS.items()}
    shapes = table.geometry
    if not (shapes.geom_type == "Point").all():
        raise InputError(f"{path} holds shapes that are not points; stations are points.")
    return [
        _table_station(row, x, y, headers, texts) for row, x, y in zip(table.to_dict("records"), shapes.x, shapes.y, strict=True)
    ]


def _table_station(
    row: Mapping[Any, Any], longitude: float, latitude: float, headers: Iterable[_Header], texts: Mapping[str, str | None]
) -> Station:
    found = Station(longitude, latitude)
    found.texts = {key: "" if c is None or pd.isna(row[c]) else str(row[c]).strip() for key, c in texts.items()}
    names = {"vs30": "vs30_m_s", "distance": "distance_km", "mmi": "mmi"}
    for header in headers:
        value = number(row[header.column]) * header.factor
        if header.quantity in names:
            found.numbers[names[header.quantity]] = value
        elif not math.isnan(value):
            (found.pga if header.quantity == "pga" else found.pgv)[header.component or "H"] = value
    return found


def _header(column: str, units: Mapping[str, str], path: Path) -> _Header | None:
    """What a column holds by its name; None for columns that are no measurement."""
    text = unicodedata.normalize("NFKC", column).strip()
    bare, unit = _split_unit(text)
    quantity = next((q for q, words in _WORDS if any(_has(bare, w) for w in words)), None)
    component = next((c for c, words in _COMPONENTS.items() if any(_has(bare, w) for w in words)), "")
    letter = _LETTER.search(bare)
    component = component or (_LETTERS[letter.group(1)] if letter else "")
    if quantity is None and component:
        quantity = next((q for q in ("pga", "pgv") if unit in _UNITS[q]), None)
    stated = units.get(column)
    if stated is not None:
        unit = _plain_unit(stated)
        quantity = quantity or next((q for q in ("pga", "pgv") if unit in _UNITS[q]), None)
    if quantity is None:
        return None
    if quantity in ("pga", "pgv") and not unit:
        raise InputError(
            f"{path}: column {column!r} does not state its unit; state it with units={{{column!r}: 'gal'}} (or g, %g, cm/s ...)."
        )
    if unit not in _UNITS[quantity]:
        raise InputError(
            f"{path}: column {column!r} is in {unit!r}, which is not known; use {', '.join(u for u in _UNITS[quantity] if u)}."
        )
    return _Header(column, quantity, component, _UNITS[quantity][unit])


def _split_unit(text: str) -> tuple[str, str]:
    """A header without its unit, and the unit: in brackets, behind a slash, or as its last words ("pga_cm_s2")."""
    low = text.lower()
    bracketed = re.search(r"[(\[]([^()\[\]]*)[)\]]", low)
    if bracketed:
        return low.replace(bracketed.group(0), " "), _plain_unit(bracketed.group(1))
    tail = re.search(r"[\s_/](gals?|cm[_/ ]?s\^?2|cm/s/s|m[_/ ]?s\^?2|cm[_/ ]?s|m[_/ ]s|mm/s|%g|pctg|pct_?g|mg|g|km|m)$", low)
    if tail:
        return low[: tail.start()], _plain_unit(re.sub(r"^(cm|m)[_ ]s", r"\1/s", tail.group(1)))
    return low, ""


def _plain_unit(unit: str) -> str:
    return re.sub(r"[\s^*·]|\*\*", "", unicodedata.normalize("NFKC", unit).lower()).replace("sec", "s").replace("pct_g", "pctg")


def _has(text: str, word: str) -> bool:
    """Whether a header holds a word: Chinese anywhere, Latin letters not within other letters."""
    return word in text if ord(word[0]) > 127 else re.search(rf"(?<![a-z]){re.escape(word)}(?![a-z])", text) is not None


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().lower().replace(" ", "_")


def _require_numbers(column: pd.Series[Any], header: _Header, path: Path) -> None:
    """InputError for text among numbers, negative peaks and columns of zeros."""
    numbers = pd.to_numeric(column, errors="coerce")
    wrong = column.notna() & numbers.isna()
    if wrong.any():
        i = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"{path}: {header.column} = {column.iloc[i]!r} of row {i + 1} is not a number; leave unknown cells empty."
        )
    if header.quantity not in ("pga", "pgv"):
        return
    if (numbers < 0).any():
        i = int(np.flatnonzero(numbers < 0)[0])
        raise InputError(
            f"{path}: {header.column} = {numbers.iloc[i]:g} of row {i + 1} is negative; peaks are magnitudes, so give absolute "
            "values, and leave unknown cells empty."
        )
    if numbers.notna().any() and not numbers[numbers.notna()].any():
        raise InputError(f"{path}: {header.column} is 0 in all rows, so it holds no measurement; leave the column out.")


def _table(stations: list[Station]) -> gpd.GeoDataFrame:
    """One row for each station, with the larger horizontal peaks."""
    rows = [
        {
            **{key: s.texts.get(key, "") for key in ("station", "name", "network")},
            "pga_g": _larger_horizontal(s.pga),
            "pgv_cm_s": _larger_horizontal(s.pgv),
            **{key: s.numbers.get(key, math.nan) for key in ("mmi", "vs30_m_s", "distance_km")},
            "components": "".join(sorted(c for c in {*s.pga, *s.pgv} if c != "H")),
        }
        for s in stations
    ]
    for s in stations:
        if not (abs(s.longitude) <= 360 and abs(s.latitude) <= 90):
            place = f"{s.longitude:g}, {s.latitude:g}"
            raise InputError(f"station {s.texts.get('station', '')!r} lies at {place}, which are no degrees; correct its place.")
    points = gpd.points_from_xy([s.longitude for s in stations], [s.latitude for s in stations])
    return gpd.GeoDataFrame(pd.DataFrame(rows, columns=list(COLUMNS)), geometry=points, crs="EPSG:4326")


def _larger_horizontal(peaks: Mapping[str, float]) -> float:
    """The largest of the peaks that are not vertical, NaN where there is none; 0 is no measurement."""
    found = max((value for component, value in peaks.items() if component != "Z"), default=math.nan)
    return found if found != 0 else math.nan


def _require_plausible(table: gpd.GeoDataFrame, path: Path) -> None:
    """InputError for values that no earthquake makes, with the unit that they look like."""
    pga, pgv = table["pga_g"].to_numpy(float), table["pgv_cm_s"].to_numpy(float)
    for name, values in (("PGA", pga), ("PGV", pgv)):
        if (values < 0).any():
            raise InputError(f"{path}: {name} of station {table['station'].iloc[int(np.argmax(values < 0))]!r} is negative.")
    top = np.nanmax(pga, initial=-np.inf)
    if top > _MOST_G:
        i = int(np.nanargmax(pga))
        raise InputError(
            f"{path}: PGA of station {table['station'].iloc[i] or i + 1!r} would be {top:g} g, more than any record; the column "
            "looks like gal (cm/s2) or %g, state it with units=."
        )
    _require_one_motion(pga, pgv, path)
    if 0 < top < _LEAST_LARGEST_G:
        message = f"{path}: the largest PGA is {top:.2g} g, which nobody feels; check the unit of the column."
        warnings.warn(message, HazardGeoWarning, stacklevel=3)


def _require_one_motion(pga_g: NDArray[np.float64], pgv_cm_s: NDArray[np.float64], path: Path) -> None:
    """InputError where PGA and PGV cannot be peaks of the same records."""
    both = (pga_g > 0) & (pgv_cm_s > 0)
    if not both.any():
        return
    pga, pgv = pga_g[both], pgv_cm_s[both]
    by_pga, by_pgv = float(np.median(intensity_from_pga(pga))), float(np.median(intensity_from_pgv(pgv)))
    if abs(by_pga - by_pgv) >= _MOST_INTENSITIES_APART:
        raise InputError(
            f"{path}: PGA means intensity {by_pga:.1f} at the median, PGV {by_pgv:.1f}; the unit of one of them is wrong, "
            "state it with units=."
        )
    ratio = pgv / pga
    if len(pga) > 2 and pga.max() > 1.1 * pga.min() and ratio.max() < 1.01 * ratio.min():
        raise InputError(
            f"{path}: PGV is PGA times {np.median(ratio):.3g} everywhere, so it is no velocity; leave the column out."
        )


def _without_empty_and_double(table: gpd.GeoDataFrame, path: Path, flagged: int) -> gpd.GeoDataFrame:
    """The stations that say something, each once; counts of the others in a warning and in attrs."""
    values = ["pga_g", "pgv_cm_s", "mmi"]
    empty = table[values].isna().all(axis=1)
    kept = table[~empty]
    keys = kept.assign(x=kept.geometry.x, y=kept.geometry.y)
    double = keys.duplicated(["station", "x", "y", *values])
    kept = kept[~double]
    codes = kept["station"][kept["station"] != ""]
    if codes.duplicated().any():
        code = codes[codes.duplicated()].iloc[0]
        raise InputError(f"{path}: station {code!r} is there twice with different values; keep the right row.")
    counts = {"flagged": flagged, "left_out": int(empty.sum()), "duplicates": int(double.sum())}
    words = {"flagged": "flagged amplitudes", "left_out": "stations without a value", "duplicates": "rows given twice"}
    said = [f"{n} {words[key]}" for key, n in counts.items() if n]
    if said:
        warnings.warn(f"{path}: {', '.join(said)} of {len(table)} rows are left out.", HazardGeoWarning, stacklevel=3)
    if kept.empty:
        raise InputError(f"{path} holds no station with a value; check the file.")
    result = kept.reset_index(drop=True)
    result.attrs = counts
    return result
