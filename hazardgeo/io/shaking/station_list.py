"""Stations as ShakeMap lists them: stationlist.json and stationlist.xml."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from hazardgeo.errors import FormatError
from hazardgeo.io import files
from hazardgeo.io.shaking.packed import MOST_BYTES, xml_of

_FELT = ("DYFI", "MMI", "INTENSITY", "CIIM")  # networks of felt reports
_UNITS = {
    "pga": {"%g": 0.01, "pctg": 0.01, "g": 1.0},
    "pgv": {"cm/s": 1.0, "cms": 1.0},
    "mmi": {"intensity": 1.0, "mmi": 1.0, "": 1.0},
}


@dataclass(slots=True)
class Station:
    """One station as read: its texts and numbers, and the peaks by component (E, N, Z, H where none is named) in g and cm/s."""

    longitude: float
    latitude: float
    texts: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    pga: dict[str, float] = field(default_factory=dict)
    pgv: dict[str, float] = field(default_factory=dict)
    flagged: int = 0


def from_json(path: Path) -> list[Station]:
    """The stations of a ShakeMap stationlist.json (ShakeMap Manual 4, "stationlist.json")."""
    if path.stat().st_size > MOST_BYTES:
        raise FormatError(f"{path} is larger than any station list; check which file this is.")
    try:
        document = json.loads(path.read_bytes())
        return [_json_station(feature, path) for feature in document["features"]]
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} is not valid JSON: {files.one_line(error)}; fetch it again.") from None
    except (KeyError, TypeError, AttributeError):
        raise FormatError(
            f"{path} is not a ShakeMap station list; fetch its stationlist.json, or name a GeoJSON of your own .geojson."
        ) from None


def _json_station(feature: Mapping[str, Any], path: Path) -> Station:
    properties = feature["properties"]
    longitude, latitude = (float(v) for v in feature["geometry"]["coordinates"][:2])
    texts = {"station": str(feature.get("id") or properties["code"]), "name": str(properties.get("name") or "")}
    found = Station(longitude, latitude, {**texts, "network": str(properties.get("network") or "")})
    found.numbers = {"vs30_m_s": number(properties.get("vs30")), "distance_km": number(properties.get("distance"))}
    for channel in properties["channels"]:
        for amplitude in channel["amplitudes"]:
            kind, flag = str(amplitude["name"]).lower(), str(amplitude.get("flag") or "0")
            if kind not in ("pga", "pgv", "mmi"):
                continue
            _note(found, kind, str(channel["name"]), number(amplitude.get("value")), flag, _factor(kind, amplitude, path))
    return found


def _factor(kind: str, amplitude: Mapping[str, Any], path: Path) -> float:
    unit = str(amplitude.get("units") or "").strip().lower()
    if unit not in _UNITS[kind]:
        raise FormatError(f"{path}: a {kind} is in {amplitude.get('units')!r}, which is not known; fetch the file again.")
    return _UNITS[kind][unit]


def from_xml(path: Path) -> list[Station]:
    """The stations of a ShakeMap stationlist.xml: PGA in percent g, PGV in cm/s; its entities are refused."""
    data = xml_of(path, wanted="stationlist.xml")
    parser = expat.ParserCreate(namespace_separator=" ")
    stations: list[Station] = []
    at = {"component": "", "complete": ""}

    def start(tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(" ")[2]
        if name == "station":
            stations.append(_xml_station(attributes, path))
        elif name == "comp":
            at["component"] = attributes.get("name", "")
        elif name in ("pga", "acc", "pgv", "vel") and stations:
            kind = "pga" if name in ("pga", "acc") else "pgv"
            value, flag = number(attributes.get("value")), attributes.get("flag") or "0"
            _note(stations[-1], kind, at["component"], value, flag, 0.01 if kind == "pga" else 1.0)

    def end(tag: str) -> None:
        if tag.rpartition(" ")[2] == "stationlist":
            at["complete"] = "yes"

    def refuse(*_: object) -> None:
        raise FormatError(f"{path} declares entities, which a station list never does; it is not read. Fetch the original.")

    parser.StartElementHandler, parser.EndElementHandler, parser.EntityDeclHandler = start, end, refuse
    try:
        parser.Parse(data, False)
    except (expat.ExpatError, LookupError, ValueError) as error:
        if not at["complete"]:
            raise FormatError(f"{path} is not readable XML: {files.one_line(error)}; fetch it again.") from None
    if not at["complete"]:
        raise FormatError(f"{path} is not a whole ShakeMap station list; fetch the stationlist.xml of the ShakeMap.")
    return stations


def _xml_station(attributes: Mapping[str, str], path: Path) -> Station:
    code = attributes.get("code", "")
    try:
        longitude, latitude = float(attributes["lon"]), float(attributes["lat"])
    except (KeyError, ValueError):
        raise FormatError(f"{path}: station {code!r} has no coordinates; fetch the file again.") from None
    texts = {"station": code, "name": attributes.get("name", ""), "network": attributes.get("netid", "")}
    found = Station(longitude, latitude, texts)
    felt = texts["network"].upper() in _FELT
    found.numbers = {
        "distance_km": number(attributes.get("dist")),
        "vs30_m_s": number(attributes.get("vs30")),
        "mmi": number(attributes.get("intensity")) if felt else math.nan,
    }
    return found


def _note(station: Station, kind: str, component: str, value: float, flag: str, factor: float) -> None:
    """Notes an amplitude of a ShakeMap list, unless it is flagged, derived from intensity, or not there."""
    if math.isnan(value) or component.upper() == "DERIVED":
        return
    if flag not in ("0", ""):
        station.flagged += 1
    elif kind == "mmi":
        station.numbers["mmi"] = value
    else:
        peaks = station.pga if kind == "pga" else station.pgv
        last = component.strip().upper()[-1:] or "H"
        peaks[last] = max(value * factor, peaks.get(last, -math.inf)) if value >= 0 else value


def number(value: object) -> float:
    """A finite number, NaN for anything else, such as an empty cell or "null"."""
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan
    return found if math.isfinite(found) else math.nan
