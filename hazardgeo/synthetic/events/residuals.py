"""Residuals: what neighbouring places shake more or less than a model says, together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float64]
RANGE_KM = 8.5  # of PGA where Vs30 is not clustered: Jayaram and Baker (2009), equation 17 at period 0
PGA_PGV_CORRELATION = 0.73
SOURCES = (
    "spatial correlation exp(-3 h / 8.5 km), Jayaram and Baker (2009), doi:10.1002/eqe.922, equations 17 and 20 for PGA "
    "(read in another program, not in the paper); PGV with the same range and a correlation of 0.73 with PGA: assumptions"
)


def correlation(distance_km: Field, range_km: float = RANGE_KM) -> Field:
    """Correlation of the within-event residuals of two places (Jayaram and Baker 2009, doi:10.1002/eqe.922, equation 20).

    >>> correlation(np.array([0.0, 8.5])).round(4)
    array([1.    , 0.0498])
    """
    return np.asarray(np.exp(-3.0 * distance_km / range_km))


def correlated(
    shape: tuple[int, int], *, spacing_km: tuple[float, float], rng: np.random.Generator, range_km: float = RANGE_KM
) -> tuple[Field, Field]:
    """Two independent Gaussian fields, mean 0 and standard deviation 1, whose nodes are correlated by `correlation`.

    `spacing_km` is that of rows and of columns. Circulant embedding (Dietrich and Newsam 1997,
    doi:10.1137/S1064827592240555): exact but for eigenvalues below 0, which are set to 0; the torus is at least twice the
    field and three ranges wider, where they are negligible.
    """
    size = [_torus(n, step, range_km) for n, step in zip(shape, spacing_km, strict=True)]
    lags = [step * np.minimum(np.arange(n), n - np.arange(n)) for n, step in zip(size, spacing_km, strict=True)]
    covariance = correlation(np.hypot(lags[0][:, None], lags[1][None, :]), range_km)
    power = np.maximum(np.fft.fft2(covariance).real, 0.0)
    noise = rng.standard_normal((2, *size))
    field = np.fft.fft2(np.sqrt(power / power.sum()) * (noise[0] + 1j * noise[1]))[: shape[0], : shape[1]]
    return np.asarray(field.real), np.asarray(field.imag)


def pair(shape: tuple[int, int], *, spacing_km: tuple[float, float], rng: np.random.Generator) -> tuple[Field, Field]:
    """Standard residuals of ln PGA and of ln PGV, correlated in space and with each other."""
    first, other = correlated(shape, spacing_km=spacing_km, rng=rng)
    return first, PGA_PGV_CORRELATION * first + np.sqrt(1 - PGA_PGV_CORRELATION**2) * other


def _torus(nodes: int, spacing_km: float, range_km: float) -> int:
    """Nodes of the torus along one axis: a power of two."""
    wanted = 2 * nodes + int(np.ceil(3 * range_km / spacing_km))
    return int(2 ** np.ceil(np.log2(wanted)))
