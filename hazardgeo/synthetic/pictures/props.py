"""Props: roads, yards, roofs, vehicles, trees, cracks and the shadows they cast, drawn pixel by pixel.

Coordinates are in pixels of the block, columns then rows, counted from the outer edge of its first pixel. All kernels change
their last argument in place.
"""

from __future__ import annotations

import math

import numpy as np

from hazardgeo.kernel import kernel
from hazardgeo.synthetic.pictures.paint import AMBIENT
from hazardgeo.synthetic.pictures.soil import ramp_kernel
from hazardgeo.synthetic.pictures.texture import hash_kernel
from hazardgeo.synthetic.places.plants import BARE, EVERGREEN, SHRUB

ASPHALT, CONCRETE, DIRT, DECK, YARD, PAVED = 1, 2, 3, 4, 5, 6
HALF_PX = np.array([0.0, 15.0, 11.0, 8.0, 13.0, 0.0, 0.0])  # half the width of each road, in pixels of 0.2 m
_SHOULDER_PX, _PARAPET_PX, _WALL_PX = 4.0, 1.5, 1.6
_STEPS = 4.0  # of a pixel, in which distances are kept

# colours in full sun, indexed by the kinds above; chosen by eye, not measured
_COVER = np.array(
    [(0, 0, 0), (148, 146, 141), (193, 189, 178), (190, 167, 131), (184, 181, 174), (187, 164, 128), (176, 172, 163)], np.float32
)
_SHOULDER, _YARD_WALL = np.array([181.0, 160.0, 125.0]), np.array([150.0, 122.0, 92.0])
TILE, RED, BLUE, FLAT, MUD_ROOF, WHITE, SILVER, BLACK, RED_CAR, BLUE_TRUCK = range(10)
_ROOFS = np.array(
    [
        (122, 117, 111), (158, 84, 66), (62, 104, 168), (182, 177, 167), (176, 152, 117),
        (232, 233, 233), (176, 178, 180), (50, 50, 54), (150, 44, 40), (48, 84, 150),
    ],
    np.float32,
)  # fmt: skip
_CROWNS = np.zeros((3, 3), np.float32)
_CROWNS[[EVERGREEN, BARE, SHRUB]] = (66, 76, 50), (111, 97, 80), (117, 105, 71)


@kernel
def roads_kernel(pieces, cover, away):  # type: ignore[no-untyped-def]
    """Writes the kind of road and the distance to its middle; `pieces` are x, y of both ends and the kind."""
    rows, cols = cover.shape
    for p in range(pieces.shape[0]):
        x0, y0, x1, y1, of = pieces[p]
        kind = int(of)
        reach = HALF_PX[kind] + (_SHOULDER_PX if kind != DECK else 0.0)
        dx, dy = x1 - x0, y1 - y0
        squared = max(dx * dx + dy * dy, 1e-9)
        for i in range(max(int(min(y0, y1) - reach), 0), min(int(max(y0, y1) + reach) + 1, rows)):
            for j in range(max(int(min(x0, x1) - reach), 0), min(int(max(x0, x1) + reach) + 1, cols)):
                px, py = j + 0.5 - x0, i + 0.5 - y0
                share = min(max((px * dx + py * dy) / squared, 0.0), 1.0)
                d = math.hypot(px - share * dx, py - share * dy)
                if d > reach:
                    continue
                old = cover[i, j]
                if old == 0 or old >= YARD or d - HALF_PX[kind] < away[i, j] / _STEPS - HALF_PX[old]:
                    cover[i, j] = kind
                    away[i, j] = int(d * _STEPS)


@kernel
def depth_kernel(corners, x, y):  # type: ignore[no-untyped-def]
    """How far a place lies inside a convex shape, whose corners run either way; negative outside."""
    count = corners.shape[0]
    area = 0.0
    for a in range(count):
        b = (a + 1) % count
        area += corners[a, 0] * corners[b, 1] - corners[b, 0] * corners[a, 1]
    side = 1.0 if area > 0 else -1.0
    deep = 1e9
    for a in range(count):
        b = (a + 1) % count
        dx, dy = corners[b, 0] - corners[a, 0], corners[b, 1] - corners[a, 1]
        length = math.sqrt(dx * dx + dy * dy)
        if length > 1e-6:
            deep = min(deep, side * (dx * (y - corners[a, 1]) - dy * (x - corners[a, 0])) / length)
    return deep


@kernel
def box_kernel(corners, rows, cols):  # type: ignore[no-untyped-def]
    """The rows and columns of the block that a shape may touch: first and one past the last."""
    top, bottom = max(math.floor(corners[:, 1].min()) - 1, 0), min(math.ceil(corners[:, 1].max()) + 1, rows)
    left, right = max(math.floor(corners[:, 0].min()) - 1, 0), min(math.ceil(corners[:, 0].max()) + 1, cols)
    return top, bottom, left, right


