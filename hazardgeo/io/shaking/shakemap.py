"""ShakeMap grids: the `grid.xml` and `uncertainty.xml` of the USGS and of the agencies that use its software."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from hazardgeo.errors import FormatError, GridMismatchError, HazardGeoWarning, InputError
from hazardgeo.event import Earthquake, Shaking, intensity_from_pga, intensity_from_pgv
from hazardgeo.grid import Grid
from hazardgeo.io import files
from hazardgeo.io.shaking.packed import xml_of
from hazardgeo.raster import Raster

_OFF_NODE_CELLS = 0.3  # coordinates are rounded to four decimals; what is further away is on no node
_MOST_NODES_PER_LINE = 100  # a grid that is emptier is a damaged header
_INTENSITIES = (1.0, 12.0)
_MOST_INTENSITIES_APART = 3.0  # real maps stay within 1 at the median; a factor of 100 in a unit makes more than 4


@dataclass(frozen=True, slots=True)
class _Column:
    """How a column of the grid becomes a layer: its unit, the factors of the unit texts met, and whether 0 is a value."""

    layer: str
    unit: str
    factors: Mapping[str, float]
    zero_is_a_value: bool = True


_LN = dict.fromkeys(("", "ln", "ln(pctg)", "ln(%g)", "ln(g)", "ln(cms)", "ln(cm/s)"), 1.0)
_PGA = {
    **dict.fromkeys(("", "pctg", "%g", "pct g", "percent g", "%"), 0.01),
    **dict.fromkeys(("gal", "cm/s2", "cm/s^2", "cm/s/s", "cm/s²"), 1 / 980.665),
    **dict.fromkeys(("m/s2", "m/s^2", "m/s/s", "m/s²"), 1 / 9.80665),
    "g": 1.0,
}
_COLUMNS = {
    "PGA": _Column("pga_g", "g", _PGA),
    "PGV": _Column("pgv_cm_s", "cm/s", {**dict.fromkeys(("", "cms", "cm/s", "cm/sec"), 1.0), "m/s": 100.0}),
    "MMI": _Column("mmi", "MMI", dict.fromkeys(("", "intensity", "mmi", "mm"), 1.0)),
    "SVEL": _Column("vs30_m_s", "m/s", dict.fromkeys(("", "ms", "m/s", "m/sec"), 1.0), zero_is_a_value=False),
    "STDPGA": _Column("sigma_ln_pga", "1", _LN),
    "STDPGV": _Column("sigma_ln_pgv", "1", _LN),
}
_MOTIONS = ("PGA", "PGV", "MMI")
_SIGMAS = ("STDPGA", "STDPGV")


@dataclass(slots=True)
class _Document:
    """What the parser has met: attributes by element, the fields by column, and the text of the table."""

    attributes: dict[str, dict[str, str]] = field(default_factory=dict)
    fields: dict[int, tuple[str, str]] = field(default_factory=dict)
    text: list[str] = field(default_factory=list)
    in_table: bool = False
    complete: bool = False


def read_shakemap(grid_xml: str | Path, *, uncertainty_xml: str | Path | None = None) -> Shaking:
    """Shaking of a ShakeMap: PGA in g, PGV in cm/s, intensity, Vs30 in m/s, sigmas of ln, on its EPSG:4326 grid.

    Columns are found by name and values placed by their coordinates, since column order and row order vary; the nodes
    are cell centres, their spacing follows from the bounds and the counts because the written one is rounded. PGA is
    percent of g unless its unit text says g, gal or m/s2. Layers that the file does not give are None.
    `uncertainty_xml` adds STDPGA and STDPGV (natural logarithm) and goes before columns of the same name in `grid_xml`.
    Both may be packed (.xml.gz, .xml.zip).

    Negative and non-finite values, nodes without a row, a Vs30 of 0, an MMI outside 1 to 12, nodes where all motions are 0
    or missing together and layers that are 0 everywhere are unknown (NaN);
    a HazardGeoWarning names their share. Longitudes that pass 180 run on to 190, 200 ... A time without a zone is UTC.
    `Shaking.source` says whose map it is and whether it is a SCENARIO. Files without their closing tags are read.

    Raises FormatError for what is not a whole ShakeMap grid, has no PGA, PGV or MMI, has a PGA of 0 everywhere, an
    unknown unit or time, an MMI outside 1 to 12 at the median, or two columns of one name; where PGA and PGV mean intensities
    that are 3 or more apart (Worden et al. 2012, doi:10.1785/0120110156), so that one of them is mislabelled; for files with
    a DOCTYPE, which a ShakeMap never has; InputError where the two files do not belong together.

    Format: Worden et al. (2020), ShakeMap Manual, U.S. Geological Survey, doi:10.5066/F7D21VPQ, "Grid XML".
    """
    path = Path(grid_xml)
    document = _parsed(path, "grid.xml")
    earthquake, source = _earthquake(document, path), _source(document)
    layers = _layers(document, tuple(_COLUMNS), path, source)
    if not any(_COLUMNS[name].layer in layers for name in _MOTIONS):
        names = ", ".join(name for name, _ in document.fields.values())
        raise FormatError(f"{path} has no PGA, PGV or MMI, only {names}; fetch the grid.xml of the ShakeMap.")
    if "pga_g" in layers and "pgv_cm_s" in layers:
        _require_one_shaking(layers["pga_g"].values, layers["pgv_cm_s"].values, path)
    if uncertainty_xml is not None:
        layers |= _uncertainties(Path(uncertainty_xml), earthquake, next(iter(layers.values())), path)
    return Shaking(earthquake, **layers, source=source)


def _uncertainties(path: Path, earthquake: Earthquake, first: Raster, grid_path: Path) -> dict[str, Any]:
    document = _parsed(path, "uncertainty.xml")
    other = document.attributes.get("shakemap_grid", {}).get("event_id", "")
    if other != earthquake.identifier:
        raise InputError(f"{path} is of event {other!r}, {grid_path} of {earthquake.identifier!r}; fetch both from one ShakeMap.")
    layers = _layers(document, _SIGMAS, path, _source(document))
    if not layers:
        raise FormatError(f"{path} has neither STDPGA nor STDPGV; fetch the uncertainty.xml of the ShakeMap.")
    try:
        first.grid.require_same(next(iter(layers.values())).grid)
    except GridMismatchError:
        raise InputError(f"{path} and {grid_path} have different grids; fetch both from one version of the ShakeMap.") from None
    return layers


def _require_one_shaking(pga_g: NDArray[np.float32], pgv_cm_s: NDArray[np.float32], path: Path) -> None:
    """FormatError where PGA and PGV cannot be of one earthquake; a warning where one is only the other, scaled."""
    known = (pga_g > 0) & (pgv_cm_s > 0)
    if not known.any():
        return
    pga, pgv = pga_g[known].astype(np.float64), pgv_cm_s[known].astype(np.float64)
    by_pga, by_pgv = (float(np.median(i)) for i in (intensity_from_pga(pga), intensity_from_pgv(pgv)))
    if abs(by_pga - by_pgv) >= _MOST_INTENSITIES_APART:
        raise FormatError(
            f"{path}: PGA means intensity {by_pga:.1f} at the median, PGV {by_pgv:.1f}; one of the columns is mislabelled or in "
            "another unit, fetch the file again or correct its grid_field."
        )
    ratio = pgv / pga
    if pga.max() > 1.1 * pga.min() and ratio.max() < 1.01 * ratio.min():
        message = f"{path}: PGV is PGA times {np.median(ratio):.3g} (cm/s per g) everywhere; it is derived, or not a velocity."
        warnings.warn(message, HazardGeoWarning, stacklevel=3)


def _parsed(path: Path, wanted: str) -> _Document:
    """The content of the file; entities are never expanded, because a document type is refused."""
    data = xml_of(path, wanted=wanted)
    document = _Document()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True

    def start(tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(" ")[2]
        if name == "grid_field":
            _note_field(document, attributes, path)
        elif name == "grid_data":
            document.in_table = True
        else:
            document.attributes.setdefault(name, {k.rpartition(" ")[2]: v for k, v in attributes.items()})

    def end(tag: str) -> None:
        if tag.rpartition(" ")[2] == "grid_data":
            document.in_table, document.complete = False, True

    def text(content: str) -> None:
        if document.in_table:
            document.text.append(content)

    def refuse(kind: str, *_: object) -> None:
        if kind in ("shakemap-data", "stationlist"):
            raise FormatError(f"{path} is a station list (with a DOCTYPE), not a {wanted}; read it with read_stations.")
        raise FormatError(f"{path} declares a DOCTYPE, which a ShakeMap never has; it is not read. Fetch the original.")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text, refuse
    try:
        parser.Parse(data, False)  # not final: some agencies leave the root element open
    except expat.ExpatError as error:
        if not document.complete:
            raise FormatError(f"{path} is not XML: {files.one_line(error)}; fetch it again.") from None
    except (LookupError, ValueError) as error:
        raise FormatError(f"{path} has an encoding that is not read: {files.one_line(error)}; save it as UTF-8.") from None
    if not document.complete:
        raise FormatError(f"{path} is not a whole ShakeMap grid: it has no complete grid_data; fetch it again.")
    return document


def _note_field(document: _Document, attributes: dict[str, str], path: Path) -> None:
    try:
        index, name = int(attributes["index"]) - 1, attributes["name"].strip().upper()
    except (KeyError, ValueError):
        raise FormatError(f"{path} has a grid_field without index or name: {attributes}; fetch it again.") from None
    if index in document.fields or name in {known for known, _ in document.fields.values()}:
        raise FormatError(f"{path} has the grid_field {name} or its index {index + 1} twice; fetch it again.")
    document.fields[index] = (name, attributes.get("units", "").strip().lower())


def _layers(document: _Document, wanted: tuple[str, ...], path: Path, source: str) -> dict[str, Any]:
    """The wanted layers that the table has, as rasters by field name of Shaking."""
    table, at = _table(document, path), {name: i for i, (name, _) in document.fields.items()}
    if "LON" not in at or "LAT" not in at:
        raise FormatError(f"{path} has no LON and LAT columns; fetch the grid.xml of the ShakeMap.")
    grid, rows, cols = _nodes(document, table[:, at["LON"]], table[:, at["LAT"]], path)
    blank = _blank(table, at, path)
    layers = {}
    for name in wanted:
        if name in at:
            column = _COLUMNS[name]
            unit = document.fields[at[name]][1]
            if unit not in column.factors:
                raise FormatError(f"{path}: {name} is in {unit!r}, which is not known; convert it to {column.unit} and say so.")
            values = np.full(grid.shape, np.nan, np.float32)
            said = ~blank if name in _MOTIONS else np.ones(len(table), bool)
            values[rows[said], cols[said]] = _known(table[said, at[name]], name, path) * column.factors[unit]
            layers[column.layer] = Raster(values, grid, column.layer, column.unit, tags={"source": source})
    return layers


def _table(document: _Document, path: Path) -> NDArray[np.float64]:
    width = len(document.fields)
    if sorted(document.fields) != list(range(width)):
        raise FormatError(f"{path}: the indices of its grid_fields leave gaps; fetch it again.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # numpy on an empty table, which is an error here
            table = np.loadtxt(io.StringIO("".join(document.text)), ndmin=2, comments=None)
    except ValueError as error:
        raise FormatError(f"{path}: its grid_data is not a table of numbers: {files.one_line(error)}; fetch it again.") from None
    if not table.size or table.shape[1] != width:
        raise FormatError(f"{path}: its grid_data has {table.shape[1]} columns for {width} grid_fields; fetch it again.")
    return np.asarray(table, np.float64)


def _blank(table: NDArray[np.float64], at: Mapping[str, int], path: Path) -> NDArray[np.bool_]:
    """True for nodes without a value: all motions are 0 or missing, where others have some; warns of the share."""
    motions = [at[name] for name in _MOTIONS if name in at]
    blank = np.zeros(len(table), bool)
    if len(motions) > 1:
        there = np.isfinite(table[:, motions])
        blank = ((table[:, motions] == 0) | ~there).all(axis=1) & (table[:, motions] == 0).any(axis=1)
    if not blank.any() or blank.all():
        return np.zeros(len(table), bool)
    message = f"{path}: PGA, PGV and MMI are 0 or missing together at {blank.mean():.1%} of the nodes; they are unknown there."
    warnings.warn(message, HazardGeoWarning, stacklevel=4)
    return blank


def _known(values: NDArray[np.float64], name: str, path: Path) -> NDArray[np.float64]:
    """The values with NaN for what cannot be one; warns of the share."""
    column = _COLUMNS[name]
    if np.isfinite(values).any() and not values[np.isfinite(values)].any():
        if name == "PGA":
            raise FormatError(f"{path}: PGA is 0 at all nodes, so the map is empty; fetch a later version.")
        bad = np.ones(values.shape, bool)
    else:
        bad = ~np.isfinite(values) | ((values < 0) if column.zero_is_a_value else (values <= 0))
    if name == "MMI" and (~bad & (values > 0)).any():
        middle = float(np.median(values[~bad & (values > 0)]))
        if not _INTENSITIES[0] <= middle <= _INTENSITIES[1]:
            raise FormatError(f"{path}: MMI is {middle:g} at the median, no intensity from 1 to 12; fetch the file again.")
        bad |= (values < _INTENSITIES[0]) | (values > _INTENSITIES[1])
    if bad.any():
        reason = "not from 1 to 12" if name == "MMI" else "negative, not finite or 0 everywhere"
        message = f"{path}: {bad.mean():.1%} of the {name} values are {reason}; they are unknown."
        warnings.warn(message, HazardGeoWarning, stacklevel=5)
    return np.where(bad, np.nan, values)


def _nodes(
    document: _Document, lon: NDArray[np.float64], lat: NDArray[np.float64], path: Path
) -> tuple[Grid, NDArray[np.int64], NDArray[np.int64]]:
    """The grid whose cell centres are the nodes, and the row and column of each line of the table."""
    spec = document.attributes.get("grid_specification")
    if spec is None:
        raise FormatError(f"{path} has no grid_specification; fetch the grid.xml of the ShakeMap.")
    west, east, south, north = (_number(spec, k, path) for k in ("lon_min", "lon_max", "lat_min", "lat_max"))
    n_lon, n_lat = (_count(spec, k, path) for k in ("nlon", "nlat"))
    if n_lon < 1 or n_lat < 1 or north < south or n_lon * n_lat > _MOST_NODES_PER_LINE * len(lon):
        raise FormatError(
            f"{path} has a grid of {n_lon} x {n_lat} nodes from {south} to {north} N for {len(lon)} lines; fetch it again."
        )
    east = east + 360.0 if east < west else east
    width = (east - west) / (n_lon - 1) if n_lon > 1 else _number(spec, "nominal_lon_spacing", path)
    tall = (north - south) / (n_lat - 1) if n_lat > 1 else _number(spec, "nominal_lat_spacing", path)
    if width <= 0 or tall <= 0:
        raise FormatError(f"{path} has nodes {width:g} x {tall:g} degrees apart; fetch it again.")
    grid = Grid(Affine(width, 0, west - width / 2, 0, -tall, north + tall / 2), (n_lat, n_lon), "EPSG:4326")  # type: ignore[arg-type]
    continuous = west - width / 2 + (lon - (west - width / 2)) % 360.0
    col, row = (continuous - west) / width, (north - lat) / tall
    cols, rows = np.rint(col), np.rint(row)
    off = np.maximum(np.abs(col - cols), np.abs(row - rows))
    inside = (cols >= 0) & (cols < n_lon) & (rows >= 0) & (rows < n_lat) & (off <= _OFF_NODE_CELLS)
    if not inside.all():
        i = int(np.argmin(inside))
        raise FormatError(
            f"{path}: {lon[i]}, {lat[i]} is not a node of its grid ({grid}); the file is inconsistent, fetch it again."
        )
    _require_each_once(rows * n_lon + cols, n_lon * n_lat, path)
    return grid, rows.astype(np.int64), cols.astype(np.int64)


def _require_each_once(node: NDArray[np.float64], nodes: int, path: Path) -> None:
    """FormatError where a node has two lines; a warning where nodes have none."""
    met = len(np.unique(node))
    if met < len(node):
        raise FormatError(f"{path}: {len(node) - met} nodes have two lines in grid_data; fetch it again.")
    if met < nodes:
        message = f"{path}: {1 - met / nodes:.1%} of the nodes have no line in grid_data; they are unknown."
        warnings.warn(message, HazardGeoWarning, stacklevel=5)


def _number(attributes: Mapping[str, str], key: str, path: Path) -> float:
    try:
        value = float(attributes[key])
    except (KeyError, ValueError):
        raise FormatError(f"{path}: {key} is {attributes.get(key, 'missing')!r}, not a number; fetch it again.") from None
    if not np.isfinite(value):
        raise FormatError(f"{path}: {key} is {value}; fetch it again.")
    return value


def _count(attributes: Mapping[str, str], key: str, path: Path) -> int:
    value = _number(attributes, key, path)
    if not value.is_integer():
        raise FormatError(f"{path}: {key} is {value:g}, not a whole number; fetch it again.")
    return int(value)


def _earthquake(document: _Document, path: Path) -> Earthquake:
    event = document.attributes.get("event")
    if event is None:
        raise FormatError(f"{path} has no event element; fetch the grid.xml of the ShakeMap.")
    magnitude, longitude, latitude, depth_km = (_number(event, k, path) for k in ("magnitude", "lon", "lat", "depth"))
    return Earthquake(
        magnitude,
        longitude,
        latitude,
        depth_km,
        _time(event.get("event_timestamp", ""), path),
        event.get("event_description", ""),
        event.get("event_id", document.attributes.get("shakemap_grid", {}).get("event_id", "")),
    )


def _time(text: str, path: Path) -> datetime:
    """An aware time in UTC, from ISO texts that end in Z, UTC, GMT, an offset or nothing (which means UTC)."""
    try:
        time = datetime.fromisoformat(re.sub(r"\s*(UTC|GMT|Z)$", "", text.strip(), flags=re.IGNORECASE))
    except ValueError:
        raise FormatError(f"{path}: the event time {text!r} is not understood; write it as 2023-12-18T15:59:30Z.") from None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _source(document: _Document) -> str:
    """Whose map it is, in words; a scenario is named as one."""
    root, event = document.attributes.get("shakemap_grid", {}), document.attributes.get("event", {})
    network = root.get("shakemap_originator") or event.get("event_network", "")
    kind = root.get("shakemap_event_type", "").upper() or "event type not stated"
    words = " ".join(w for w in ("ShakeMap", network, root.get("shakemap_id", "")) if w)
    warning = " (not an earthquake that happened)" if kind == "SCENARIO" else ""
    return f"{words} version {root.get('shakemap_version', '?')}, {kind}{warning}"
