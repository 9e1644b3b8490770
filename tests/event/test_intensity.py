from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import geopandas
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from hazardgeo.errors import CrsError, HazardGeoWarning, InputError, MissingColumnError
from hazardgeo.event import (
    Earthquake,
    intensity_from_pga,
    intensity_from_pgv,
    intensity_shaking,
    peaks_from_intensity,
)
from hazardgeo.grid import Grid

QUAKE = Earthquake(6.2, 102.8, 35.7, 10.0, datetime(2023, 12, 18, 15, 59, 30, tzinfo=UTC))
MakeGrid = Callable[..., Grid]


def zones(*parts: tuple[shapely.Geometry, float], scale: str = "csi", wide: float = 0.0) -> geopandas.GeoDataFrame:
    values = [value for _, value in parts]
    columns = {
        "intensity": values,
        "intensity_low": [v - wide for v in values],
        "intensity_high": [v + wide for v in values],
        "scale": scale,
    }
    return geopandas.GeoDataFrame(columns, geometry=[shape for shape, _ in parts], crs=32648)


def box(west: float, south: float, east: float, north: float) -> shapely.Polygon:
    return shapely.box(500_000 + west, 4_000_000 + south, 500_000 + east, 4_000_000 + north)


def test_chinese_degrees_have_the_motion_of_table_a1() -> None:
    found = peaks_from_intensity(np.array([6.0, 7.0, 8.0, 9.0]), scale="csi")
    np.testing.assert_allclose(found.pga_g * 9.80665, [0.653, 1.35, 2.79, 5.77], rtol=1e-12)
    np.testing.assert_allclose(found.pgv_cm_s, [5.57, 12.0, 25.8, 55.5], rtol=1e-12)


@pytest.mark.parametrize(
    ("degree", "pga_m_s2", "pgv_m_s"),
    [  # class limits of table A.1
        (6, (0.457, 0.936), (0.0381, 0.0817)),
        (7, (0.937, 1.94), (0.0818, 0.176)),
        (8, (1.95, 4.01), (0.177, 0.378)),
        (9, (4.02, 8.30), (0.379, 0.814)),
        (10, (8.31, 17.2), (0.815, 1.75)),
        (11, (17.3, 35.5), (1.76, 3.77)),
    ],
)
def test_each_degree_lies_in_its_class_and_half_degrees_on_its_limits(
    degree: int, pga_m_s2: tuple[float, float], pgv_m_s: tuple[float, float]
) -> None:
    found = peaks_from_intensity(np.array([degree, degree - 0.5]), scale="csi")
    assert pga_m_s2[0] < found.pga_g[0] * 9.80665 < pga_m_s2[1]
    assert pgv_m_s[0] < found.pgv_cm_s[0] / 100 < pgv_m_s[1]
    assert found.pga_g[1] * 9.80665 == pytest.approx(pga_m_s2[0], rel=0.035)
    assert found.pgv_cm_s[1] / 100 == pytest.approx(pgv_m_s[0], rel=0.035)


def test_the_degrees_follow_the_formulas_of_the_standard() -> None:
    """Appendix A: I = 3.17 lg PGA + 6.59 and I = 3.00 lg PGV + 9.77, in m/s2 and m/s."""
    degrees = np.arange(2.0, 12.0)
    found = peaks_from_intensity(degrees, scale="csi")
    np.testing.assert_allclose(3.17 * np.log10(found.pga_g * 9.80665) + 6.59, degrees, atol=0.05)
    np.testing.assert_allclose(3.00 * np.log10(found.pgv_cm_s / 100) + 9.77, degrees, atol=0.05)


def test_mercalli_intensity_is_the_inverse_of_worden() -> None:
    found = peaks_from_intensity(np.array([8.0, 3.0]), scale="mmi")
    np.testing.assert_allclose(found.pga_g, [10 ** ((8 + 1.60) / 3.70) / 980.665, 10 ** ((3 - 1.78) / 1.55) / 980.665])
    np.testing.assert_allclose(found.pgv_cm_s, [10 ** ((8 - 2.89) / 3.16), 10 ** ((3 - 3.78) / 1.47)])
    np.testing.assert_allclose(intensity_from_pga(found.pga_g), [8, 3], rtol=1e-12)
    np.testing.assert_allclose(intensity_from_pgv(found.pgv_cm_s), [8, 3], rtol=1e-12)