@kernel
def shadows_kernel(corners, starts, strength, dark):  # type: ignore[no-untyped-def]
    """Convex shadows, the k-th between the k-th of `starts` and the next among all corners."""
    rows, cols = dark.shape
    for k in range(strength.size):
        shape = corners[starts[k] : starts[k + 1]]
        top, bottom, left, right = box_kernel(shape, rows, cols)
        for i in range(top, bottom):
            for j in range(left, right):
                share = min(max(depth_kernel(shape, j + 0.5, i + 0.5) + 0.5, 0.0), 1.0)
                dark[i, j] = max(dark[i, j], int(255.0 * strength[k] * share))


@kernel
def yards_kernel(corners, kinds, cover, away):  # type: ignore[no-untyped-def]
    """Yards with walls: `corners` (n, 4, 2); no yard lies over another."""
    rows, cols = cover.shape
    for k in range(kinds.size):
        top, bottom, left, right = box_kernel(corners[k], rows, cols)
        for i in range(top, bottom):
            for j in range(left, right):
                deep = depth_kernel(corners[k], j + 0.5, i + 0.5)
                if deep > 0 and cover[i, j] == 0:
                    cover[i, j] = kinds[k]
                    away[i, j] = min(int(deep * _STEPS), 255)


@kernel
def cover_kernel(cover, away, origin, tiles, albedo):  # type: ignore[no-untyped-def]
    """Colours roads, their shoulders and ruts, and yards with their walls."""
    fine, coarse = tiles
    rows, cols = cover.shape
    for i in range(rows):
        for j in range(cols):
            kind = cover[i, j]
            if kind == 0:
                continue
            grain = fine[(origin[0] + i) % fine.shape[0], (origin[1] + j) % fine.shape[0]] / 32.0
            patch = coarse[(origin[0] + i) % coarse.shape[0], (origin[1] + j) % coarse.shape[0]] / 32.0
            d, half = away[i, j] / _STEPS, HALF_PX[kind]
            tone, share = 1.0 + 0.02 * grain + 0.02 * patch, 1.0
            if kind >= YARD:
                wall = kind == YARD and d < _WALL_PX
                for b in range(3):
                    albedo[b, i, j] = tone * (_YARD_WALL[b] if wall else _COVER[kind, b])
                continue
            if kind == DECK:
                tone = 0.78 if half - d < _PARAPET_PX else 1.0
            elif kind == DIRT:
                tone -= 0.07 * (abs(d - 4.0) < 1.2) - 0.02 * grain
                share = 0.85
            elif kind == ASPHALT and (d < 0.5 or abs(d - half + 1.5) < 0.5):
                tone *= 1.13
            edge = min(max(half - d + 0.5 + 0.4 * patch, 0.0), 1.0)
            outer = 0.7 * ramp_kernel(half + _SHOULDER_PX - d + patch, 0.0, _SHOULDER_PX) if kind != DECK else 0.0
            for b in range(3):
                beside = albedo[b, i, j] + outer * (_SHOULDER[b] * tone - albedo[b, i, j])
                albedo[b, i, j] = beside + edge * share * (_COVER[kind, b] * tone - beside)


@kernel
def roofs_kernel(corners, kinds, lights, seeds, own, albedo):  # type: ignore[no-untyped-def]
    """Roofs with a ridge along their first side, or vehicles; `lights` on the half at the first side and on the other."""
    _, rows, cols = albedo.shape
    for k in range(kinds.size):
        shape, kind = corners[k], int(kinds[k])
        side, front = shape[1] - shape[0], shape[3] - shape[0]
        long, wide = math.hypot(side[0], side[1]), math.hypot(front[0], front[1])
        top, bottom, left, right = box_kernel(shape, rows, cols)
        age = 0.9 + 0.2 * hash_kernel(seeds[k], 1, 5)
        for i in range(top, bottom):
            for j in range(left, right):
                deep = depth_kernel(shape, j + 0.5, i + 0.5)
                share = min(max(deep + 0.5, 0.0), 1.0)
                if share == 0.0:
                    continue
                px, py = j + 0.5 - shape[0, 0], i + 0.5 - shape[0, 1]
                s, t = (px * side[0] + py * side[1]) / long, (px * front[0] + py * front[1]) / wide
                direct = lights[k, 0] if t < 0.5 * wide else lights[k, 1]
                tone = age * _roof_tone_kernel(kind, s, t, wide, deep)
                tone *= 1.0 + 0.03 * (hash_kernel(int(s), int(t), seeds[k]) - 0.5)
                for b in range(3):
                    lit = AMBIENT[b] + (1.0 - AMBIENT[b]) * direct
                    albedo[b, i, j] += share * (_ROOFS[kind, b] * tone * lit - albedo[b, i, j])
                own[i, j] = max(own[i, j], int(255.0 * share))


