"""Slopes that may slide and ground that may liquefy or flow: published models on rasters, arrays or plain numbers."""

from hazardgeo.hazard.landslide import glim_codes, nowicki_jessee_2018
from hazardgeo.hazard.level import displacement_levels, probability_levels
from hazardgeo.hazard.liquefaction import zhu_2015, zhu_2017_general
from hazardgeo.hazard.loess import loess_flow_slide
from hazardgeo.hazard.newmark import critical_acceleration, infinite_slope_fs, jibson_2007_eq6, jibson_2007_eq7
from hazardgeo.hazard.result import Displacement, Probability
from hazardgeo.hazard.vs30 import vs30_from_slope
from hazardgeo.levels import Levels, combine

__all__ = [
    "Displacement",
    "Levels",
    "Probability",
    "combine",
    "critical_acceleration",
    "displacement_levels",
    "glim_codes",
    "infinite_slope_fs",
    "jibson_2007_eq6",
    "jibson_2007_eq7",
    "loess_flow_slide",
    "nowicki_jessee_2018",
    "probability_levels",
    "vs30_from_slope",
    "zhu_2015",
    "zhu_2017_general",
]
