"""The regional models on the layers of a real earthquake, against maps that the USGS stored."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from affine import Affine
from scipy.io import netcdf_file

from hazardgeo.grid import Grid
from hazardgeo.hazard import nowicki_jessee_2018, zhu_2015, zhu_2017_general
from hazardgeo.raster import Raster, align

MAGNITUDE = 6.9


@pytest.fixture
def case(data_case) -> Path:
    return data_case("lomaprieta_usgs")


def layer(path: Path, unit: str = "") -> Raster:
    with rasterio.open(path) as file:
        values = file.read(1).astype(np.float32)
        return Raster(values, Grid(file.transform, values.shape, 4326), path.stem, unit)


def shaking(path: Path, column: str, unit: str, scale: float = 1.0) -> Raster:
    space = "{http://earthquake.usgs.gov/eqcenter/shakemap}"
    root = ElementTree.parse(path).getroot()
    names = [f.get("name") for f in root.iter(f"{space}grid_field")]
    spec = root.find(f"{space}grid_specification")
    rows, cols = int(spec.get("nlat")), int(spec.get("nlon"))
    west, east, south, north = (float(spec.get(k)) for k in ("lon_min", "lon_max", "lat_min", "lat_max"))
    numbers = np.array(root.find(f"{space}grid_data").text.split(), float).reshape(-1, len(names))
    dx, dy = (east - west) / (cols - 1), (north - south) / (rows - 1)
    grid = Grid(Affine(dx, 0, west - dx / 2, 0, -dy, north + dy / 2), (rows, cols), 4326)
    values = numbers[:, names.index(column)].reshape(rows, cols) * scale
    return Raster(values.astype(np.float32), grid, column, unit)


def target(path: Path) -> Raster:
    with netcdf_file(path, mmap=False) as file:
        x, y, z = (np.array(file.variables[name].data, float) for name in "xyz")
    dx, dy = (x[-1] - x[0]) / (len(x) - 1), (y[-1] - y[0]) / (len(y) - 1)
    grid = Grid(Affine(dx, 0, x[0] - dx / 2, 0, -dy, y[-1] + dy / 2), z.shape, 4326)
    return Raster(z[::-1].astype(np.float32), grid, path.stem)


def agreement(ours: Raster, state: Raster, theirs: Raster) -> tuple[float, float, float]:
    """Correlation and median relative error of cells that both show, and the share of their cells that we show."""
    shown_by_them = np.isfinite(theirs.values) & (theirs.values > 0)
    both = shown_by_them & np.isin(state.values, (1, 2))
    a, b = ours.values[both].astype(float), theirs.values[both].astype(float)
    return float(np.corrcoef(a, b)[0, 1]), float(np.median(np.abs(a - b) / b)), both.sum() / shown_by_them.sum()


def in_degrees(gradient: Raster) -> Raster:
    return gradient.like(np.degrees(np.arctan(gradient.values)), "slope", "deg")


def test_landslides_agree_with_the_stored_map(case):
    expected = target(case / "targets/jessee_2018.grd")
    inputs = case / "model_inputs"
    grid = expected.grid
    result = nowicki_jessee_2018(
        pgv_cm_s=align(shaking(case / "grid.xml", "PGV", "cm/s"), to=grid, how="bilinear"),
        slope_deg=in_degrees(align(layer(inputs / "global_grad.tif"), to=grid, how="bilinear")),
        lithology=align(layer(inputs / "GLIM_replace.tif", "logit"), to=grid, how="nearest"),
        land_cover=align(layer(inputs / "globcover_replace.tif", "logit"), to=grid, how="nearest"),
        cti=align(layer(inputs / "global_cti_fil.grd"), to=grid, how="bilinear"),
    )
    correlation, error, share = agreement(result.area_fraction, result.state, expected)
    assert correlation > 0.999
    assert error < 0.01
    assert share > 0.98


def test_liquefaction_of_2015_agrees_with_the_stored_map(case):
    expected = target(case / "targets/zhu2015.grd")
    inputs = case / "model_inputs"
    grid = expected.grid
    result = zhu_2015(
        pga_g=align(shaking(case / "grid.xml", "PGA", "g", 0.01), to=grid, how="bilinear"),
        magnitude=MAGNITUDE,
        cti=align(layer(inputs / "global_cti_fil.grd"), to=grid, how="bilinear"),
        vs30_m_s=align(layer(inputs / "global_vs30_mps.grd", "m/s"), to=grid, how="bilinear"),
    )
    correlation, error, share = agreement(result.area_fraction, result.state, expected)
    assert correlation > 0.999
    assert error < 0.01
    assert share > 0.95


def test_liquefaction_of_2017_agrees_with_the_stored_map(case):
    expected = target(case / "targets/zhu2017_general_div4.grd")
    inputs = case / "model_inputs"
    grid = expected.grid

    def on_grid(name: str, unit: str) -> Raster:
        return align(layer(inputs / name, unit), to=grid, how="bilinear")

    result = zhu_2017_general(
        pgv_cm_s=align(shaking(case / "grid.xml", "PGV", "cm/s"), to=grid, how="bilinear"),
        pga_g=align(shaking(case / "grid.xml", "PGA", "g", 0.01), to=grid, how="bilinear"),
        vs30_m_s=on_grid("global_vs30_mps.grd", "m/s"),
        precipitation_mm=on_grid("global_precip_fil_mm.grd", "mm"),
        distance_to_coast_km=on_grid("global_dc_km.tif", "km"),
        distance_to_river_km=on_grid("global_dr_km_ext_fill_clip_co.tif", "km"),
        water_table_m=on_grid("global_wtd_fil_na_m.grd", "m"),
        slope_deg=in_degrees(on_grid("global_grad.tif", "")),
        magnitude=MAGNITUDE,
    )
    correlation, error, share = agreement(result.area_fraction, result.state, expected)
    assert correlation > 0.999
    assert error < 0.005
    assert share > 0.95
