"""ShakeMap: the shaking of the demo valley as the text of a grid.xml and of an uncertainty.xml."""

from __future__ import annotations

import numpy as np

from hazardgeo.synthetic.events.shaking import MODEL, NODES, SPACING_DEG, TIME, Field, Motion

_MOTIONS = (("PGA", "%g"), ("PGV", "cm/s"), ("MMI", "intensity"), ("SVEL", "m/s"))
_SIGMAS = (("STDPGA", "ln(%g)"), ("STDPGV", "ln(cm/s)"))


def grid_xml(m: Motion, seed: int) -> str:
    """PGA in percent g, PGV in cm/s, intensity and Vs30, labelled as a scenario."""
    return _text(m, seed, _MOTIONS, (100 * m.pga_g, m.pgv_cm_s, m.mmi, m.vs30_m_s))


def uncertainty_xml(m: Motion, seed: int) -> str:
    """Standard deviations of ln PGA and ln PGV: the total ones of the model, as no station recorded this earthquake."""
    return _text(m, seed, _SIGMAS, (m.sigma_ln_pga, m.sigma_ln_pgv))


def _text(m: Motion, seed: int, fields: tuple[tuple[str, str], ...], layers: tuple[Field, ...]) -> str:
    longitude, latitude = m.grid.centres()
    lon, lat = (a.ravel() for a in np.meshgrid(longitude, latitude))
    columns = np.column_stack([lon, lat, *(layer.ravel() for layer in layers)])
    rows = "\n".join(f"{row[0]:.5f} {row[1]:.5f} " + " ".join(f"{v:.4f}" for v in row[2:]) for row in columns.tolist())
    named = (("LON", "dd"), ("LAT", "dd"), *fields)
    described = "\n".join(f'<grid_field index="{i}" name="{name}" units="{unit}" />' for i, (name, unit) in enumerate(named, 1))
    identity = f"synthetic-{seed}"
    event = m.event
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<!-- {MODEL} -->
<shakemap_grid xmlns="http://earthquake.usgs.gov/eqcenter/shakemap" event_id="{identity}" shakemap_id="{identity}" \
shakemap_version="1" code_version="hazardgeo demo" process_timestamp="{TIME}" shakemap_originator="hazardgeo demo" \
map_status="RELEASED" shakemap_event_type="SCENARIO">
<event event_id="{identity}" magnitude="{event.magnitude}" depth="{event.depth_km}" lat="{event.latitude}" \
lon="{event.longitude}" event_timestamp="{TIME}" event_network="demo" event_description="{event.name}" />
<grid_specification lon_min="{longitude[0]:.5f}" lat_min="{latitude[-1]:.5f}" \
lon_max="{longitude[-1]:.5f}" lat_max="{latitude[0]:.5f}" nominal_lon_spacing="{SPACING_DEG:.6f}" \
nominal_lat_spacing="{SPACING_DEG:.6f}" nlon="{NODES}" nlat="{NODES}" />
{described}
<grid_data>
{rows}
</grid_data>
</shakemap_grid>
"""
