"""What `write_raster` notes of a raster beyond its cells, as one exact record in the metadata of the file."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from rasterio.io import DatasetReader

from hazardgeo.crs import Height
from hazardgeo.errors import InputError
from hazardgeo.io.reference import recorded_height
from hazardgeo.raster import UNKNOWN_CLASS, ClassLabel, Raster

KIND, RECORD = "HAZARDGEO_KIND", "HAZARDGEO_RASTER"
KINDS = {"float32": "value", "float64": "value", "uint8": "class", "int32": "id", "bool": "mask"}
STORED_AS = {"value": ("float32", "float64"), "class": ("uint8",), "id": ("int32",), "mask": ("uint8",)}
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}\Z")


@dataclass(frozen=True, slots=True)
class Record:
    """Name, unit, height, classes and tags of a raster that `write_raster` wrote."""

    name: str
    unit: str
    height: Height | None
    classes: tuple[ClassLabel, ...]
    tags: dict[str, str]


def stored(dataset: DatasetReader) -> Record | None:
    """The record of a file; None in files of others, and where another program has damaged it."""
    try:
        match json.loads(dataset.tags().get(RECORD, "null")):
            case {"name": str(name), "unit": str(unit), "height": height, "classes": [*classes], "tags": {**tags}}:
                texts = {str(key): value for key, value in tags.items() if isinstance(value, str)}
                if len(texts) == len(tags):
                    labels = tuple(_class(entry) for entry in classes)
                    return Record(name, unit, None if height is None else recorded_height(height), labels, texts)
    except (ValueError, RecursionError):
        return None
    return None


def _class(entry: Any) -> ClassLabel:
    """A class as `write_raster` notes it; ValueError for what it never writes."""
    match entry:
        case {"code": int(code), "label": str(label), "colour": str(colour), "hatched": bool(hatched)}:
            if 0 <= code <= UNKNOWN_CLASS and _COLOUR.match(colour):
                return ClassLabel(code, label, colour, hatched)
    raise ValueError(f"{entry!r} is no class")


def tags(raster: Raster, kind: str) -> dict[str, str]:
    """The metadata of a raster: its tags as other programs show them, and all that it says as one exact record."""
    for key, value in raster.tags.items():
        if not (isinstance(key, str) and isinstance(value, str)):
            raise InputError(f"tag {key!r}: {value!r} of raster {raster.name!r} cannot be written; tags are texts.")
    record = {
        "name": raster.name,
        "unit": raster.unit,
        "height": None if raster.height is None else asdict(raster.height),
        "classes": [asdict(c) for c in raster.classes],
        "tags": dict(raster.tags),
    }
    shown = {k: v for k, v in raster.tags.items() if k.isidentifier() and k.upper() != "AREA_OR_POINT"}
    return {**shown, KIND: kind, RECORD: json.dumps(record)}