@kernel
def _roof_tone_kernel(kind, s, t, wide, deep):  # type: ignore[no-untyped-def]
    """`s` along the ridge and `t` across it, in pixels."""
    if kind >= WHITE:  # vehicles, whose first side is an end
        return 0.45 if 0.18 < t / wide < 0.32 else 1.0
    if kind == FLAT:
        return 0.82 if deep < 1.5 else 1.0
    ridge = 1.12 if abs(t - 0.5 * wide) < 0.8 else 1.0
    rows = s / (3.0 if kind in (TILE, RED) else 4.5)
    wave = rows - math.floor(rows) - 0.5
    return ridge * (1.0 + 0.14 * wave) * (0.86 if deep < 0.9 else 1.0)


@kernel
def crown_shadows_kernel(crowns, along, numbers, dark):  # type: ignore[no-untyped-def]
    """Shadows of trees: x, y, half length, half width in pixels, strength and kind; `along` is the way of all shadows."""
    rows, cols = dark.shape
    for k in range(crowns.shape[0]):
        x, y, long, wide, strength, of = crowns[k]
        reach = max(long, wide) + 1.0
        for i in range(max(int(y - reach), 0), min(int(y + reach) + 1, rows)):
            for j in range(max(int(x - reach), 0), min(int(x + reach) + 1, cols)):
                px, py = j + 0.5 - x, i + 0.5 - y
                a, b = (px * along[0] + py * along[1]) / long, (py * along[0] - px * along[1]) / wide
                d = a * a + b * b
                if d < 1.0:
                    lace = 1.0 if of == EVERGREEN else 0.55 + 0.45 * hash_kernel(int(4 * px + 900), int(4 * py + 900), numbers[k])
                    value = strength * lace * min(3.0 * (1.0 - d), 1.0)
                    dark[i, j] = max(dark[i, j], int(255.0 * value))


@kernel
def crowns_kernel(crowns, sun, origin, fine, own, albedo):  # type: ignore[no-untyped-def]
    """Crowns of trees and shrubs seen from above: x, y, radius in pixels, kind; `sun` is the way to it in the picture."""
    _, rows, cols = albedo.shape
    for k in range(crowns.shape[0]):
        x, y, radius, of = crowns[k]
        kind = int(of)
        reach = 1.3 * radius + 1.0
        for i in range(max(int(y - reach), 0), min(int(y + reach) + 1, rows)):
            for j in range(max(int(x - reach), 0), min(int(x + reach) + 1, cols)):
                px, py = (j + 0.5 - x) / radius, (i + 0.5 - y) / radius
                grain = fine[(origin[0] + i) % fine.shape[0], (origin[1] + j) % fine.shape[0]] / 32.0
                d = math.hypot(px, py) + 0.16 * grain
                share = min(max((1.0 - d) * radius + 0.5, 0.0), 1.0)
                if share == 0.0:
                    continue
                if kind == BARE:
                    share *= 0.60 if grain > -0.3 else 0.18
                elif kind == SHRUB:
                    share *= 0.75
                tone = 0.92 + 0.34 * (px * sun[0] + py * sun[1]) + 0.13 * grain
                for b in range(3):
                    albedo[b, i, j] += share * (_CROWNS[kind, b] * tone - albedo[b, i, j])
                own[i, j] = max(own[i, j], int(255.0 * share))


@kernel
def cracks_kernel(pieces, albedo):  # type: ignore[no-untyped-def]
    """Open cracks, dark inside: x, y of both ends and the width, in pixels."""
    _, rows, cols = albedo.shape
    for p in range(pieces.shape[0]):
        x0, y0, x1, y1, wide = pieces[p]
        dx, dy = x1 - x0, y1 - y0
        squared = max(dx * dx + dy * dy, 1e-9)
        reach = 0.5 * wide + 1.0
        for i in range(max(int(min(y0, y1) - reach), 0), min(int(max(y0, y1) + reach) + 1, rows)):
            for j in range(max(int(min(x0, x1) - reach), 0), min(int(max(x0, x1) + reach) + 1, cols)):
                px, py = j + 0.5 - x0, i + 0.5 - y0
                along = (px * dx + py * dy) / squared
                if along < 0.0 or along >= 1.0:
                    continue
                d = math.hypot(px - along * dx, py - along * dy)
                share = min(max(0.5 * wide - d + 0.5, 0.0), wide, 1.0)
                for b in range(3):
                    albedo[b, i, j] *= 1.0 - 0.72 * share
