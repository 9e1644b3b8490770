"""What a run says: the figures that come first, what was not assessed, and the map."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from hazardgeo import levels as _levels
from hazardgeo.event import Earthquake, Shaking
from hazardgeo.hazard import Displacement, Probability
from hazardgeo.levels import Levels
from hazardgeo.network import RoadNetwork
from hazardgeo.pipeline.skip import Skip
from hazardgeo.raster import Raster
from hazardgeo.scenario import Scenario
from hazardgeo.shelter import CAUSES, Coverage, cause_column
from hazardgeo.webmap import Headline, Map, Style

CONSIDERED = ("landslide", "liquefaction", "loess flow slide", "mapped landslides")
SHAKING_WORDS = {"pga_g": "peak ground acceleration", "pgv_cm_s": "peak ground velocity"}
SKIPPED_WORDS = {
    "shaking": "How strongly the ground shook",
    "landslide": "Whether slopes slide",
    "liquefaction": "Whether ground liquefies",
    "loess": "Whether wet loess flows",
    "network": "Which roads are open",
    "demand": "Who is displaced",
    "shelter": "Who finds a place",
}
STATUS_STYLES = {
    "open": Style("#1a7f37", "open: assessed, nothing found"),
    "conditional": Style("#e08b00", "conditional: check before use", dash="8 4"),
    "unknown": Style("#757575", "unknown: not assessed", dash="2 5", hatched=True),
    "closed": Style("#b30000", "closed", dash="1 6"),
}
CAUSE_STYLES = {
    "sheltered": Style("#1a7f37", "all displaced have a place: open site, open roads"),
    "conditional": Style("#e08b00", "without an assured place, mostly: site or road must be checked"),
    "place not assessed": Style("#757575", "without an assured place, mostly: site or road not assessed", hatched=True),
    "site closed": Style("#7b3294", "without a place, mostly: sites closed"),
    "road cut": Style("#b30000", "without a place, mostly: road cut"),
    "too far": Style("#2166ac", "without a place, mostly: too far"),
    "no capacity": Style("#d6604d", "without a place, mostly: sites full"),
    "no road": Style("#67001f", "without a place, mostly: no road"),
    "home not assessed": Style("#9e9e9e", "nobody displaced by the model, home not assessed", hatched=True),
    "nobody displaced": Style("#bdbdbd", "nobody displaced, home assessed"),
}


def headlines(products: Mapping[str, Any]) -> list[Headline]:
    """The figures of a run that a reader must see first, with what they rest on."""
    found = []
    coverage = products.get("coverage")
    if isinstance(coverage, Coverage):
        found += _people_figures(coverage, list(products.get("levels") or {}))
    roads = products.get("road_network")
    if isinstance(roads, RoadNetwork):
        km = roads.edges.groupby("status")["length_m"].sum() / 1000.0
        rest = ", ".join(f"{km[status]:,.1f} km {status}" for status in STATUS_STYLES if status in km and status != "open")
        value = f"{km.get('open', 0.0):,.1f} of {km.sum():,.1f} km"
        judges = [name for name in products.get("levels") or {} if name != "liquefaction"]
        by = f"judged by {', '.join(judges)}" if judges else "no landslide hazard was considered"
        found.append(Headline("Roads open", value, f"{rest}; {by}; liquefaction under roads and bridges was not assessed"))
    for name, levels in (products.get("levels") or {}).items():
        found.append(_area_figure(name, levels))
    return found


def not_assessed(products: Mapping[str, Any]) -> list[str]:
    """In sentences, what the run did not look at."""
    skipped: Mapping[str, str] = products.get("skipped") or {}
    found = [f"{words} (stage {stage} {skipped[stage]})" for stage, words in SKIPPED_WORDS.items() if stage in skipped]
    levels: Mapping[str, Levels] = products.get("levels") or {}
    found += [f"{name}: left out by the scenario" for name in CONSIDERED if levels and name not in levels]
    for name, one in levels.items():
        for state in _levels.STATES:
            share = float((one.state.values == state.code).mean()) if state.hatched else 0.0
            if share > 0:
                found.append(f"{name}: {state.label} on {f'{share:.1%}' if share >= 0.001 else 'under 0.1%'} of the area")
    shaking = products.get("shaking")
    if isinstance(shaking, Shaking):
        lacking = [words for name, words in SHAKING_WORDS.items() if name not in shaking.layers]
        found += [f"{', '.join(lacking)}: not in the shaking map"] if lacking else []
    for name in ("road_network", "coverage"):
        found += list(getattr(products.get(name), "notes", ()))
    return list(dict.fromkeys(found))


def webmap(
    scenario: Scenario,
    skipped: Mapping[str, str],
    event: Earthquake | None = None,
    shaking: Shaking | None = None,
    dem: Raster | None = None,
    slope: Raster | None = None,
    hillshade: Raster | None = None,
    levels: Mapping[str, Levels] | None = None,
    displacement: Displacement[Raster] | None = None,
    landslide_probability: Probability[Raster] | None = None,
    liquefaction_probability: Probability[Raster] | None = None,
    bodies: Any = None,
    surveyed: Any = None,
    road_network: RoadNetwork | None = None,
    coverage: Coverage | None = None,
) -> dict[str, Map]:
    """The map of everything that was made, with what was not."""
    products = {"skipped": skipped, "shaking": shaking, "levels": levels, "road_network": road_network, "coverage": coverage}
    quake = shaking.event if shaking is not None else event
    page = Map(
        scenario.title,
        notice=scenario.notice,
        event="" if quake is None else f"{quake.name or 'Earthquake'}, M {quake.magnitude:g}",
        times=_times(scenario, quake),
        headlines=headlines(products),
        not_assessed=not_assessed(products),
    )
    if hillshade is None and dem is None and slope is None and shaking is None:
        raise Skip("nothing was computed that a map could show")
    if hillshade is not None:
        page.add_raster(hillshade, name="Hillshade", ramp="grey", opacity=1.0, limits=(0.0, 1.0))
    if dem is not None:
        page.add_raster(dem, name="Elevation", ramp="cividis", shown=False)
    if slope is not None:
        page.add_raster(slope, name="Slope", ramp="OrRd", limits=(0.0, 60.0), shown=levels is None)
    _add_shaking(page, shaking)
    _add_models(page, displacement, landslide_probability, liquefaction_probability)
    for i, (name, one) in enumerate((levels or {}).items()):
        page.add_raster(one.shown, name=f"Level: {name}", shown=i == 0, opacity=0.6)
        if len(one.reason.classes) > 1:
            page.add_raster(one.reason, name=f"What decides: {name}", shown=False, opacity=0.6)
    if surveyed is not None:
        page.add_vector(surveyed, name="Area surveyed for landslides", shown=False)
    if bodies is not None:
        style = Style("#6a1b1b", "mapped landslide")
        page.add_vector(bodies.assign(kind="body"), name="Mapped landslides", by="kind", classes={"body": style})
    if road_network is not None:
        _add_roads(page, road_network)
    if coverage is not None:
        _add_people(page, coverage)
    return {"map": page}


def _times(scenario: Scenario, quake: Earthquake | None) -> dict[str, str]:
    """When it shook, when the ground was looked at, and when the results are of."""

    def utc(time: datetime) -> str:
        return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

    return {
        **({} if quake is None else {"event": utc(quake.time)}),
        "data": "not stated" if scenario.data_time is None else utc(scenario.data_time),
        "analysis": "not stated; see manifest.json" if scenario.analysis_time is None else utc(scenario.analysis_time),
    }


def _people_figures(coverage: Coverage, considered: list[str]) -> list[Headline]:
    totals = coverage.totals
    displaced = totals["displaced"]
    missing = {cause: totals[cause] for cause in CAUSES if cause != "sheltered" and totals[cause]}
    why = ", ".join(f"{people:,} {cause}" for cause, people in missing.items())
    unassessed = int(coverage.demand["not_assessed_people"].sum())
    low, high = (float(coverage.demand[f"displaced_{p}"].sum()) for p in ("p10", "p90"))
    spread = f"{low:,.0f} to {high:,.0f} (10 to 90 %) as the shaking is uncertain; those who must leave for hazard are in it"
    return [
        Headline("People displaced", f"{displaced:,}", spread),
        Headline(
            "With a place",
            f"{totals['sheltered']:,}",
            f"in open sites over open roads; hazards considered: {', '.join(considered)}",
        ),
        Headline("Without an assured place", f"{displaced - totals['sheltered']:,}", why),
        Headline("Homes not assessed", f"{unassessed:,} people", "not counted as displaced nor as safe"),
    ]


def _area_figure(name: str, levels: Levels) -> Headline:
    """The area of the two highest levels, with that of everything else beside it; never a zero where nobody looked."""
    areas_km2 = np.broadcast_to(levels.grid.cell_areas_m2() / 1e6, levels.grid.shape)
    shown = levels.shown
    area = {c.label: float(areas_km2[shown.values == c.code].sum()) for c in shown.classes}
    worst = sum(area.pop(label, 0.0) for label in ("high", "very high", "at least high", "at least very high"))
    rest = ", ".join(f"{_km2(value)} {label}" for label, value in area.items() if value > 0)
    nothing = not (levels.level.values > _levels.NOT_ASSESSED).any()
    return Headline(f"{name.capitalize()}: high or very high", "not assessed" if nothing else _km2(worst), rest)


def _km2(area: float) -> str:
    """An area in words; small ones keep two digits that count."""
    return f"{area:,.0f} km²" if area >= 100 else f"{area:.2g} km²"


def _add_shaking(page: Map, shaking: Shaking | None) -> None:
    if shaking is None:
        return
    if shaking.pga_g is not None:
        page.add_raster(
            shaking.pga_g, name="Peak ground acceleration", ramp="OrRd", shown=False, opacity=0.6, note=shaking.source
        )
    if shaking.pga_g is None and shaking.pgv_cm_s is None and shaking.mmi is not None:
        page.add_raster(shaking.mmi, name="Intensity (MMI)", ramp="OrRd", opacity=0.6, note=shaking.source)
    if shaking.pgv_cm_s is not None:
        page.add_raster(shaking.pgv_cm_s, name="Peak ground velocity", ramp="OrRd", shown=False, opacity=0.6, note=shaking.source)


def _add_models(
    page: Map,
    displacement: Displacement[Raster] | None,
    landslide: Probability[Raster] | None,
    liquefaction: Probability[Raster] | None,
) -> None:
    if displacement is not None:
        note = f"{displacement.citation}. {displacement.validity}"
        page.add_raster(displacement.median_cm, name="Newmark displacement", shown=False, limits=(0.0, 30.0), note=note)
    for name, model in (("Landslide area share", landslide), ("Liquefaction area share", liquefaction)):
        if model is not None:
            note = f"{model.citation}. {model.validity}"
            page.add_raster(model.area_fraction, name=name, shown=False, note=note)


def _add_roads(page: Map, net: RoadNetwork) -> None:
    """Roads joined by status and reason: one popup says why, and a county's roads stay drawable."""
    roads = net.edges[["status", "reason", net.edges.geometry.name]].dissolve(by=["status", "reason"], as_index=False)
    page.add_vector(
        roads, name="Roads", by="status", classes=STATUS_STYLES, popup={"status": "status", "reason": "why"}, shown=True
    )


def _add_people(page: Map, coverage: Coverage) -> None:
    words = {column: label for column, label in SITE_WORDS.items() if column in coverage.sites.columns}
    page.add_vector(coverage.demand, name="People", by="main_cause", classes=CAUSE_STYLES, popup=_demand_words(coverage))
    page.add_vector(coverage.sites, name="Shelter sites", by="status", classes=STATUS_STYLES, popup=words, radius_px=9)


SITE_WORDS = {
    "name": "site",
    "kind": "kind",
    "status": "status",
    "reason": "why",
    "capacity_places": "places",
    "binding": "limited by",
    "unchecked": "not checked",
    "spare_places": "places left",
}


def _demand_words(coverage: Coverage) -> dict[str, str]:
    columns = {
        "village": "village",
        "people": "residents",
        "displaced_people": "displaced",
        "homes_state": "home",
        "reason": "why",
    }
    return {c: w for c, w in columns.items() if c in coverage.demand.columns} | {cause_column(c): c for c in CAUSES}
