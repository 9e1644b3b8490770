from pathlib import Path

import numpy as np
import pytest

from hazardgeo import io
from hazardgeo.event import scenario_shaking
from hazardgeo.raster import Raster
from hazardgeo.synthetic.events import residuals, shakemap, shaking
from hazardgeo.synthetic.layout import layout


def test_the_correlation_is_that_of_the_paper():
    # Jayaram and Baker (2009): 0.05 at the range, e^-1 at a third of it
    assert residuals.correlation(np.array([0.0, 8.5 / 3, 8.5])) == pytest.approx([1.0, 0.3679, 0.0498], abs=1e-4)


def test_fields_have_unit_scatter_and_the_stated_correlation_in_both_directions():
    fields = np.array(
        [f for seed in range(150) for f in residuals.correlated((20, 30), spacing_km=(0.9, 0.7), rng=np.random.default_rng(seed))]
    )
    assert fields.mean() == pytest.approx(0.0, abs=0.05)
    assert fields.std() == pytest.approx(1.0, abs=0.03)
    for lag in (1, 3, 8):
        across = (fields[:, :, :-lag] * fields[:, :, lag:]).mean()
        down = (fields[:, :-lag] * fields[:, lag:]).mean()
        assert across == pytest.approx(np.exp(-3 * 0.7 * lag / 8.5), abs=0.05)
        assert down == pytest.approx(np.exp(-3 * 0.9 * lag / 8.5), abs=0.05)
    pairs = [residuals.pair((20, 30), spacing_km=(0.9, 0.7), rng=np.random.default_rng(seed)) for seed in range(150)]
    assert np.corrcoef(*(np.ravel([p[i] for p in pairs]) for i in (0, 1)))[0, 1] == pytest.approx(0.73, abs=0.04)


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory):
    """ShakeMaps of several seeds as they are written, read back at the door, without a warning."""
    found = []
    folder = tmp_path_factory.mktemp("maps")
    for seed in range(24):
        rng = np.random.default_rng(seed)
        plan = layout("small", rng)
        motion = shaking.motion(plan, shaking.earthquake(rng), rng)
        (folder / "grid.xml").write_text(shakemap.grid_xml(motion, seed), encoding="utf-8")
        (folder / "uncertainty.xml").write_text(shakemap.uncertainty_xml(motion, seed), encoding="utf-8")
        found.append((motion, io.read_shakemap(folder / "grid.xml", uncertainty_xml=folder / "uncertainty.xml")))
    return found


def test_the_shakemap_is_the_published_model_with_correlated_residuals(maps):
    standard = []
    for _, read in maps[:6]:
        median = scenario_shaking(read.event, read.grid, vs30_m_s=read.vs30_m_s, mechanism="reverse")
        np.testing.assert_allclose(read.sigma_ln_pga.values, median.sigma_ln_pga.values, rtol=0.01)
        phi = np.sqrt(median.sigma_ln_pga.values**2 - 0.348**2)  # without the event term of the model (tau for M 5.5 and more)
        standard.append(np.log(read.pga_g.values / median.pga_g.values) / phi)
    assert np.mean(standard) == pytest.approx(0.0, abs=0.35)
    for (motion, _), z in zip(maps, standard, strict=False):
        np.testing.assert_allclose(z, motion.z_pga, atol=0.06)  # the table of the demo is coarser than that of the model


def test_residuals_of_the_shakemaps_have_the_stated_correlation_over_seeds(maps):
    fields = np.array([motion.z_pga for motion, _ in maps])
    east_km = 0.4 / 48 * 111.2 * np.cos(np.radians(35.7))
    for lag in (1, 2, 4):
        gamma = 0.5 * ((fields[:, :, lag:] - fields[:, :, :-lag]) ** 2).mean()  # the semivariogram needs no mean
        assert 1 - gamma == pytest.approx(np.exp(-3 * east_km * lag / 8.5), abs=0.08)


def test_the_map_is_a_scenario_that_shakes_the_valley_strongly(maps):
    for seed, (_, read) in enumerate(maps):
        assert "SCENARIO" in read.source
        assert read.event.identifier == f"synthetic-{seed}"
        assert read.event.magnitude == 6.2
        assert 0.2 < read.pga_g.values[24, 24] < 1.1


def test_isoseismals_are_nested_zones_of_chinese_intensity(maps, tmp_path: Path):
    zones = shaking.isoseismals(maps[0][0])
    io.write_vectors({"isoseismals": zones}, tmp_path / "isoseismals.gpkg")
    read = io.read_isoseismals(tmp_path / "isoseismals.gpkg", crs="EPSG:32648")
    assert set(read["scale"]) == {"csi"}
    assert read["intensity"].is_monotonic_increasing
    assert read.area.is_monotonic_decreasing
    assert read["intensity"].max() >= 8


def test_where_nothing_happened_nobody_felt_anything():
    rng = np.random.default_rng(5)
    plan = layout("small", rng)
    quiet = shaking.motion(plan, shaking.earthquake(rng, happened=False), rng)
    assert quiet.pga_g.max() < 0.02
    assert shaking.isoseismals(quiet) is None


def test_the_small_table_of_the_model_is_near_the_model():
    grid = shaking.node_grid()
    vs30 = np.linspace(260, 520, grid.shape[0] * grid.shape[1]).reshape(grid.shape)
    event = shaking.earthquake(np.random.default_rng(1))
    median = scenario_shaking(event, grid, vs30_m_s=Raster(vs30.astype(np.float32), grid, "v", "m/s"), mechanism="reverse")
    pga_g, pgv_cm_s, _, _ = shaking.medians(event, grid, vs30)
    np.testing.assert_allclose(pga_g, median.pga_g.values, rtol=0.02)
    np.testing.assert_allclose(pgv_cm_s, median.pgv_cm_s.values, rtol=0.02)
