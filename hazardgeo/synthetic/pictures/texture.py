"""Texture: random patterns fixed to the ground, the same in whichever block they are asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hazardgeo.kernel import kernel

PIXEL_M = 0.2
UNIT = 32.0  # an int8 of a tile over this is in standard deviations
_FINE, _COARSE = 1024, 1440  # pixels; periods that differ, so that no pattern repeats within the valley
_FINE_M, _COARSE_M = (0.9, 2.4), (1.6, 14.0)  # shortest and longest waves
_KEPT = 0.8  # share of the fine pattern that is the same in every epoch; the rest is of the day

Tile = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Textures:
    """Two periodic patterns of pixels of 0.2 m, in standard deviations times 32: fine grain, and patches of a few metres."""

    fine: Tile
    coarse: Tile


def textures(seed: int, *, epoch: int, shift_m: tuple[float, float]) -> Textures:
    """The patterns of an epoch, moved by `shift_m` (east, north) exactly, so that they tell of the shift like all else."""
    fine = _KEPT * _waves(_FINE, _FINE_M, shift_m, np.random.default_rng([seed, 1]))
    fine += math.sqrt(1 - _KEPT**2) * _waves(_FINE, _FINE_M, shift_m, np.random.default_rng([seed, 2, epoch]))
    return Textures(_tile(fine), patches(seed, shift_m=shift_m))


def patches(seed: int, *, shift_m: tuple[float, float]) -> Tile:
    """The pattern of patches alone, the same in every epoch but for the shift."""
    return _tile(_waves(_COARSE, _COARSE_M, shift_m, np.random.default_rng([seed, 3])))


def _waves(
    size: int, range_m: tuple[float, float], shift_m: tuple[float, float], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Periodic noise with equal power in each octave between two wavelengths, of mean 0 and standard deviation 1."""
    down = np.fft.fftfreq(size, PIXEL_M)[:, None]
    right = np.fft.rfftfreq(size, PIXEL_M)[None, :]
    per_m = np.hypot(down, right)
    band = (per_m > 1 / range_m[1]) & (per_m < 1 / range_m[0])
    spectrum = np.fft.rfft2(rng.standard_normal((size, size)))
    spectrum *= np.where(band, 1 / np.maximum(per_m, 1e-9), 0.0)
    spectrum *= np.exp(2j * math.pi * (down * shift_m[1] - right * shift_m[0]))
    noise = np.fft.irfft2(spectrum, s=(size, size))
    return np.asarray(noise / noise.std())


def _tile(noise: NDArray[np.float64]) -> Tile:
    return np.clip(np.rint(noise * UNIT), -127, 127).astype(np.int8)


@kernel
def hash_kernel(a, b, seed):  # type: ignore[no-untyped-def]
    """A number from 0 to 1 that depends on two whole numbers and a seed only (splitmix64, Steele 2014)."""
    z = np.uint64(a) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(b) * np.uint64(0xC2B2AE3D27D4EB4F) + np.uint64(seed)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return float((z ^ (z >> np.uint64(31))) >> np.uint64(40)) / 16777216.0


@kernel
def smooth_kernel(tile, y, x):  # type: ignore[no-untyped-def]
    """A tile at any place in pixels, between its values, in standard deviations."""
    size = tile.shape[0]
    i, j = math.floor(y), math.floor(x)
    fy, fx = y - i, x - j
    i0, j0 = int(i) % size, int(j) % size
    i1, j1 = (i0 + 1) % size, (j0 + 1) % size
    upper = tile[i0, j0] + fx * (float(tile[i0, j1]) - tile[i0, j0])
    lower = tile[i1, j0] + fx * (float(tile[i1, j1]) - tile[i1, j0])
    return (upper + fy * (lower - upper)) / 32.0


@kernel
def blocks_kernel(y, x, seed):  # type: ignore[no-untyped-def]
    """Cellular noise (Worley 1996): how far a place is inside its block (0 at a joint), and the block's own number 0 to 1."""
    i, j = math.floor(y), math.floor(x)
    nearest, second, own = 9.0, 9.0, 0.0
    for a in range(i - 1, i + 2):
        for b in range(j - 1, j + 2):
            dy = a + hash_kernel(a, b, seed) - y
            dx = b + hash_kernel(a, b, seed + 1) - x
            d = dy * dy + dx * dx
            if d < nearest:
                second, nearest = nearest, d
                own = hash_kernel(a, b, seed + 2)
            elif d < second:
                second = d
    return math.sqrt(second) - math.sqrt(nearest), own
