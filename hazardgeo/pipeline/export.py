"""The products of a run as files: rasters as COG, shapes in one GeoPackage, tables as CSV."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from hazardgeo import io
from hazardgeo.event import Shaking
from hazardgeo.hazard import Displacement, Probability
from hazardgeo.levels import Levels
from hazardgeo.network import RoadNetwork
from hazardgeo.raster import Raster
from hazardgeo.shelter import Coverage


def rasters(name: str, product: object) -> dict[str, Raster]:
    """The rasters that a product holds, by file name."""
    match product:
        case Raster():
            return {name: product}
        case Displacement():
            parts = {"median_cm": product.median_cm, "state": product.state}
            return {f"displacement_{part}": r for part, r in parts.items()}
        case Probability():
            parts = {"probability": product.probability, "area_fraction": product.area_fraction, "state": product.state}
            return {f"{name.removesuffix('_probability')}_{part}": r for part, r in parts.items()}
        case Shaking():
            return {f"shaking_{part}": r for part, r in product.layers.items()}
        case dict():
            return {
                f"level_{key.replace(' ', '_')}{suffix}": r
                for key, levels in product.items()
                if isinstance(levels, Levels)
                for suffix, r in (("", levels.shown), ("_state", levels.state), ("_reason", levels.reason))
            }
    return {}


def shapes(name: str, product: object) -> dict[str, Any]:
    """The GeoDataFrames that a product holds, by layer name; what coverage says of people and sites takes their place."""
    match product:
        case RoadNetwork():
            return {"roads": product.edges}
        case Coverage():
            return {"people": product.demand, "sites": product.sites}
    layer = {"displaced": "people", "screened_sites": "sites"}.get(name, name)
    return {layer: product} if hasattr(product, "geometry") else {}


def tables(product: object) -> dict[str, pd.DataFrame]:
    """The tables that a product holds, by file name."""
    if not isinstance(product, Coverage):
        return {}
    totals = pd.DataFrame(product.totals.items(), columns=["what", "people"])
    plain = {"people": product.demand, "sites": product.sites}
    return {"totals": totals, "flows": product.flows, **{k: v.drop(columns=v.geometry.name) for k, v in plain.items()}}


def write_product(name: str, product: object, folder: Path) -> list[Path]:
    """The rasters and tables of one product as files under `folder`; the paths written, in order."""
    written: list[Path] = []
    for key, raster in rasters(name, product).items():
        written.append(folder / "rasters" / f"{key}.tif")
        io.write_raster(raster, written[-1])
    for key, table in tables(product).items():
        written.append(folder / "tables" / f"{key}.csv")
        io.write_table(table, written[-1])
    return written


def write_layers(products: Mapping[str, object], folder: Path) -> list[Path]:
    """The shapes of all products in one GeoPackage under `folder`; no path where there are none."""
    layers: dict[str, Any] = {}
    for name, product in products.items():
        layers.update(shapes(name, product))
    if not layers:
        return []
    io.write_vectors(layers, folder / "layers.gpkg")
    return [folder / "layers.gpkg"]
