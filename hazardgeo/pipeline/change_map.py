"""The map of what moved: both epochs, change where it is more than chance, bodies, and what nobody looked at."""

from __future__ import annotations

import geopandas
import numpy as np

from hazardgeo.change import Coregistration, SurfaceChange
from hazardgeo.pipeline.epoch import Epoch
from hazardgeo.raster import UNKNOWN_CLASS, ClassLabel, Raster
from hazardgeo.terrain import hillshade
from hazardgeo.webmap import Headline, Map, Style

_STEPS_M = (0.5, 2.0, 5.0)
_CLASSES = (
    ClassLabel(0, "no change beyond the level of detection", "#f7f7f7"),
    ClassLabel(1, "rose, less than 0.5 m", "#d1e5f0"),
    ClassLabel(2, "sank, less than 0.5 m", "#fddbc7"),
    ClassLabel(3, "rose 0.5 to 2 m", "#92c5de"),
    ClassLabel(4, "sank 0.5 to 2 m", "#f4a582"),
    ClassLabel(5, "rose 2 to 5 m", "#4393c3"),
    ClassLabel(6, "sank 2 to 5 m", "#d6604d"),
    ClassLabel(7, "rose more than 5 m", "#2166ac"),
    ClassLabel(8, "sank more than 5 m", "#b2182b"),
    ClassLabel(UNKNOWN_CLASS, "not surveyed in both epochs", "#9e9e9e", hatched=True),
)
_CONFIDENCE = {
    "low": Style("#e08b00", "landslide, low confidence", hatched=True),
    "medium": Style("#d6604d", "landslide, medium confidence"),
    "high": Style("#7f0000", "landslide, high confidence"),
}
_POPUP = {
    "body_id": "Number",
    "kind": "Kind",
    "confidence": "Confidence",
    "reasons": "Why",
    "area_m2": "Area in m²",
    "volume_m3": "Volume in m³",
    "volume_low_m3": "Volume at least (95 %)",
    "volume_high_m3": "Volume at most (95 %)",
    "depth_max_m": "Deepest in m",
    "height_m": "Height in m",
    "length_m": "Length in m",
    "h_over_l": "H/L",
    "direction_deg": "Direction in degrees",
    "reached": "Reached",
}
_COVERAGE_POPUP = {
    "what": "What",
    "sensor": "Sensor",
    "date": "Date",
    "resolution": "Resolution",
    "smallest_change_m": "Smallest change that can be told, in m (half of the cells)",
    "smallest_change_most_m": "... in 95 % of the cells",
}


def page(
    old: Epoch,
    new: Epoch,
    found: SurfaceChange,
    registration: Coregistration,
    bodies: geopandas.GeoDataFrame,
    covered: geopandas.GeoDataFrame,
) -> Map:
    """The map, with both epochs as shaded ground to switch between."""
    kept, rejected = bodies[bodies["rejected_as"] == ""], bodies[bodies["rejected_as"] != ""]
    made = Map(
        "What moved between two surveys",
        times={"data": f"{old.survey.date or 'date not stated'} (before) and {new.survey.date or 'date not stated'} (after)"},
        headlines=_figures(found, registration, kept, covered),
        not_assessed=_not_assessed(found, registration, rejected),
    )
    made.add_raster(hillshade(old.dtm), name="Ground before, shaded", ramp="grey", opacity=1.0, limits=(0.0, 1.0))
    after = registration.apply(new.dtm, to=old.dtm.grid)
    made.add_raster(hillshade(after), name="Ground after, shaded", ramp="grey", opacity=1.0, limits=(0.0, 1.0), shown=False)
    made.add_raster(classes(found), name="Change beyond the level of detection", opacity=0.65)
    made.add_raster(found.lod95_m, name="Level of detection (95 %)", ramp="OrRd", opacity=0.65, shown=False)
    made.add_vector(
        covered[covered["what"] == "not compared"].assign(state="not compared"),
        name="Not surveyed in both epochs",
        by="state",
        classes={"not compared": Style("#757575", "nobody can say whether this moved", hatched=True)},
        shown=False,
    )
    outlines = covered[covered["what"] != "not compared"]
    styles = dict(zip(outlines["what"], (Style(c, w) for c, w in zip(_colours(), outlines["what"], strict=False)), strict=True))
    made.add_vector(outlines, name="Survey coverage", by="what", classes=styles, popup=_COVERAGE_POPUP, shown=False)
    if len(rejected):
        reasons = sorted(rejected["rejected_as"].unique())
        looks = {r: Style("#4d4d4d", f"no landslide: {r}", hatched=True) for r in reasons}
        popup = {**_POPUP, "rejected_as": "Rejected as"}
        made.add_vector(rejected, name="Change that is no landslide", by="rejected_as", classes=looks, popup=popup, shown=False)
    made.add_vector(kept, name="Landslides", by="confidence", classes=_CONFIDENCE, popup=_POPUP)
    return made


def classes(found: SurfaceChange) -> Raster:
    """Change in classes by size and sign, where it is beyond the level of detection; 255 where that is unknown."""
    change_m = found.change_m.values.astype(np.float64)
    sure = found.significant.values
    step = 2 * np.searchsorted(_STEPS_M, np.abs(np.nan_to_num(change_m)), side="right") + 1 + (change_m < 0)
    codes = np.where(sure == 1, step, np.where(sure == 0, 0, UNKNOWN_CLASS)).astype(np.uint8)
    return Raster(codes, found.change_m.grid, "change_classes", "class", classes=_CLASSES)


def _colours() -> tuple[str, ...]:
    return "#8073ac", "#e08214", "#35978f"


def _figures(
    found: SurfaceChange, registration: Coregistration, kept: geopandas.GeoDataFrame, covered: geopandas.GeoDataFrame
) -> list[Headline]:
    compared = covered[covered["what"] == "compared"].iloc[0]
    cell_m2 = float(np.prod(found.change_m.grid.cell_m))
    moved = float((found.significant.values == 1).sum()) * cell_m2
    low, high = (float(f"{kept[name].sum():.2g}") for name in ("volume_low_m3", "volume_high_m3"))
    volume = f"{low:,.0f} to {high:,.0f} m³ in all; {int((kept['confidence'] == 'high').sum())} with high confidence"
    smallest = compared["smallest_change_m"]
    return [
        Headline("Landslides", f"{len(kept):,}", volume if len(kept) else "none found where both epochs were surveyed"),
        Headline("Changed beyond the level of detection", f"{moved / 1e4:,.2f} ha", "one cell in twenty is so by chance"),
        Headline("Compared", f"{compared['area_m2'] / 1e6:,.3g} km²", "elsewhere nobody can say whether it moved"),
        Headline(
            "Smallest change that can be told",
            "unknown" if not np.isfinite(smallest) else f"{smallest:.2f} m",
            f"median of the cells, 95 %; epochs lie on each other to {registration.nmad_m:.3f} m (NMAD on stable ground)",
        ),
    ]


def _not_assessed(found: SurfaceChange, registration: Coregistration, rejected: geopandas.GeoDataFrame) -> list[str]:
    unknown = float(found.change_m.unknown.mean())
    said = [f"{unknown:.1%} of the frame was not surveyed in both epochs"] if unknown else []
    said.append("slow creep and slides that keep their surface do not show in differences of elevations")
    said += (
        [f"{len(rejected):,} changes were judged to be no landslides; they are in a layer of their own"] if len(rejected) else []
    )
    return said + list(registration.remarks)
