"""From shaking and terrain to landslide, liquefaction and flow of wet loess, and from models to levels."""

from __future__ import annotations

import warnings
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Le
from scipy import ndimage

from hazardgeo import hazard as _hazard
from hazardgeo import levels as _levels
from hazardgeo import terrain as _terrain
from hazardgeo.errors import HazardGeoWarning, InputError
from hazardgeo.event import Shaking
from hazardgeo.hazard import Displacement, Probability
from hazardgeo.levels import Levels
from hazardgeo.pipeline.skip import Skip
from hazardgeo.raster import Raster, align, rasterize

LANDSLIDE_SCALE_M = 230.0  # the 7.5 arcsec cells on which Nowicki Jessee et al. (2018) was fitted
FLAT_SCALE_M = 30.0  # liquefaction models mask hillsides above 5 deg; on 230 m cells a narrow valley floor would be one
FLOW_SCALE_M = 30.0  # a flow slide takes whole platforms, not a terrace or its riser


def landslide(
    shaking: Shaking,
    slope: Raster,
    dem: Raster | None = None,
    wetness: Raster | None = None,
    cti: Raster | None = None,
    lithology: Raster | None = None,
    land_cover: Raster | None = None,
    *,
    cohesion_kpa: Annotated[float, Ge(0)] = 15.0,
    friction_deg: Annotated[float, Gt(0), Le(60)] = 27.0,
    unit_weight_kn_m3: Annotated[float, Gt(0)] = 15.5,
    thickness_m: Annotated[float, Gt(0)] = 3.0,
    saturation: Annotated[float, Ge(0), Le(1)] = 0.3,
    wetness_from: Literal["inputs.cti", "terrain"] = "inputs.cti",
) -> dict[str, Any]:
    """Newmark displacement on the terrain, and the Nowicki Jessee et al. (2018) model where its layers are given.

    The strength defaults are priors for moist Malan loess (unverified): set those of the place. `wetness_from` says
    where the wetness index of the second model comes from; "terrain" computes it, which only a whole catchment allows.
    """
    made: dict[str, Any] = {}
    local = shaking.on(slope.grid)
    if local.pga_g is not None and dem is not None:
        factor = _hazard.infinite_slope_fs(
            slope,
            cohesion_kpa=cohesion_kpa,
            friction_deg=friction_deg,
            unit_weight_kn_m3=unit_weight_kn_m3,
            thickness_m=thickness_m,
            saturation=saturation,
        )
        critical = _hazard.critical_acceleration(factor, slope)
        made["displacement"] = _hazard.jibson_2007_eq7(ac_g=critical, pga_g=local.pga_g, magnitude=shaking.event.magnitude)
    if lithology is not None and land_cover is not None:
        _both_peaks(local)
        index = cti if wetness_from == "inputs.cti" else wetness
        if index is None:
            warnings.warn(
                f"nowicki_jessee_2018 was not computed: it needs {wetness_from}, or [landslide] wetness_from = 'terrain'.",
                HazardGeoWarning,
                stacklevel=2,
            )
        else:
            made["landslide_probability"] = _nowicki_jessee(local, slope, dem, index, lithology, land_cover)
    if not made:
        raise Skip("needs PGA and a dem (Newmark), or lithology, land_cover and cti (Nowicki Jessee et al. 2018)")
    return made


def _both_peaks(local: Shaking) -> tuple[Raster, Raster]:
    """PGV and PGA of a ShakeMap that has both."""
    if local.pgv_cm_s is None or local.pga_g is None:
        raise InputError(
            "the landslide model of Nowicki Jessee et al. (2018) needs PGV and, for its mask, PGA, and the ShakeMap lacks one; "
            "take a ShakeMap with both, or leave lithology and land_cover out."
        )
    return local.pgv_cm_s, local.pga_g


