"""What all tests share: where real data are, small grids that can be seen at a glance, and a browser without a network."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from hypothesis import settings

from hazardgeo.grid import Grid
from hazardgeo.raster import Raster

settings.register_profile("hazardgeo", deadline=None, derandomize=True)  # shared machines are slow and noisy
settings.load_profile("hazardgeo")

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """A folder of the session by its name, filled by a function in the first process that asks for it; the others wait."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def folder_of(name: str, make: Callable[[Path], object]) -> Path:
        folder = base / name
        made, failed = folder.with_suffix(".made"), folder.with_suffix(".failed")
        try:
            folder.mkdir()
        except FileExistsError:
            until = time.monotonic() + 600
            while not made.exists():
                assert not failed.exists(), f"{name} could not be made"
                assert time.monotonic() < until, f"{name} was not made within ten minutes"
                time.sleep(0.2)
            return folder
        try:
            make(folder)
        except BaseException:
            failed.touch()
            raise
        made.touch()
        return folder

    return folder_of


@pytest.fixture(scope="session")
def valley(once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """The scenario file of a small demo valley."""
    from hazardgeo import synthetic

    return once("valley", lambda folder: synthetic.valley(folder, seed=1, size="small")) / "scenario.toml"


@pytest.fixture
def data_case() -> Callable[[str], Path]:
    """The folder of one case of real data; skips the test where it is not there."""

    def find(case: str) -> Path:
        root = os.environ.get("HAZARDGEO_DATA")
        if not root or not (Path(root) / case).exists():
            pytest.skip(f"needs HAZARDGEO_DATA: {case}")
        return Path(root) / case

    return find


@pytest.fixture
def vectors(data_case: Callable[[str], Path]) -> Callable[[str], Path]:
    """A file or folder of peers' inputs and outputs, which lie beside the real data."""
    return lambda name: data_case(f"../vectors/{name}")


@pytest.fixture
def make_grid() -> Callable[..., Grid]:
    """A metric grid with its north-west corner at (500000, 4000000)."""

    def make(rows: int, cols: int, cell: float = 1.0, crs: object = 32648) -> Grid:
        return Grid(Affine(cell, 0, 500_000, 0, -cell, 4_000_000), (rows, cols), crs)  # type: ignore[arg-type]

    return make


@pytest.fixture
def make_raster(make_grid: Callable[..., Grid]) -> Callable[..., Raster]:
    """A raster from a nested list, on a metric grid."""

    def make(values: object, cell: float = 1.0, name: str = "test", unit: str = "m", dtype: str = "float32") -> Raster:
        array = np.array(values, dtype=dtype)
        return Raster(array, make_grid(*array.shape, cell=cell), name, unit)

    return make


@dataclass
class Opened:
    """A page in the browser, with what it asked for and what it complained about."""

    tab: Any
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def require_quiet(self) -> None:
        assert self.requests == []
        assert self.errors == []


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if not CHROMIUM.exists():
        pytest.skip(f"needs a browser at {CHROMIUM}")
    with sync_api.sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Opened]]:
    """Opens a file; every request but file, data and blob is refused and recorded."""
    contexts = []

    def visit(path: Path, *, wait: str = "window.__ready === true", **device: Any) -> Opened:
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 800}} | device))
        contexts.append(context)
        opened = Opened(context.new_page())

        def route(r: Any) -> None:
            if r.request.url.startswith(("file:", "data:", "blob:")):
                r.continue_()
            else:
                opened.requests.append(r.request.url)
                r.abort()

        context.route("**/*", route)
        opened.tab.on("console", lambda m: opened.errors.append(m.text) if m.type == "error" else None)
        opened.tab.on("pageerror", lambda error: opened.errors.append(str(error)))
        opened.tab.goto(path.resolve().as_uri())
        until = time.monotonic() + 20
        while not opened.tab.evaluate(wait):  # the policy of the pages refuses the evaluation that wait_for_function needs
            assert time.monotonic() < until, f"{path.name} did not get ready: {opened.errors}"
            opened.tab.wait_for_timeout(20)
        return opened

    yield visit
    for context in contexts:
        context.close()
