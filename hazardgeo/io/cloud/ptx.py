"""Clouds as Leica Cyclone and other programs of scanners write them in text: PTS, and PTX with the pose of each scan."""

from __future__ import annotations

import warnings
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from hazardgeo.errors import FormatError
from hazardgeo.io import files
from hazardgeo.io.cloud.points import COLOURS, Columns, from_named

_NAMES = {3: ("x", "y", "z"), 4: ("x", "y", "z", "intensity"), 6: ("x", "y", "z", "red", "green", "blue")}
_NAMES[7] = (*_NAMES[4], "red", "green", "blue")
_POSE_LINES = 8  # place and axes of the scanner (4), and the matrix that takes points to the common system (4)
_LONGEST_LINE = 1_000
_AGAIN = "it is cut or damaged, export it again"


def columns(path: Path) -> Columns:
    """The points of all scans of a PTS or PTX file with their attributes, and the number of the scan as scan_index.

    Each scan begins with the number of its points; in PTX with columns, rows, and a pose, by which its points are moved to
    the common system (row vectors times the 4 x 4 matrix). Directions without a return (0 0 0 in PTX) are left out.
    Intensities are as stored, colours are whole numbers of 8 bits. Raises FormatError for cut and damaged files.
    """
    is_ptx = path.suffix.lower() == ".ptx"
    scans: list[NDArray[np.float64]] = []
    owner: list[NDArray[np.int32]] = []
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        while (first := _line(stream, path)) is not None:
            expected = _count(first, path)
            if is_ptx:
                expected *= _count(_line(stream, path) or "", path)
                points = _posed(stream, expected, path)
            else:
                points = _points(stream, expected, path)
            if scans and points.shape[1] != scans[0].shape[1]:
                raise FormatError(f"{path} has scans with and without colours; export them one by one.")
            owner.append(np.full(len(points), len(scans), np.int32))
            scans.append(points)
    if not sum(map(len, scans)):
        raise FormatError(f"{path} has no points; export it again.")
    table = np.concatenate(scans)
    named: dict[str, NDArray[Any]] = dict(zip(_NAMES[table.shape[1]], table.T, strict=True))
    if table.shape[1] > 4:
        named |= {name: _eight_bits(named[name], name, path) for name in COLOURS}
    return from_named({**named, "scan_index": np.concatenate(owner)}, path)


def _eight_bits(values: NDArray[np.float64], name: str, path: Path) -> NDArray[np.uint8]:
    if not ((values == np.floor(values)) & (values >= 0) & (values <= 255)).all():
        raise FormatError(f"{path} has {name} that is no whole number from 0 to 255; export it again.")
    return values.astype(np.uint8)


def _posed(stream: TextIO, expected: int, path: Path) -> NDArray[np.float64]:
    """The points of one scan of a PTX file in the common system."""
    pose = [_numbers(_line(stream, path) or "", path) for _ in range(_POSE_LINES)]
    if [len(row) for row in pose] != [3] * 4 + [4] * 4:
        raise FormatError(f"{path} has a scan without a whole pose; {_AGAIN}.")
    matrix = np.array(pose[4:])
    points = _points(stream, expected, path)
    points = points[points[:, :3].any(axis=1)]
    points[:, :3] = points[:, :3] @ matrix[:3, :3] + matrix[3, :3]
    return points


def _points(stream: TextIO, expected: int, path: Path) -> NDArray[np.float64]:
    """The next `expected` lines as rows of 3, 4, 6 or 7 numbers."""
    if expected == 0:
        raise FormatError(f"{path} has a scan without points; {_AGAIN}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # numpy where no line is left, which is an error here
            table = np.loadtxt(islice(stream, expected), np.float64, comments=None, ndmin=2)
    except ValueError as error:
        raise FormatError(f"{path} has a line that is no point: {files.one_line(error)}; {_AGAIN}.") from None
    if len(table) < expected or table.shape[1] not in _NAMES:
        raise FormatError(
            f"{path} has {len(table):,} points of {table.shape[1]} numbers where {expected:,} are declared; {_AGAIN}."
        )
    return table


def _line(stream: TextIO, path: Path) -> str | None:
    """The next line that is not empty, None at the end."""
    while line := stream.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise FormatError(f"{path} is no PTS or PTX file; check which file this is.")
        if line.strip():
            return line
    return None


def _count(line: str, path: Path) -> int:
    word = line.strip()
    if not (word.isascii() and word.isdigit() and len(word) < 13):
        raise FormatError(f"{path} has {word[:40]!r} where a number of points is expected; it is no PTS or PTX file, or damaged.")
    return int(word)


def _numbers(line: str, path: Path) -> list[float]:
    try:
        return [float(word) for word in line.split()]
    except ValueError:
        raise FormatError(f"{path} has {line.strip()[:40]!r} in the pose of a scan; {_AGAIN}.") from None