def _nowicki_jessee(
    local: Shaking, slope: Raster, dem: Raster | None, cti: Raster, lithology: Raster, land_cover: Raster
) -> Probability[Raster]:
    grid = slope.grid
    pgv_cm_s, pga_g = _both_peaks(local)
    return _hazard.nowicki_jessee_2018(
        pgv_cm_s=pgv_cm_s,
        pga_g=pga_g,
        slope_deg=slope if dem is None else _slope_at(dem, LANDSLIDE_SCALE_M),
        lithology=align(lithology, to=grid, how="nearest"),
        land_cover=align(land_cover, to=grid, how="nearest"),
        cti=align(cti, to=grid, how="bilinear"),
        sigma_ln_pgv=local.sigma_ln_pgv,
    )


def _slope_at(dem: Raster, scale_m: float) -> Raster:
    """Slope at the scale of a model; unknown where an unknown cell lies within it, since it could be the steep one."""
    scale_m = max(scale_m, *dem.grid.cell_m)
    slope = _terrain.slope(dem, scale_m=scale_m)
    rows, cols = (2 * int(scale_m / size / 2) + 3 for size in reversed(dem.grid.cell_m))
    near = ndimage.maximum_filter(dem.unknown, size=(rows, cols), mode="nearest")
    return slope.like(np.where(near, np.nan, slope.values).astype(np.float32), "slope", "deg")


def liquefaction(
    shaking: Shaking,
    dem: Raster | None = None,
    slope: Raster | None = None,
    cti: Raster | None = None,
    wetness: Raster | None = None,
    vs30: Raster | None = None,
    precipitation: Raster | None = None,
    water_table: Raster | None = None,
    distance_to_river: Raster | None = None,
    distance_to_coast: Raster | None = None,
    *,
    model: Literal["zhu_2017_general", "zhu_2015"] = "zhu_2017_general",
    vs30_from: Literal["inputs.vs30", "shakemap"] = "inputs.vs30",
    wetness_from: Literal["inputs.cti", "terrain"] = "inputs.cti",
) -> dict[str, Probability[Raster]]:
    """Liquefaction probability on the grid of the DEM, or on that of vs30 where there is none.

    `vs30_from` and `wetness_from` say where these layers come from: one that is missing is not quietly replaced.
    """
    ground = vs30 if vs30_from == "inputs.vs30" else shaking.vs30_m_s
    if ground is None:
        raise Skip(f"needs Vs30 from {vs30_from}; [liquefaction] vs30_from = 'shakemap' takes that of the ShakeMap")
    grid = dem.grid if dem is not None else ground.grid
    local = shaking.on(grid)
    vs30_m_s = align(ground, to=grid, how="bilinear")
    magnitude = shaking.event.magnitude
    if model == "zhu_2015":
        wet = cti if wetness_from == "inputs.cti" else wetness
        if local.pga_g is None or wet is None:
            raise Skip(f"zhu_2015 needs PGA and the wetness index from {wetness_from}")
        index = align(wet, to=grid, how="bilinear")
        found = _hazard.zhu_2015(
            pga_g=local.pga_g, magnitude=magnitude, cti=index, vs30_m_s=vs30_m_s, sigma_ln_pga=local.sigma_ln_pga
        )
        return {"liquefaction_probability": found}
    layers = {
        "precipitation_mm": precipitation,
        "water_table_m": water_table,
        "distance_to_river_km": distance_to_river,
        "distance_to_coast_km": distance_to_coast,
        "slope_deg": slope if dem is None else _slope_at(dem, FLAT_SCALE_M),
    }
    missing = [name.rsplit("_", 1)[0] for name, layer in layers.items() if layer is None]
    if missing:
        raise Skip(f"zhu_2017_general needs inputs {', '.join(missing)}")
    if local.pgv_cm_s is None or local.pga_g is None:
        raise InputError(
            "zhu_2017_general needs PGV and, for its mask, PGA, and the ShakeMap lacks one; use model = 'zhu_2015' (PGA)."
        )
    found = _hazard.zhu_2017_general(
        pgv_cm_s=local.pgv_cm_s,
        pga_g=local.pga_g,
        vs30_m_s=vs30_m_s,
        magnitude=magnitude,
        sigma_ln_pgv=local.sigma_ln_pgv,
        **{name: align(layer, to=grid, how="bilinear") for name, layer in layers.items() if layer is not None},
    )
    return {"liquefaction_probability": found}


