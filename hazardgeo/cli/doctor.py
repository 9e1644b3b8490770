"""hazardgeo doctor: is everything there that a run needs?"""

from __future__ import annotations

import importlib
import platform
import shutil
import warnings
from dataclasses import dataclass

import click

from hazardgeo.pipeline.manifest import versions

OPTIONAL = {
    "open3d": ("aligning scans", "pip install open3d-cpu"),
    "pye57": ("E57 scans", "pip install 'hazardgeo[e57]'"),
    "sklearn": ("trained models", "pip install 'hazardgeo[learn]'"),
    "pycolmap": ("drone photos", "pip install 'hazardgeo[photos]'"),
    "distributed": ("several machines", "pip install 'hazardgeo[cluster]'"),
    "xarray": ("Raster.to_xarray", "pip install xarray"),
}
SYSTEM_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libusb-1.0.so.0": "libusb-1.0-0",
    "libgomp.so.1": "libgomp1",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    what: str
    state: str
    fix: str = ""


@click.command("doctor", help="Versions, threading, optional packages, missing system libraries.")
def command() -> None:
    """What a run needs is installed with the package; what is missing here serves single steps."""
    for name, version in versions().items():
        click.echo(f"{name}: {version}")
    click.echo(f"system: {platform.platform()}")
    for finding in (_threading(), *_optional()):
        click.echo(f"{finding.what}: {finding.state}" + (f"; install with: {finding.fix}" if finding.fix else ""))


def _threading() -> Finding:
    """The threading layer that numba takes for parallel work, found by running some."""
    import numba
    from numba.np.ufunc import parallel

    @numba.njit(parallel=True)
    def total(n: int) -> float:
        result = 0.0
        for i in numba.prange(n):
            result += i
        return result

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numba warns of layers that it passes over
            total(8)
        layer, threads = parallel.threading_layer(), parallel.get_num_threads()  # type: ignore[no-untyped-call]
        return Finding("numba", f"threading layer {layer}, {threads} threads")
    except ValueError as error:
        return Finding("numba", f"no threading layer ({str(error).splitlines()[0]}); kernels run on one thread")


def _optional() -> list[Finding]:
    findings = []
    for package, (purpose, fix) in OPTIONAL.items():
        try:
            version = getattr(importlib.import_module(package), "__version__", "installed")
            findings.append(Finding(package, f"{version} ({purpose})"))
        except ImportError as error:
            findings.append(Finding(package, f"not usable ({purpose}): {str(error).splitlines()[0]}", _fix(str(error), fix)))
        except OSError as error:
            findings.append(Finding(package, f"cannot load ({purpose}): {str(error).splitlines()[0]}", _fix(str(error), fix)))
    return findings


def _fix(error: str, otherwise: str) -> str:
    """The command for a missing system library where the error names one, else the one for the package."""
    missing = [package for library, package in SYSTEM_LIBRARIES.items() if library in error]
    if not missing:
        return otherwise
    if shutil.which("apt-get"):
        return f"apt-get install -y {' '.join(SYSTEM_LIBRARIES.values())}"
    return f"the system package that holds {', '.join(lib for lib in SYSTEM_LIBRARIES if lib in error)}"
