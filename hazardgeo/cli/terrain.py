"""hazardgeo terrain: single steps on elevation rasters of any size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from hazardgeo import pipeline, terrain
from hazardgeo.cli import workers
from hazardgeo.io import RasterFile
from hazardgeo.pipeline.large_flow import FLOW_JOB_BYTES
from hazardgeo.pipeline.large_terrain import RASTER_JOB_BYTES, fits
from hazardgeo.raster import Raster


@click.group("terrain", help="Elevation rasters of any size: the shape of the ground, and where water goes.")
def command() -> None:
    """One raster in, one file out, or a folder."""


def _add(
    name: str,
    help_text: str,
    function: Callable[..., Path | dict[str, Path]],
    *options: Callable[..., Any],
    job_bytes: int = RASTER_JOB_BYTES,
    result: str = "The raster to write (.tif).",
    small: Callable[[str, str | None], bool] | None = None,
) -> None:
    """A command that makes one raster of another, or what `result` says."""

    @workers.options
    def work(raster: str, out: Path, crs: str | None, unit: str, workers: workers.Workers, **more: Any) -> None:
        whole = small is not None and workers.jobs is None and workers.scheduler is None and small(raster, crs)
        executor = None if whole else workers.executor(bytes_per_job=job_bytes)
        made = function(raster, out=out, crs=crs, unit=unit, executor=executor, report=workers.report, **more)
        for path in made.values() if isinstance(made, dict) else [made]:
            click.echo(str(path))

    for option in (
        *options,
        click.option("--unit", default="", help="The unit of elevations in files that state none: m or ft."),
        click.option("--crs", help="The CRS of files that state none, such as EPSG:32648."),
        click.option("--out", type=click.Path(path_type=Path), required=True, help=result),
        click.argument("raster"),
    ):
        work = option(work)
    command.command(name, help=help_text)(work)


def _add_shape(name: str, help_text: str, function: Callable[..., Raster], *options: tuple[str, Callable[..., Any]]) -> None:
    """A command for a shape of the ground; `options` are names of its arguments and their options."""
    names = [argument for argument, _ in options]

    def work(raster: str, **given: Any) -> Path:
        chosen = {argument: given.pop(argument) for argument in names}
        return pipeline.shape(function, raster, options=chosen, **given)

    _add(name, help_text, work, *(option for _, option in options), _CREATION, small=_small)


def _small(raster: str, crs: str | None) -> bool:
    """True where the whole is quicker in this process than tile by tile in others, which must start first."""
    return fits(RasterFile(raster, crs=crs))


def _creation_of(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> dict[str, str] | None:
    for word in given:
        if "=" not in word:
            raise click.BadParameter(f"{word!r} is no NAME=VALUE, such as COMPRESS=DEFLATE.")
    return dict(word.split("=", 1) for word in given) if given else None


_CREATION = click.option(
    "--co", "creation", multiple=True, metavar="NAME=VALUE", callback=_creation_of,
    help="A creation option of GDAL's GTiff driver: then the result is a plain GeoTIFF with it, without overviews.",
)  # fmt: skip


def _number(name: str, help_text: str, **more: Any) -> tuple[str, Callable[..., Any]]:
    option = click.option(f"--{name.replace('_', '-')}", type=float, metavar="NUMBER", help=help_text, **more)
    return name, option


def _choice(name: str, *choices: str) -> tuple[str, Callable[..., Any]]:
    return name, click.option(f"--{name}", type=click.Choice(choices), default=choices[0], show_default=True)


def _azimuths(_context: click.Context, _option: click.Parameter, values: tuple[float, ...]) -> float | tuple[float, ...]:
    return values[0] if len(values) == 1 else values


_SCALE = _number("scale_m", "Smooth the ground over so many metres first.")
_METHOD = _choice("method", "horn", "zevenbergen_thorne")
_RADIUS = _number("radius_m", "How far to look, in metres.", required=True)
_DIRECTIONS = "directions", click.option("--directions", type=click.IntRange(min=4), default=16, show_default=True)
_AZIMUTH = (
    "azimuth_deg",
    click.option(
        "--azimuth-deg", type=float, multiple=True, default=[315.0], show_default=True, callback=_azimuths,
        help="Where the light comes from, clockwise from north; several times for light from several sides.",
    ),
)  # fmt: skip

_add_shape("slope", "Steepness in degrees.", terrain.slope, _METHOD, _SCALE)
_add_shape("gradient", "Rise over run along the steepest way.", terrain.gradient, _METHOD, _SCALE)
_add_shape("aspect", "Direction in which the ground falls, in degrees from north.", terrain.aspect, _METHOD, _SCALE)
_add_shape(
    "hillshade", "Brightness of the ground under a light.", terrain.hillshade, _AZIMUTH,
    _number("altitude_deg", "How high the light stands.", default=45.0, show_default=True), _SCALE,
)  # fmt: skip
_add_shape(
    "curvature", "How the ground bends, in 1/m, convex positive.", terrain.curvature, _choice("kind", *terrain.CURVATURES), _SCALE
)
_add_shape(
    "roughness", "How rough the ground is within a window.", terrain.roughness, _choice("kind", "residual", "vrm"),
    _number("window_m", "Width of the window.", required=True),
)  # fmt: skip
_add_shape("relief", "Highest minus lowest elevation around each cell in m.", terrain.relief, _RADIUS)
_add_shape("tpi", "Height above the mean of the cells around in m.", terrain.tpi, _RADIUS)
_add_shape("tri", "Ruggedness in m.", terrain.tri, _number("radius_m", "How far to look; the eight neighbours unless given."))
_add_shape("percentile", "Share of the cells around that lie lower.", terrain.percentile, _RADIUS)
_add_shape(
    "openness",
    "How wide the sky is open in degrees.",
    terrain.openness,
    _choice("kind", "positive", "negative"),
    _DIRECTIONS,
    _RADIUS,
)
_add_shape("sky-view", "Share of the sky that is seen.", terrain.sky_view, _DIRECTIONS, _RADIUS)
_add("fill", "Depressions filled, as water would.", pipeline.fill)
_add("flow-direction", "The neighbour that each cell drains to (D8 codes).", pipeline.flow_direction)
_add("flow-accumulation", "Area that drains through each cell in m2, along flow-direction.", pipeline.flow_accumulation)

_ROUTING = (
    _choice("routing", "d8", "dinf", "mfd")[1],
    _number("exponent", "Of mfd: larger gathers more.", default=1.1)[1],
    _SCALE[1],
)
_AREA = "min_area_m2", "The area from which a stream begins, in m2."
_OUTLETS = (
    click.option("--snap-m", type=float, default=0.0, metavar="NUMBER", help="How far outlets may be moved to the main stream."),
    click.option("--outlets", type=click.Path(path_type=Path), required=True, help="Points, in any format that is read."),
)


def _add_flow(name: str, help_text: str, function: Callable[..., Any], *options: Callable[..., Any], **more: Any) -> None:
    _add(name, help_text, function, *options, job_bytes=FLOW_JOB_BYTES, **more)


_add_flow(
    "flow",
    "Filled surface, directions, areas, wetness and where inflow is unknown, into a folder.",
    pipeline.flow,
    *_ROUTING,
    result="The folder to write to.",
)
_add_flow("wetness", "Wetness index ln(a / tan b).", pipeline.wetness, *_ROUTING)
_add_flow(
    "hand",
    "Height above the nearest drainage in m.",
    pipeline.height_above_drainage,
    _number(*_AREA)[1],
    click.option("--streams", type=click.Path(path_type=Path), help="A mask of streams on the same grid, instead of an area."),
)
_add_flow(
    "streams", "Streams as lines, with their order.", pipeline.streams, _number(*_AREA, required=True)[1],
    result="The lines to write (.gpkg).",
)  # fmt: skip
_add_flow("catchment", "What drains to each outlet, numbered from 1.", pipeline.catchment, *_OUTLETS)
_add_flow(
    "longest-flow-path", "The longest way of water to each outlet, as lines.", pipeline.longest_flow_path, *_OUTLETS,
    result="The lines to write (.gpkg).",
)  # fmt: skip
