"""The demo valley, run once for all tests of the whole line."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from hazardgeo import pipeline
from hazardgeo.pipeline import Manifest


@pytest.fixture(scope="session")
def demo(valley: Path, once: Callable[[str, Callable[[Path], object]], Path]) -> tuple[Path, Manifest]:
    """The results of the valley: their folder and the manifest."""

    def run(folder: Path) -> None:
        manifest = pipeline.run(valley, out=folder / "results")
        (folder / "manifest.pickle").write_bytes(pickle.dumps(manifest))

    folder = once("demo", run)
    return folder / "results", pickle.loads((folder / "manifest.pickle").read_bytes())
