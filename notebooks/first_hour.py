# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The first hour after the earthquake
#
# A laser scan, a shaking map, roads, homes and shelters of a valley that does not exist: `hazardgeo` makes it, so that
# the notebook needs no network and the truth is known. With your own files, start at the second cell.

# %%
import tempfile
from pathlib import Path

import hazardgeo as hg

folder = Path(tempfile.mkdtemp())
scenario = hg.synthetic.valley(folder, seed=1, size="small")
inputs = folder / "inputs"

# %% [markdown]
# ## From the scan to the ground
#
# Points become ground or not, the ground becomes a terrain model. Where nothing was scanned the model stays unknown: the
# hatched parts are not flat and not safe, nobody looked.

# %%
cloud = hg.scan.classify_ground(hg.io.read_cloud(inputs / "scan_after.laz"))
dem = hg.scan.dtm(cloud, cell_m=2.0)
dem

# %%
slope = hg.terrain.slope(dem, scale_m=6.0)
slope.plot(cmap="magma", vmax=60);

# %% [markdown]
# ## How far would the slopes slide?
#
# An infinite slope on a sliding block: safety factor, critical acceleration, displacement (Jibson 2007, equation 7). The soil
# strength is a prior for moist loess, not a measurement of this valley.

# %%
shaking = hg.io.read_shakemap(inputs / "grid.xml")
local = shaking.on(dem.grid)
factor = hg.hazard.infinite_slope_fs(
    slope, cohesion_kpa=15.0, friction_deg=27.0, unit_weight_kn_m3=15.5, thickness_m=3.0, saturation=0.3
)
displacement = hg.hazard.jibson_2007_eq7(
    ac_g=hg.hazard.critical_acceleration(factor, slope), pga_g=local.pga_g, magnitude=shaking.event.magnitude
)
landslide = hg.hazard.displacement_levels(displacement)
landslide.shown

# %% [markdown]
# ## Who can reach a place, over which roads?
#
# Slopes that may slide make roads and places conditional, mapped landslides close them, and what lies on unknown ground stays
# unknown. Liquefaction and the area that the field team covered are left out of these cells; the run at the end brings them in,
# and fewer places are then assured.

# %%
crs = dem.grid.crs
roads, people, sites, bodies = (
    hg.io.read_vector(inputs / name, crs=crs) for name in ("roads.gpkg", "people.gpkg", "sites.gpkg", "mapped_bodies.gpkg")
)
hazards = {"landslide": landslide}
net = hg.network.cut(hg.network.build(roads, dem=dem), {**hazards, "mapped landslide": bodies})
net.edges.groupby("status")["length_m"].sum().round()

# %%
metric = shaking.on(hg.raster.metric_grid(shaking.grid, crs=crs, cell_m=200.0))
demand = hg.shelter.displaced(people, metric, night_temp_c=-15.0, hazards=hazards)
places = hg.shelter.capacity(sites, standard="sphere_2018", phase="emergency", climate="cold")
screened = hg.shelter.screen(places, {**hazards, "mapped landslide": bodies})
coverage = hg.shelter.coverage(demand, screened, net, limit_min=60.0)
coverage.totals

# %%
screened[["name", "status", "reason", "capacity_places", "binding"]]

# %% [markdown]
# ## All of it at once
#
# The same from a scenario file, with liquefaction and a map in one HTML file that opens without a network.

# %%
manifest = hg.pipeline.run(scenario, out=folder / "results")
for label, figure in manifest.headlines.items():
    print(f"{label}: {figure['value']}")

# %%
sorted(path.name for path in (folder / "results").iterdir() if not path.name.startswith("."))
