"""Paint: open ground and fields in pixels of an orthomosaic, and the light on them.

A block of pixels is a `frame` (row and column of its first pixel among the centres of the cells, pixels as a share of a
cell) with an `origin` (its first row and column among all pixels). Kernels change `albedo` (3, rows, columns) in place:
the colour in full sun on level ground, 0 to 255. Everything depends on the place alone, so that blocks have no seams.
"""

from __future__ import annotations

import math

import numpy as np

from hazardgeo.kernel import kernel
from hazardgeo.synthetic.pictures.soil import ramp_kernel
from hazardgeo.synthetic.pictures.texture import hash_kernel

# colours of fields, their soil between rows, and how much their rows stand out; chosen by eye, not measured
FIELDS = np.array(
    [
        (181, 160, 129, 0.03),  # harrowed
        (150, 128, 101, 0.11),  # ploughed
        (190, 172, 137, 0.06),  # stubble
        (147, 139, 106, 0.09),  # winter wheat
        (192, 188, 177, 0.30),  # strips of plastic film
        (168, 150, 119, 0.05),  # stalks left lying
        (195, 174, 141, 0.02),  # bare and dry
    ],
    np.float32,
)
_SHARES = np.array([0.26, 0.44, 0.66, 0.75, 0.80, 0.90, 1.0])  # cumulative
_FILM = 4
_NARROW_ROWS, _WIDE_ROWS = 9.0, 27.0
AMBIENT = np.array([0.39, 0.415, 0.46], np.float32)  # of the light on level ground in the sun: the sky, bluish
_BRIGHTEST, _BENT_FROM = 1.32, 205.0


@kernel
def row_kernel(values, y, first, line):  # type: ignore[no-untyped-def]
    """A row of a raster of cells between two of its rows, from column `first` on; beyond the edges the edge goes on."""
    rows, cols = values.shape
    y = min(max(y, 0.0), rows - 1.0)
    i = min(int(y), rows - 2)
    share = np.float32(y - i)
    for k in range(line.size):
        c = min(max(first + k, 0), cols - 1)
        upper = np.float32(values[i, c])
        line[k] = upper + share * (np.float32(values[i + 1, c]) - upper)


@kernel
def span_kernel(frame, width):  # type: ignore[no-untyped-def]
    """The first cell that a block needs, and how many."""
    return math.floor(frame[1]), int(width * frame[2]) + 4


@kernel
def columns_kernel(frame, width):  # type: ignore[no-untyped-def]
    """For each column of pixels the cell before it, counted from the first that the block needs, and the share beyond it."""
    first = math.floor(frame[1])
    before, share = np.empty(width, np.uint32), np.empty(width, np.float32)
    for j in range(width):
        x = frame[1] + j * frame[2]
        before[j] = np.uint32(math.floor(x) - first)
        share[j] = x - math.floor(x)
    return before, share


@kernel
def wrapped_kernel(start, width, size):  # type: ignore[no-untyped-def]
    """Places in a periodic pattern."""
    result = np.empty(width, np.uint32)
    for j in range(width):
        result[j] = np.uint32((start + j) % size)
    return result


@kernel
def between_kernel(line, before, share, out):  # type: ignore[no-untyped-def]
    """Values for all columns of pixels from those of cells."""
    step = np.zeros(line.size, np.float32)
    step[:-1] = np.diff(line)
    for j in range(out.size):
        out[j] = line[before[j]] + share[j] * step[before[j]]


@kernel
def ground_kernel(colour, kinds, frame, origin, tiles, albedo):  # type: ignore[no-untyped-def]
    """Open ground with tufts of grass, and fields where the ground is farmed."""
    rough, farmed, contour, narrow, cell_m = kinds
    fine, coarse = tiles
    _, height, width = albedo.shape
    first, count = span_kernel(frame, width)
    line, row = np.empty(count, np.float32), np.empty((6, width), np.float32)
    before, share = columns_kernel(frame, width)
    fine_at, coarse_at = wrapped_kernel(origin[1], width, fine.shape[0]), wrapped_kernel(origin[1], width, coarse.shape[0])
    nearest, _ = nearest_kernel(frame, width, narrow.shape[1])
    east = ((frame[1] + frame[2] * np.arange(width) + 0.5) * cell_m).astype(np.float32)
    for i in range(height):
        y = frame[0] + i * frame[2]
        for b in range(3):
            row_kernel(colour[b], y, first, line)
            between_kernel(line, before, share, albedo[b, i])
        row_kernel(rough, y, first, line)
        between_kernel(line, before, share, row[0])
        row_kernel(farmed, y, first, line)
        between_kernel(line, before, share, row[1])
        row_kernel(contour, y, first, line)
        between_kernel(line, before, share, row[2])
        fine_row, coarse_row = fine[(origin[0] + i) % fine.shape[0]], coarse[(origin[0] + i) % coarse.shape[0]]
        for j in range(width):
            row[3, j] = np.float32(fine_row[fine_at[j]]) * np.float32(1 / 32)
            row[4, j] = np.float32(coarse_row[coarse_at[j]]) * np.float32(1 / 32)
        for j in range(width):
            grain, patch, tufts = row[3, j], row[4, j], row[0, j] * np.float32(1 / 255)
            tone = np.float32(1.0) + np.float32(0.016) * patch + (np.float32(0.015) + np.float32(0.030) * tufts) * grain
            tufted = grain + np.float32(0.8) * patch > np.float32(2.5) - np.float32(1.6) * tufts
            row[5, j] = tone * np.float32(0.87) if tufted else tone
        _fields_kernel(row, east, narrow[min(max(int(y + 0.5), 0), narrow.shape[0] - 1)], nearest, albedo[:, i])
        for b in range(3):
            for j in range(width):
                albedo[b, i, j] *= row[5, j]


