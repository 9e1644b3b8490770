"""The package as a whole: what importing it costs, what its README promises, whether its types hold."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hazardgeo

ROOT = Path(__file__).parents[1]
HEAVY = {"open3d", "folium", "geopandas", "numba", "dask", "sklearn", "rasterio", "matplotlib", "pandas", "scipy", "ortools"}


def test_importing_the_package_loads_no_heavy_library() -> None:
    code = "import sys, hazardgeo; print(*{m.partition('.')[0] for m in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "hazardgeo" in loaded
    assert not HEAVY & set(loaded)


def test_rooms_load_neither_open3d_nor_the_map_library_before_they_are_used() -> None:
    rooms = "import hazardgeo as hg; [getattr(hg, name) for name in hg.__all__]"
    code = f"{rooms}; import sys; print(*{{m.partition('.')[0] for m in sys.modules}})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"open3d", "folium", "dask", "sklearn", "ortools", "pygmm", "matplotlib"} & set(loaded)


def test_an_unknown_attribute_is_said_to_be_unknown() -> None:
    with pytest.raises(AttributeError, match="no attribute 'hazzard'"):
        _ = hazardgeo.hazzard  # type: ignore[attr-defined]


def test_the_notebook_example_of_the_readme_is_typed(tmp_path: Path) -> None:
    """Also through the lazy attributes of the package."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.S)
    assert blocks
    script = tmp_path / "readme.py"
    script.write_text("\n".join(blocks) + "\nreveal_type(slope)\n", encoding="utf-8")
    options = ["--strict", "--config-file", str(ROOT / "pyproject.toml")]
    command = [sys.executable, "-m", "mypy", *options, str(script)]
    where = {**os.environ, "MYPYPATH": str(ROOT)}
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=where, check=False)
    assert 'Revealed type is "hazardgeo.raster.core.Raster"' in run.stdout, run.stdout
    assert run.returncode == 0, run.stdout


def test_modules_and_functions_keep_the_size_of_the_house() -> None:
    import ast

    long = []
    for path in (ROOT / "hazardgeo").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if len(text.splitlines()) > 400:
            long.append(f"{path.name} has {len(text.splitlines())} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                if body and (node.end_lineno or 0) - body[0].lineno + 1 > 60:
                    long.append(f"{path.name}:{node.name} has more than 60 lines")
    assert not long