def loess(
    shaking: Shaking,
    slope: Raster,
    dem: Raster | None = None,
    lithology: Raster | None = None,
    saturation: Raster | None = None,
    water_table: Raster | None = None,
) -> dict[str, Levels]:
    """Where wet loess may liquefy and flow. Without a layer of wetness sloping loess is not assessed."""
    grid = slope.grid
    local = shaking.on(grid)
    if local.pga_g is None:
        raise Skip("needs PGA, which the shaking map lacks")
    if lithology is None or lithology.values.dtype != np.uint8:
        raise Skip("needs inputs.lithology as classes, which say where loess is")
    layers = {"saturation": saturation, "water_table_m": water_table}
    found = _hazard.loess_flow_slide(
        slope_deg=slope if dem is None else _slope_at(dem, FLOW_SCALE_M),
        pga_g=local.pga_g,
        lithology=align(lithology, to=grid, how="nearest"),
        **{name: align(layer, to=grid, how="bilinear") for name, layer in layers.items() if layer is not None},
    )
    return {"loess_flow": found}


def hazard(
    slope: Raster | None = None,
    dem: Raster | None = None,
    displacement: Displacement[Raster] | None = None,
    landslide_probability: Probability[Raster] | None = None,
    liquefaction_probability: Probability[Raster] | None = None,
    loess_flow: Levels | None = None,
    bodies: Any = None,
    surveyed: Any = None,
    *,
    landslide: Literal["newmark", "nowicki_jessee_2018", "not considered"] = "newmark",
    liquefaction: Literal["model", "not considered"] = "model",
    loess_flow_slide: Literal["indicator", "not considered"] = "indicator",
    mapped_landslides: Literal["required", "not considered"] = "required",
) -> dict[str, dict[str, Levels]]:
    """Levels of each hazard that the scenario considers; one that could not be computed is not assessed, never low.

    Leaving a hazard out is a decision of the scenario ("not considered"), and the map says so.
    """
    surface = dem if dem is not None else slope
    if surface is None:
        raise Skip("needs a terrain: inputs.scan, inputs.dem or inputs.slope")
    found: dict[str, Levels] = {}
    if landslide != "not considered":
        chosen = (
            _hazard.displacement_levels(displacement)
            if landslide == "newmark" and displacement is not None
            else _hazard.probability_levels(landslide_probability, kind="landslide")
            if landslide == "nowicki_jessee_2018" and landslide_probability is not None
            else _levels.not_assessed("landslide", surface.grid)
        )
        found["landslide"] = chosen
    if liquefaction != "not considered":
        found["liquefaction"] = (
            _levels.not_assessed("liquefaction", surface.grid)
            if liquefaction_probability is None
            else _hazard.probability_levels(liquefaction_probability, kind="liquefaction")
        )
    if loess_flow_slide != "not considered":
        found["loess flow slide"] = _levels.not_assessed("loess_flow_slide", surface.grid) if loess_flow is None else loess_flow
    if mapped_landslides != "not considered":
        found["mapped landslides"] = _mapped(surface, bodies, surveyed)
    if not found:
        raise Skip("the scenario considers no hazard")
    return {"levels": found}


def _mapped(surface: Raster, bodies: Any, surveyed: Any) -> Levels:
    """Very high in mapped bodies, low where people looked and mapped none, not assessed where nobody looked."""
    looked = np.zeros(surface.grid.shape, bool) if surveyed is None else rasterize(surveyed, surface.grid).values
    hit = np.zeros(surface.grid.shape, bool) if bodies is None else rasterize(bodies, surface.grid, all_touched=True).values
    state = np.where((looked & (bodies is not None)) | hit, _levels.ASSESSED, _levels.MISSING_INPUT).astype(np.uint8)
    level = np.where(hit, _levels.VERY_HIGH, _levels.LOW).astype(np.uint8)
    return _levels.single("mapped landslides", level, state, surface.grid)
