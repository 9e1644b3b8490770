"""A scenario proposed from the files that lie in a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from hazardgeo import io
from hazardgeo.errors import FormatError, HazardGeoError
from hazardgeo.pipeline import scans
from hazardgeo.pipeline.folders import CLOUDS, RASTERS, SHAPES, XML, Folder, look
from hazardgeo.pipeline.inputs import INPUTS
from hazardgeo.pipeline.recognise import Candidate, recognise

TERRAIN = ("scan", "dem", "slope")
_MOST_NAMED = 8  # of the files whose names say nothing
_MOST_ALONE = 3  # files with one reason that have a line each
_MOST_REASONS = 5
_EVENT = """[shaking]
source = "isoseismals"

# An intensity map gives neither magnitude nor time: fill in the earthquake and remove the signs before these lines.
# [event]
# magnitude =
# longitude =
# latitude =
# depth_km =
# time = "2023-12-18T15:59:30Z"
"""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A scenario as TOML text, and what was made of each file in the folder."""

    toml: str
    notes: tuple[str, ...]


@dataclass
class _Choice:
    """What is taken for each input, with its tiles, and the notes about all files."""

    taken: dict[str, Candidate] = field(default_factory=dict)
    tiles: list[Candidate] = field(default_factory=list)
    others: dict[str, list[str]] = field(default_factory=dict)
    left: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def leave_out(self, folder: Folder, candidate: Candidate, reason: str) -> None:
        self.left.setdefault(reason, []).append(folder.name_of(candidate.path))
        self.others.setdefault(candidate.name, []).append(folder.name_of(candidate.path))

    def left_out(self) -> list[str]:
        """One line for each file that is left out, or for each reason that many files share."""
        lines = []
        for reason, names in self.left.items():
            shared = len(names) > _MOST_ALONE
            lines += [f"{_listed(names)}: left out, {reason}"] if shared else [f"{name}: left out, {reason}" for name in names]
        return lines


def propose(folder: Path | str) -> Proposal:
    """A scenario for the files in `folder`: which input each looks like, and the working CRS.

    Files are recognised by their content, their names (English and Chinese) and what DJI Terra, Pix4D, ContextCapture,
    Metashape and OpenDroneMap write beside them. Terrain comes from one source: a cloud, else a ground model, else a surface
    model, of which the scenario then says that it is one. Neighbouring tiles of one scan are taken together; scans of the
    same ground are not joined. Whatever is left out is named with its reason.

    Raises FormatError for a folder that is not there or that holds nothing that is read; where it holds raw scans, models or
    damaged files, the message says what to export.
    """
    place = Path(folder)
    if not place.is_dir():
        raise FormatError(f"there is no folder {place}; give one that holds scans, rasters or shapes.")
    found = look(place)
    choice = _Choice()
    candidates = _candidates(found, choice)
    _choose_terrain([c for c in candidates if c.name in TERRAIN], found, choice)
    _choose_others([c for c in candidates if c.name not in TERRAIN], found, choice)
    choice.notes.extend((*choice.left_out(), *found.left_out))
    if not choice.taken:
        reasons = "; ".join(choice.notes[:_MOST_REASONS]) or f"give {', '.join((*CLOUDS, *RASTERS[:1], *SHAPES[:3]))} or grid.xml"
        more = "" if len(choice.notes) <= _MOST_REASONS else f"; and {len(choice.notes) - _MOST_REASONS} more reasons"
        raise FormatError(f"{place} holds no file that can be used: {reasons}{more}.")
    return Proposal(_toml(found, choice), tuple(choice.notes))


def _candidates(folder: Folder, choice: _Choice) -> list[Candidate]:
    found: list[Candidate] = []
    silent: list[str] = []
    for path in folder.files:
        name = folder.name_of(path)
        try:
            known = [candidate for candidate in recognise(path, folder.products) if candidate.name in INPUTS]
        except HazardGeoError as error:
            choice.left.setdefault(str(error).replace(str(path), path.name).rstrip("."), []).append(name)
            continue
        found.extend(known)
        if not known and not name.lower().endswith(XML):
            silent.append(name)
    if silent:
        choice.notes.append(f"left out, since neither name nor content says what they are: {_listed(silent)}")
    return found


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _choose_terrain(candidates: Sequence[Candidate], folder: Folder, choice: _Choice) -> None:
    """The one source of the terrain: what can be used before what lacks something, then by rank."""
    order = scans.in_order(candidates)
    if not order:
        return
    first, clouds = order[0], [c for c in order[1:] if c.name == "scan"]
    _take(first, folder, choice)
    if first.name == "scan":
        tiles, same, elsewhere = scans.tiles_of(first, clouds)
        choice.tiles = tiles
        choice.notes.extend(f"{folder.name_of(tile.path)}: scan, a tile beside {first.path.name}" for tile in tiles)
        for cloud in same:
            choice.leave_out(folder, cloud, f"it covers the same ground as {first.path.name} or its tiles; choose one of them")
        for cloud in elsewhere:
            apart = f"it is no tile beside {first.path.name}; its ground counts as not surveyed"
            choice.leave_out(folder, cloud, cloud.lacks or apart)
    for other in order[1:]:
        if other.name != "scan" or first.name != "scan":
            another = other.name == first.name
            reason = f"{first.path.name} is the {first.name} already; choose one of them" if another else _elsewhere(first)
            choice.leave_out(folder, other, other.lacks or reason)


