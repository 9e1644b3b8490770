"""Matter: what lies on the ground of an orthomosaic after the earthquake: mud, blocks, scars, new soil, snow, water.

Kernels take a block as those of `paint` do.
"""

from __future__ import annotations

import math

import numpy as np

from hazardgeo.kernel import kernel
from hazardgeo.synthetic.pictures.paint import row_kernel, span_kernel
from hazardgeo.synthetic.pictures.soil import ramp_kernel
from hazardgeo.synthetic.pictures.texture import blocks_kernel

FLOW, DAM, COLLAPSE, SLIDE = 1, 2, 3, 4  # kinds of slides
PIT, PLOUGHED, LEVELLED = 1, 2, 3  # kinds of earthwork
_CM = 0.01  # unit of the rasters of earthwork, snow and growth

# colours in full sun; chosen by eye, not measured
_MUD, _RAFT, _FRESH, _DRY, _WET_SCAR = range(5)
_EARTH = np.array([(98, 79, 58), (166, 142, 108), (217, 191, 149), (192, 165, 126), (122, 99, 73)], np.float32)
_WORKS = np.array(
    [(212, 184, 140), (180, 151, 112), (124, 101, 75), (198, 171, 131)], np.float32
)  # pit, spoil, furrows, levelled
_SNOW, _SHRUBS = np.array([(236, 240, 247)], np.float32), np.array([(112, 103, 68)], np.float32)
_LAKE = np.array([(146, 122, 90), (119, 99, 73)], np.float32)  # shallow, deep: turbid with loess


@kernel
def slides_kernel(change, kinds, frame, origin, tiles, albedo):  # type: ignore[no-untyped-def]
    """Scars where the ground came away, mud with streaks and rafts, and heaps of dry blocks."""
    fine, coarse = tiles
    kind, shares = kinds
    _, height, width = albedo.shape
    first, count = span_kernel(frame, width)
    line, edge = np.empty(count, np.float32), np.empty(count, np.float32)
    for i in range(height):
        y = frame[0] + i * frame[2]
        near = min(max(int(y + 0.5), 0), kind.shape[0] - 1)
        row_kernel(change, y, first, line)
        row_kernel(shares, y, first, edge)
        for j in range(width):
            x = frame[1] + j * frame[2]
            what = kind[near, min(max(int(x + 0.5), 0), kind.shape[1] - 1)]
            if what == 0:
                continue
            k = math.floor(x) - first
            f = x - first - k
            moved, share = line[k] + f * (line[k + 1] - line[k]), edge[k] + f * (edge[k + 1] - edge[k])
            grain = fine[(origin[0] + i) % fine.shape[0], (origin[1] + j) % fine.shape[0]] / 32.0
            patch = coarse[(origin[0] + i) % coarse.shape[0], (origin[1] + j) % coarse.shape[0]] / 32.0
            if share < 122.0 + 14.0 * patch + 8.0 * grain:
                continue
            if moved < 0:
                _scar_kernel(what, -moved, grain, patch, albedo[:, i, j])
            elif what == FLOW:
                _mud_kernel(moved, grain, patch, albedo[:, i, j])
            else:
                size = 13.0 if what == DAM else 7.0
                _heap_kernel((origin[0] + i) / size, (origin[1] + j) / size, what == DAM, grain, patch, albedo[:, i, j])


@kernel
def _scar_kernel(what, deep, grain, patch, pixel):  # type: ignore[no-untyped-def]
    wet = 0.0
    if what == FLOW:  # the wall of the scar is dry, its bottom soaked, with rafts of the old ground
        wet = ramp_kernel(deep + 0.5 * patch, 0.8, 2.6) * (1.0 - 0.42 * ramp_kernel(patch + 0.2 * grain, 1.3, 2.0))
    elif what == DAM:
        wet = 0.35 * ramp_kernel(deep + 0.6 * patch, 1.0, 4.0)
    for b in range(3):
        dry = _EARTH[_FRESH, b]
        pixel[b] = (dry + wet * (_EARTH[_WET_SCAR, b] - dry)) * (1.0 + 0.035 * grain + 0.03 * patch)


@kernel
def _mud_kernel(thick, grain, patch, pixel):  # type: ignore[no-untyped-def]
    """Streaks follow lines of equal thickness, which run along the flow; the rim is thin and wet."""
    bands = math.sin(6.0 * thick + 0.8 * patch) + 0.7 * math.sin(17.0 * thick + 1.1 * patch)
    raft = ramp_kernel(0.8 * patch + 0.4 * grain + 0.25 * bands, 1.75, 2.1)
    pool = ramp_kernel(-patch - 0.15 * grain, 1.6, 2.0)
    tone = (1.0 + 0.085 * bands + 0.04 * grain + 0.035 * patch) * (0.84 + 0.16 * ramp_kernel(thick, 0.1, 0.7))
    for b in range(3):
        value = _EARTH[_MUD, b] * tone
        value += 0.8 * raft * (_EARTH[_RAFT, b] * (1.0 + 0.06 * grain) - value)
        pixel[b] = value * (1.0 - 0.30 * pool) + pool * (6.0 + 5.0 * b)