def test_sigma_joins_the_scatter_with_the_width_of_the_class() -> None:
    found = peaks_from_intensity(np.array([7.0]), scale="csi")
    step = 0.5 * np.log(2.79 / 0.653)  # from the middle of VI-VII to the middle of VII-VIII
    assert found.sigma_ln_pga[0] == pytest.approx(np.hypot(0.35 * np.log(10), step / np.sqrt(12)), rel=1e-9)
    mercalli = peaks_from_intensity(np.array([7.0, 7.0]), scale="mmi", degrees=np.array([1.0, 2.0]))
    expected = [np.hypot(0.38 * np.log(10), width * np.log(10) / 3.16 / np.sqrt(12)) for width in (1, 2)]
    np.testing.assert_allclose(mercalli.sigma_ln_pgv, expected, rtol=1e-9)


@given(st.floats(1, 10), st.floats(1, 10), st.sampled_from(["csi", "mmi"]))
def test_more_intensity_is_never_less_motion(a: float, b: float, scale: str) -> None:
    low, high = sorted((a, b))
    found = peaks_from_intensity(np.array([low, high]), scale=scale)
    assert found.pga_g[0] <= found.pga_g[1] * 1.01  # the pieces of Worden et al. meet only to the digits printed
    assert found.pgv_cm_s[0] <= found.pgv_cm_s[1] * 1.01


def test_what_lies_outside_a_relation_is_unknown() -> None:
    for scale, values in (("csi", [0.5, 11.5, 12.0, np.nan]), ("mmi", [0.5, 10.5, 12.0, np.nan])):
        found = peaks_from_intensity(np.array(values), scale=scale)
        for layer in (found.pga_g, found.pgv_cm_s, found.sigma_ln_pga, found.sigma_ln_pgv):
            assert np.isnan(layer).all()
    with pytest.raises(InputError, match="the intensity scale 'jma' is not known; use one of csi, mmi"):
        peaks_from_intensity(np.array([5.0]), scale="jma")


def test_nested_zones_and_rings_give_the_same_field_unknown_outside(make_grid: MakeGrid) -> None:
    grid = make_grid(1, 4)
    outer, inner = box(1, -1, 4, 0), box(2, -1, 3, 0)
    nested = intensity_shaking(zones((inner, 8.0), (outer, 7.0)), grid, earthquake=QUAKE)
    rings = intensity_shaking(zones((outer.difference(inner), 7.0), (inner, 8.0)), grid, earthquake=QUAKE)
    for shaking in (nested, rings):
        assert shaking.pga_g is not None
        assert shaking.pgv_cm_s is not None
        assert shaking.mmi is None
        assert np.isnan(shaking.pga_g.values[0, 0])
        assert shaking.pga_g.values[0, 2] == pytest.approx(2.79 / 9.80665)
        assert shaking.pgv_cm_s.values[0, 2] == pytest.approx(25.8)
        assert all(np.isnan(layer.values[0, 0]) for layer in shaking.layers.values())
    assert "zones of Chinese seismic intensity VII to VIII" in nested.source
    assert "GB/T 17742-2020" in nested.source
    assert "Outside the zones shaking is unknown" in nested.source
    assert nested.pga_g is not None
    assert "not read" in nested.pga_g.tags["unverified"]


def test_the_highest_intensity_that_touches_a_cell_counts(make_grid: MakeGrid) -> None:
    shaking = intensity_shaking(zones((box(0, -1, 3, 0), 6.0), (box(0, -1, 1.1, 0), 9.0)), make_grid(1, 4), earthquake=QUAKE)
    assert shaking.pga_g is not None
    np.testing.assert_allclose(shaking.pga_g.values[0] * 9.80665, [5.77, 5.77, 0.653, np.nan], rtol=1e-6)


def test_a_hole_that_no_zone_fills_is_unknown(make_grid: MakeGrid) -> None:
    ring = box(0, -3, 3, 0).difference(box(1, -2, 2, -1))
    shaking = intensity_shaking(zones((ring, 6.0)), make_grid(3, 3), earthquake=QUAKE)
    assert shaking.pga_g is not None
    assert np.isnan(shaking.pga_g.values[1, 1])


