"""The demo valley, run once for the tests of what can go wrong around a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from hazardgeo import pipeline
from hazardgeo.pipeline import Manifest


@pytest.fixture(scope="session")
def demo(valley: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """The surfaces of the valley: their folder and the manifest."""
    out = tmp_path_factory.mktemp("results")
    return out, pipeline.run(valley, out=out, only="terrain")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this folder takes minutes: `make chaos` and `make full` run it."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