@kernel
def _heap_kernel(y, x, large, grain, patch, pixel):  # type: ignore[no-untyped-def]
    """Rubble, of which one cell in three is a block, lighter than what lies around it and dark in its joints."""
    inside, own = blocks_kernel(y + 0.12 * patch, x + 0.12 * grain, 77)
    small, other = blocks_kernel(2.7 * y, 2.7 * x, 78)
    tone = (0.90 + 0.16 * other) * (0.90 + 0.10 * ramp_kernel(small, 0.0, 0.3)) * (1.0 + 0.05 * grain + 0.04 * patch)
    if own > 0.66:
        block = ramp_kernel(inside, 0.02, 0.20)
        tone += block * (0.92 + 0.36 * (own - 0.66) / 0.34 - tone) - 0.22 * block * (1.0 - block) * 4.0
    for b in range(3):
        value = _EARTH[_DRY, b]
        if large:
            value += 0.30 * (_EARTH[_WET_SCAR, b] - value)
        pixel[b] = value * tone


@kernel
def works_kernel(change, kind, frame, origin, tiles, albedo):  # type: ignore[no-untyped-def]
    """Pits with their spoil, ploughed and levelled fields; `change` in cm."""
    fine, coarse = tiles
    _, height, width = albedo.shape
    first, count = span_kernel(frame, width)
    line = np.empty(count, np.float32)
    for i in range(height):
        y = frame[0] + i * frame[2]
        near = min(max(int(y + 0.5), 0), kind.shape[0] - 1)
        row_kernel(change, y, first, line)
        for j in range(width):
            x = frame[1] + j * frame[2]
            what = kind[near, min(max(int(x + 0.5), 0), kind.shape[1] - 1)]
            if what == 0:
                continue
            k = math.floor(x) - first
            moved = line[k] + (x - first - k) * (line[k + 1] - line[k])
            grain = fine[(origin[0] + i) % fine.shape[0], (origin[1] + j) % fine.shape[0]] / 32.0
            patch = coarse[(origin[0] + i) % coarse.shape[0], (origin[1] + j) % coarse.shape[0]] / 32.0
            tone, of = 1.0 + 0.03 * grain + 0.02 * patch, 3
            if what == PIT:
                of = 0 if moved < 0 else 1
                tone += 0.07 * grain
            elif what == PLOUGHED:
                of = 2
                tone += 0.14 * min(max(moved / 12.0, -1.0), 1.0)
            for b in range(3):
                albedo[b, i, j] = _WORKS[of, b] * tone


@kernel
def laid_kernel(depth, colour, limits, frame, origin, tiles, albedo):  # type: ignore[no-untyped-def]
    """Snow or shrubs over the ground where their height in cm, made ragged, passes from the first limit to the second."""
    fine, coarse = tiles
    _, height, width = albedo.shape
    first, count = span_kernel(frame, width)
    line = np.empty(count, np.float32)
    for i in range(height):
        row_kernel(depth, frame[0] + i * frame[2], first, line)
        for j in range(width):
            x = frame[1] + j * frame[2]
            k = math.floor(x) - first
            thick = line[k] + (x - first - k) * (line[k + 1] - line[k])
            if thick <= 0:
                continue
            grain = fine[(origin[0] + i) % fine.shape[0], (origin[1] + j) % fine.shape[0]] / 32.0
            patch = coarse[(origin[0] + i) % coarse.shape[0], (origin[1] + j) % coarse.shape[0]] / 32.0
            share = ramp_kernel(thick + limits[2] * patch + limits[3] * grain, limits[0], limits[1])
            tone = 1.0 + limits[4] * grain
            for b in range(3):
                albedo[b, i, j] += share * (colour[0, b] * tone - albedo[b, i, j])


SNOW = _SNOW, np.array([4.0, 9.0, 2.5, 1.5, 0.012])
SHRUBS = _SHRUBS, np.array([25.0, 80.0, 18.0, 22.0, 0.16])


@kernel
def lake_kernel(depth, frame, origin, tiles, albedo):  # type: ignore[no-untyped-def]
    """Standing water, brown with loess; `depth` in m, negative on the shore, which is wet at its edge."""
    fine, coarse = tiles
    _, height, width = albedo.shape
    first, count = span_kernel(frame, width)
    line = np.empty(count, np.float32)
    for i in range(height):
        row_kernel(depth, frame[0] + i * frame[2], first, line)
        for j in range(width):
            x = frame[1] + j * frame[2]
            k = math.floor(x) - first
            deep = line[k] + (x - first - k) * (line[k + 1] - line[k])
            if deep < -0.4:
                continue
            grain = fine[(origin[0] + i) % fine.shape[0], (origin[1] + j) % fine.shape[0]] / 32.0
            patch = coarse[(origin[0] + i) % coarse.shape[0], (origin[1] + j) % coarse.shape[0]] / 32.0
            if deep < 0:
                damp = 0.72 + 0.28 * ramp_kernel(-deep + 0.04 * patch, 0.05, 0.4)
                for b in range(3):
                    albedo[b, i, j] *= damp
                continue
            for b in range(3):
                water = _LAKE[0, b] + ramp_kernel(deep, 0.0, 2.0) * (_LAKE[1, b] - _LAKE[0, b])
                albedo[b, i, j] = water * (1.0 + 0.012 * patch) + 0.8 * grain
