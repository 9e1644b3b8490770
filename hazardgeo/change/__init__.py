"""What moved between two epochs, how much, and how sure: surfaces, clouds and landslide bodies."""

from hazardgeo.change.bodies import landslide_bodies
from hazardgeo.change.coregister import Coregistration, coregister
from hazardgeo.change.m3c2 import CloudChange, m3c2
from hazardgeo.change.one_epoch import bodies_from_one_epoch
from hazardgeo.change.propagated import ScannerErrors, m3c2_ep
from hazardgeo.change.surface import SurfaceChange, difference
from hazardgeo.change.variogram import Correlation

__all__ = [
    "CloudChange",
    "Coregistration",
    "Correlation",
    "ScannerErrors",
    "SurfaceChange",
    "bodies_from_one_epoch",
    "coregister",
    "difference",
    "landslide_bodies",
    "m3c2",
    "m3c2_ep",
]