def _elsewhere(first: Candidate) -> str:
    return f"the terrain comes from {first.name} ({first.path.name})"


def _choose_others(candidates: Sequence[Candidate], folder: Folder, choice: _Choice) -> None:
    for candidate in sorted(candidates, key=lambda c: (c.name != "shakemap", bool(c.lacks), c.rank, str(c.path))):
        if candidate.name == "shakemap_uncertainty":
            reason = _not_of(choice.taken.get("shakemap"), candidate)
            if reason:
                choice.leave_out(folder, candidate, reason)
                continue
        if candidate.name == "isoseismals" and "shakemap" in choice.taken:
            choice.leave_out(folder, candidate, "the shaking comes from the ShakeMap")
            continue
        if candidate.name in choice.taken:
            taken = folder.name_of(choice.taken[candidate.name].path)
            choice.leave_out(folder, candidate, f"{taken} is the {candidate.name} already; choose one of them")
            continue
        _take(candidate, folder, choice)


def _not_of(grid: Candidate | None, uncertainty: Candidate) -> str:
    """Why uncertainties do not belong to the ShakeMap that is taken; nothing where they do."""
    if grid is None:
        return "there is no grid.xml beside it"
    try:
        io.read_shakemap(grid.path, uncertainty_xml=uncertainty.path)
    except HazardGeoError as error:
        return (
            str(error).replace(str(uncertainty.path), uncertainty.path.name).replace(str(grid.path), grid.path.name).rstrip(".")
        )
    return ""


def _take(candidate: Candidate, folder: Folder, choice: _Choice) -> None:
    choice.taken[candidate.name] = candidate
    said = "; ".join(text for text in (candidate.why, candidate.lacks, candidate.warning.rstrip(".")) if text)
    choice.notes.append(f"{folder.name_of(candidate.path)}: {candidate.name} ({said})")


def _toml(folder: Folder, choice: _Choice) -> str:
    """The scenario with a comment on each input; inputs that are a path alone stand first."""
    top: dict[str, Any] = {"title": folder.place.resolve().name.encode("utf-8", "replace").decode()}
    crs = next((choice.taken[name].crs for name in TERRAIN if name in choice.taken), None)
    if crs is not None and choice.taken.keys() & {"scan", "dem"}:
        top["crs"] = crs
    notice = " ".join(c.warning for c in choice.taken.values() if c.warning)
    if notice:
        top["notice"] = notice
    entries = {name: _entry(candidate, folder, choice) for name, candidate in choice.taken.items()}
    plain = {name: entry["path"] for name, entry in entries.items() if len(entry) == 1}
    blocks = [tomli_w.dumps(top), "[inputs]\n" if plain else ""]
    blocks[1] += "".join(_comment(name, choice) + tomli_w.dumps({name: path}) for name, path in plain.items())
    blocks += [_comment(n, choice) + tomli_w.dumps({"inputs": {n: e}}) for n, e in entries.items() if n not in plain]
    if "isoseismals" in choice.taken:
        blocks.append(_EVENT)
    return "\n".join(block for block in blocks if block)


def _entry(candidate: Candidate, folder: Folder, choice: _Choice) -> dict[str, Any]:
    entry = {"path": folder.name_of(candidate.path), **candidate.options}
    if candidate.name == "scan" and choice.tiles:
        entry["tiles"] = [Path(os.path.relpath(tile.path, candidate.path.parent)).as_posix() for tile in choice.tiles]
    return entry


def _comment(name: str, choice: _Choice) -> str:
    """What an input was recognised as, what it lacks, and which other files could stand in its place."""
    candidate = choice.taken[name]
    lines = [text for text in (candidate.why, candidate.lacks, candidate.warning) if text]
    others = choice.others.get(name, [])
    if others:
        lines.append(f"could also be: {_listed(others)}")
    return "".join(f"# {''.join(c if c.isprintable() else '?' for c in line)}\n" for line in lines)