@kernel
def nearest_kernel(frame, width, size):  # type: ignore[no-untyped-def]
    """The cell that holds each column of pixels, the outermost beyond the edges; and where it is beyond."""
    result, beyond = np.empty(width, np.uint32), np.empty(width, np.bool_)
    for j in range(width):
        col = math.floor(frame[1] + j * frame[2] + 0.5)
        result[j] = np.uint32(min(max(col, 0), size - 1))
        beyond[j] = col < 0 or col >= size
    return result, beyond


@kernel
def _fields_kernel(row, east, narrow, nearest, albedo):  # type: ignore[no-untyped-def]
    """The fields of one row of pixels: their colours into `albedo`, how bright they are into the last of the rows.

    Fields come in strips up the slope; a strip is as wide as the third of the rows takes to rise by 1.
    """
    nothing = np.float32(1e18)
    strip, number, beginning, kind, tint, across, terrace = nothing, nothing, np.float32(0.0), -1, np.float32(1.0), False, False
    length, of_length, wide, rows = np.float32(1.0), np.float32(1.0), np.float32(1.0), np.float32(1.0)
    half, one, skew = np.float32(0.5), np.float32(1.0), np.float32(0.0)
    for j in range(row.shape[1]):
        patch = row[4, j]
        if row[1, j] <= np.float32(128.0) + np.float32(16.0) * patch:
            continue
        here = np.floor(row[2, j])
        inside = row[2, j] - here
        if here != strip:
            strip, number = here, nothing
            length = np.float32(42.0 + 70.0 * hash_kernel(int(strip), 1, 11))
            of_length, beginning = one / length, np.float32(9.0 * hash_kernel(int(strip), 2, 11))
            skew = np.float32(0.7 * hash_kernel(int(strip), 3, 11) - 0.35)
        along = east[j] * of_length + skew * inside + beginning
        which = np.floor(along)
        if which != number or narrow[nearest[j]] != terrace:
            number, terrace, kind = which, narrow[nearest[j]], 0
            chance = hash_kernel(int(strip), int(number), 21)
            while _SHARES[kind] < chance:
                kind += 1
            kind = 2 if kind == _FILM and terrace else kind
            tint = np.float32(0.93 + 0.12 * hash_kernel(int(strip), int(number), 22))
            across = hash_kernel(int(strip), int(number), 23) < 0.3 and not terrace
            wide, rows = np.float32(12.0 if terrace else 30.0), np.float32(_NARROW_ROWS if terrace else _WIDE_ROWS)
        for b in range(3):
            albedo[b, j] = FIELDS[kind, b]
        tone = tint * (one + np.float32(0.016) * patch + np.float32(0.014) * row[3, j])
        to_side, to_end = wide * (half - abs(inside - half)), length * (half - abs(along - number - half))
        if min(to_side, to_end) < np.float32(0.35) + np.float32(0.12) * patch:
            row[5, j] = np.float32(0.90) * tone
            continue
        phase = east[j] * np.float32(0.8) if across else inside * rows
        wave = np.float32(4.0) * abs(phase - np.floor(phase) - half) - one
        if kind == _FILM:
            wave = np.float32(0.1) if wave > np.float32(-0.3) else np.float32(-0.9)
        row[5, j] = tone * (one + FIELDS[kind, 3] * wave)