def test_mercalli_zones_fill_the_intensity_and_wide_classes_have_wider_sigmas(make_grid: MakeGrid) -> None:
    narrow = intensity_shaking(zones((box(0, -1, 2, 0), 6.5), scale="mmi"), make_grid(1, 2), earthquake=QUAKE)
    wide = intensity_shaking(zones((box(0, -1, 2, 0), 6.5), scale="mmi", wide=0.5), make_grid(1, 2), earthquake=QUAKE)
    assert narrow.mmi is not None
    assert narrow.mmi.values.tolist() == [[6.5, 6.5]]
    assert narrow.sigma_ln_pga is not None
    assert wide.sigma_ln_pga is not None
    assert (wide.sigma_ln_pga.values > narrow.sigma_ln_pga.values).all()


def test_a_degree_that_the_relation_does_not_know_is_unknown_and_not_the_zone_around(make_grid: MakeGrid) -> None:
    found = zones((box(0, -1, 2, 0), 11.0), (box(0, -1, 1, 0), 12.0))
    with pytest.warns(HazardGeoWarning, match=r"intensity 12 lies outside GB/T 17742-2020"):
        shaking = intensity_shaking(found, make_grid(1, 2), earthquake=QUAKE)
    assert shaking.pga_g is not None
    assert np.isnan(shaking.pga_g.values[0, 0])


def test_zones_that_cannot_be_used_are_refused(make_grid: MakeGrid) -> None:
    grid, good = make_grid(1, 2), zones((box(0, -1, 2, 0), 7.0))
    with pytest.raises(MissingColumnError, match="no column 'intensity_low'"):
        intensity_shaking(good.drop(columns="intensity_low"), grid, earthquake=QUAKE)
    with pytest.raises(InputError, match="no isoseismals"):
        intensity_shaking(good.iloc[:0], grid, earthquake=QUAKE)
    with pytest.raises(InputError, match="must be polygons, not LineString"):
        intensity_shaking(good.set_geometry(good.boundary), grid, earthquake=QUAKE)
    with pytest.raises(InputError, match="1 isoseismals have no intensity"):
        intensity_shaking(good.assign(intensity=np.nan), grid, earthquake=QUAKE)
    with pytest.raises(InputError, match="scales ems"):
        intensity_shaking(good.assign(scale="ems"), grid, earthquake=QUAKE)
    with pytest.raises(CrsError, match="project them first"):
        intensity_shaking(good.to_crs(4326), grid, earthquake=QUAKE)


def test_the_zones_of_jishishan_cover_what_the_survey_published() -> None:
    """VIII 331, VII 1,514 and VI 6,519 km2 inside an ellipse of 124 x 85 km (Ministry of Emergency Management)."""
    grid = Grid.from_bounds((435_000, 3_890_000, 535_000, 4_020_000), cell=500.0, crs=32648)
    centre, shape = shapely.Point(485_000, 3_955_000), 85.0 / 124.0
    areas_km2 = np.cumsum([331.0, 1514.0, 6519.0])
    parts = []
    for area_km2, degree in zip(areas_km2, (8.0, 7.0, 6.0), strict=True):
        long_m = 1000 * np.sqrt(area_km2 / (np.pi * shape))
        parts.append((shapely.affinity.scale(centre.buffer(1.0, 256), long_m * shape, long_m), degree))
    shaking = intensity_shaking(zones(*parts), grid, earthquake=QUAKE)
    assert shaking.pga_g is not None
    km2 = {
        d: (np.isclose(shaking.pga_g.values * 9.80665, m, rtol=1e-5)).sum() * 0.25 for d, m in ((8, 2.79), (7, 1.35), (6, 0.653))
    }
    assert km2[8] == pytest.approx(331, rel=0.06)
    assert km2[7] == pytest.approx(1514, rel=0.03)
    assert km2[6] == pytest.approx(6519, rel=0.02)
    assert np.isnan(shaking.pga_g.values).sum() * 0.25 == pytest.approx(13_000 - 8364, rel=0.02)
