"""Shaking: a ShakeMap-format grid of an invented earthquake, with the demo's own simple attenuation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from hazardgeo.grid import Grid
from hazardgeo.synthetic.layout import CENTRE, CRS, Layout
from hazardgeo.synthetic.noise import fractal

Field = NDArray[np.float64]
TIME = "2022-12-18T15:59:30Z"  # a winter night, local time; no earthquake happened here then
MAGNITUDE, DEPTH_KM = 6.2, 10.0
HALF_WIDTH_DEG, NODES = 0.2, 49
SIGMA_LN_PGA, SIGMA_LN_PGV = 0.55, 0.58
ATTENUATION = (
    "Synthetic demo, not a published model and not for any real place: with R the hypocentral distance in km, "
    "PGA = 0.43 g (12.8/R)^1.25 (Vs30/300)^-0.25, PGV = 33 cm/s (12.8/R)^1.15 (Vs30/300)^-0.5, MMI = 2.9 + 3.2 log10 PGV."
)
_FIELDS = (
    ("LON", "dd"), ("LAT", "dd"), ("PGA", "%g"), ("PGV", "cm/s"), ("MMI", "intensity"),
    ("SVEL", "m/s"), ("STDPGA", "ln(%g)"), ("STDPGV", "ln(cm/s)"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Nodes:
    """Shaking at map nodes, all one-dimensional, from the north-west eastwards and then south."""

    longitude: Field
    latitude: Field
    pga_g: Field
    pgv_cm_s: Field
    mmi: Field
    vs30_m_s: Field


@dataclass(frozen=True, slots=True)
class Epicentre:
    """Where the invented earthquake broke, in degrees."""

    longitude: float
    latitude: float


def epicentre(rng: np.random.Generator) -> Epicentre:
    """About 8 km from the valley, in a random direction."""
    longitude, latitude = _centre_degrees()
    angle, distance_deg = rng.uniform(0, 2 * math.pi), 8.0 / 111.2
    east = distance_deg * math.sin(angle) / math.cos(math.radians(latitude))
    return Epicentre(round(longitude + east, 4), round(latitude + distance_deg * math.cos(angle), 4))


def attenuation(r_km: Field, vs30_m_s: Field) -> tuple[Field, Field, Field]:
    """PGA in g, PGV in cm/s and intensity at a hypocentral distance: the demo's own formula, see ATTENUATION.

    >>> [x.item() for x in attenuation(np.array([12.8]), np.array([300.0]))][:2]
    [0.43, 33.0]
    """
    pga_g = 0.43 * (12.8 / r_km) ** 1.25 * (vs30_m_s / 300) ** -0.25
    pgv_cm_s = 33.0 * (12.8 / r_km) ** 1.15 * (vs30_m_s / 300) ** -0.5
    return pga_g, pgv_cm_s, np.clip(2.9 + 3.2 * np.log10(pgv_cm_s), 1.0, 10.0)


def nodes(plan: Layout, source: Epicentre, rng: np.random.Generator) -> Nodes:
    """Shaking around the valley; soft ground (250 to 400 m/s) near the valley axis, up to 500 m/s on the hills."""
    longitude, latitude = _centre_degrees()
    spread = np.linspace(-HALF_WIDTH_DEG, HALF_WIDTH_DEG, NODES)
    lon, lat = (a.ravel() for a in np.meshgrid(longitude + spread, latitude - spread))
    _, north = Transformer.from_crs(4326, CRS, always_xy=True).transform(lon, lat)
    relief = Grid.from_bounds((0, 0, NODES, NODES), cell=1.0, crs=plan.grid.crs)
    hills = np.clip(0.5 + 0.25 * fractal(rng, relief, wavelength_m=9.0, octaves=3).ravel(), 0, 1)
    off_axis = np.clip(np.abs(north - plan.axis_north(plan.east_of(0.5))) / 9000.0, 0, 1)
    vs30 = 265.0 + 65.0 * hills + 170.0 * off_axis
    km_per_deg = 111.2
    x = (lon - source.longitude) * km_per_deg * np.cos(np.radians(lat))
    y = (lat - source.latitude) * km_per_deg
    pga_g, pgv_cm_s, mmi = attenuation(np.sqrt(x**2 + y**2 + DEPTH_KM**2), vs30)
    return Nodes(lon, lat, pga_g, pgv_cm_s, mmi, vs30)


def _centre_degrees() -> tuple[float, float]:
    longitude, latitude = Transformer.from_crs(CRS, 4326, always_xy=True).transform(*CENTRE)
    return round(longitude, 4), round(latitude, 4)


def grid_xml(values: Nodes, source: Epicentre, seed: int) -> str:
    """The nodes as the text of a ShakeMap grid.xml, labelled as a scenario; PGA in percent g."""
    identity = f"synthetic-{seed}"
    spacing = 2 * HALF_WIDTH_DEG / (NODES - 1)
    columns = (values.longitude, values.latitude, 100 * values.pga_g, values.pgv_cm_s, values.mmi, values.vs30_m_s)
    fields = "\n".join(f'<grid_field index="{i}" name="{name}" units="{unit}" />' for i, (name, unit) in enumerate(_FIELDS, 1))
    rows = "\n".join(
        f"{lon:.5f} {lat:.5f} {pga:.3f} {pgv:.3f} {mmi:.2f} {vs30:.1f} {SIGMA_LN_PGA:.2f} {SIGMA_LN_PGV:.2f}"
        for lon, lat, pga, pgv, mmi, vs30 in np.column_stack(columns).tolist()
    )
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<!-- {ATTENUATION} -->
<shakemap_grid xmlns="http://earthquake.usgs.gov/eqcenter/shakemap" event_id="{identity}" shakemap_id="{identity}" \
shakemap_version="1" code_version="hazardgeo demo" process_timestamp="{TIME}" shakemap_originator="hazardgeo demo" \
map_status="RELEASED" shakemap_event_type="SCENARIO">
<event event_id="{identity}" magnitude="{MAGNITUDE}" depth="{DEPTH_KM}" lat="{source.latitude}" lon="{source.longitude}" \
event_timestamp="{TIME}" event_network="demo" event_description="Synthetic earthquake (demo valley)" />
<grid_specification lon_min="{values.longitude.min():.5f}" lat_min="{values.latitude.min():.5f}" \
lon_max="{values.longitude.max():.5f}" lat_max="{values.latitude.max():.5f}" nominal_lon_spacing="{spacing:.6f}" \
nominal_lat_spacing="{spacing:.6f}" nlon="{NODES}" nlat="{NODES}" />
{fields}
<grid_data>
{rows}
</grid_data>
</shakemap_grid>
"""