@kernel
def lit_kernel(albedo, sunlight, covers, frame, exposure, picture):  # type: ignore[no-untyped-def]
    """The picture (4, rows, columns): albedo under sun and sky, with the gains of the camera; 0 where nobody flew.

    Colours come in steps of 4, finer than their grain, which makes the files a third smaller. `covers`: shadows of things,
    and how far a thing has its own light (a roof), both 0 to 255; and where an aircraft flew.
    """
    light, shade = sunlight
    dark, own, flown = covers
    _, height, width = albedo.shape
    first, count = span_kernel(frame, width)
    line, row = np.empty(count, np.float32), np.empty((2, width), np.float32)
    before, share = columns_kernel(frame, width)
    one, byte = np.float32(1.0), np.float32(1 / 255)
    seen = np.zeros(width, np.int32)
    nearest, beyond = nearest_kernel(frame, width, flown.shape[1])
    for i in range(height):
        y = frame[0] + i * frame[2]
        at = math.floor(y + 0.5)
        within = 0 <= at < flown.shape[0]
        for j in range(width):
            seen[j] = within and not beyond[j] and flown[at if within else 0, nearest[j]]
        row_kernel(light, y, first, line)
        between_kernel(line, before, share, row[0])
        row_kernel(shade, y, first, line)
        between_kernel(line, before, share, row[1])
        for j in range(width):
            sky = min(max(np.float32(0.5) - np.float32(2 / 32) * row[1, j], np.float32(0.0)), one)
            direct = row[0, j] * (one - np.float32(dark[i, j]) * byte)
            row[0, j] = sky * (direct + np.float32(own[i, j]) * byte * (one - direct))
        for b in range(3):
            gain, haze, ambient = exposure[0, b], exposure[1, b], AMBIENT[b]
            for j in range(width):
                value = albedo[b, i, j] * gain * min(ambient + (one - ambient) * row[0, j], np.float32(_BRIGHTEST)) + haze
                value -= np.float32(0.55) * max(value - np.float32(_BENT_FROM), np.float32(0.0))  # sensors bend the lights
                picture[b, i, j] = (np.int32(min(max(value, np.float32(2.0)), np.float32(253.0))) + 2 & 252) * seen[j]
        for j in range(width):
            picture[3, i, j] = 255 * seen[j]


@kernel
def river_kernel(bed, frame, cell_m, tiles, origin, albedo):  # type: ignore[no-untyped-def]
    """A braided river in winter: threads of dark water with ice along them between bars of gravel.

    `bed`: row of the river's middle for every column of cells, its slant (cosine), half its width in m, and how much of
    its water flows there (1, less below a dam).
    """
    middle, slant, half, flow = bed
    fine, coarse = tiles
    _, height, width = albedo.shape
    first, count = span_kernel(frame, width)
    near = middle[max(first, 0) : max(first + count, 1)]
    reach = 2.0 * half / cell_m
    if near.size == 0 or near.min() - reach > frame[0] + height * frame[2] or near.max() + reach < frame[0]:
        return
    for j in range(width):
        x = frame[1] + j * frame[2]
        k = min(max(int(x), 0), middle.size - 2)
        f = min(max(x - k, 0.0), 1.0)
        centre, run = middle[k] + f * (middle[k + 1] - middle[k]), (x + 0.5) * cell_m
        sway = math.sin(run / 17.0) + 0.6 * math.sin(run / 7.3 + 1.3)
        threads = 0.30 * half * sway, -0.34 * half * sway + 0.28 * half * math.sin(run / 29.0)
        for i in range(height):
            aside = (frame[0] + i * frame[2] - centre) * cell_m * slant[k]
            if abs(aside) > 1.6 * half:
                continue
            patch = coarse[(origin[0] + i) % coarse.shape[0], (origin[1] + j) % coarse.shape[0]] / 32.0
            grain = fine[(origin[0] + i) % fine.shape[0], (origin[1] + j) % fine.shape[0]] / 32.0
            inside = half + 0.35 * patch - abs(aside)
            gravel = ramp_kernel(inside + 0.3 * half, 0.0, 0.3 * half) * (0.65 if inside < 0 else 1.0)
            wide = 0.36 * half * flow[k] * (1.0 + 0.12 * patch)
            deep = max(wide - abs(aside - threads[0]), 0.72 * wide - abs(aside - threads[1]))
            tone = 1.0 + 0.05 * grain + 0.03 * patch
            for b in range(3):
                value = albedo[b, i, j] + gravel * (_RIVER[0, b] * tone - albedo[b, i, j])
                if inside > 0.4 and deep > 0.0:
                    value = _RIVER[1, b] + ramp_kernel(deep, 0.2, 1.6) * (_RIVER[2, b] - _RIVER[1, b]) + 2.0 * grain
                    if deep < 0.35 + 0.6 * patch:
                        value = _RIVER[3, b] + 5.0 * grain
                albedo[b, i, j] = value


_RIVER = np.array([(170, 160, 142), (122, 120, 102), (78, 90, 84), (206, 214, 217)], np.float32)  # bars, shallow, deep, ice
