"""Site conditions from topography."""

from __future__ import annotations

import numpy as np
import pytest

from hazardgeo.errors import ConfigError
from hazardgeo.hazard import vs30_from_slope


def test_gradients_fall_into_their_classes():
    gradient = np.array([0.0, 1e-3, 5e-3, 0.01, 0.03, 0.07, 0.12, 0.2])
    expected = [90, 210, 270, 330, 425, 555, 690, 760]
    assert vs30_from_slope(np.degrees(np.arctan(gradient))).tolist() == expected
    stable = np.array([1e-5, 1e-3, 3e-3, 5e-3, 0.01, 0.015, 0.02, 0.03])
    assert vs30_from_slope(np.degrees(np.arctan(stable)), tectonics="stable").tolist() == expected


def test_steeper_is_never_softer():
    assert (np.diff(vs30_from_slope(np.linspace(0.0, 89.0, 500))) >= 0).all()


def test_unknown_slope_gives_unknown_vs30(make_raster):
    vs30 = vs30_from_slope(make_raster([[np.nan, 10.0]], unit="deg"))
    assert np.isnan(vs30.values[0, 0])
    assert vs30.values[0, 1] == 760
    assert vs30.unit == "m/s"


def test_other_tectonics_are_refused():
    with pytest.raises(ConfigError, match="use 'active' or 'stable'"):
        vs30_from_slope(1.0, tectonics="cratonic")
