# Two commands do all set-up on a fresh Debian machine with Python, git and make:
#   make demo    the synthetic valley, computed and mapped
#   make test    all tests
VENV ?= .venv
PY = $(VENV)/bin/python
DATA = $(if $(HAZARDGEO_DATA),$(HAZARDGEO_DATA),$(wildcard ../shared/data))

.PHONY: demo test check lint types layers surroundings threading fuzz chaos bench example full scenarios clean

demo: $(VENV)/.package
	$(PY) -m hazardgeo demo --out maps/demo

test: $(VENV)/.tests
	HAZARDGEO_DATA="$(DATA)" $(PY) -m pytest tests hazardgeo --nbmake notebooks/*.ipynb -n 2 --dist loadfile

check: lint types layers test

lint: $(VENV)/.tests
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(VENV)/.tests
	$(VENV)/bin/mypy

layers: $(VENV)/.tests
	$(VENV)/bin/lint-imports

# The scenarios on real data; needs HAZARDGEO_DATA.
scenarios: $(VENV)/.package
	HAZARDGEO_DATA="$(DATA)" $(PY) -m hazardgeo run data/scenarios/scan.toml data/scenarios/andorra.toml data/scenarios/loma-prieta.toml --out maps

surroundings: $(VENV)/.tests
	$(PY) -m pytest -m slow -n 2 --dist loadfile

# Work by tiles under each threading layer of numba.
threading: $(VENV)/.tests
	for layer in tbb omp workqueue; do NUMBA_THREADING_LAYER=$$layer HAZARDGEO_DATA="$(DATA)" $(PY) -m pytest -n 2 --dist loadfile \
	tests/tiles tests/scan/test_scan_tiled.py tests/io/test_io_cloud_tiled.py tests/pipeline/test_large.py || exit 1; done

# What size, cores and the engine cost, and the speed of single steps; some 30 minutes and 30 GB of disk.
bench: $(VENV)/.tests
	for what in overhead growth raster cloud; do HAZARDGEO_DATA="$(DATA)" $(PY) tests/bench/any_size.py $$what || exit 1; done
	for what in ground.py "ground.py speed" "scan.py normals" "scan.py gridding" terrain.py terrain_flow.py; do \
	HAZARDGEO_DATA="$(DATA)" $(PY) tests/bench/$$what || exit 1; done

# Damages small files of every kind at random and reads them; another SEED damages others. Some 20 minutes.
SEED ?= 1
FILES ?= 10000
fuzz: $(VENV)/.tests
	HAZARDGEO_DATA="$(DATA)" $(PY) tests/fuzz/doors.py --files $(FILES) --seed $(SEED) --keep build/fuzz

# Kills runs at random moments, fills disks, takes rights away; another SEED kills at others.
KILLS ?= 50
chaos: $(VENV)/.tests
	$(PY) -m pytest tests/chaos -m ""
	$(PY) tests/chaos/kills.py --kills $(KILLS) --seed $(SEED)

example: demo
	cp maps/demo/results/map.html maps/example.html

full: check surroundings threading scenarios
	$(PY) -m hazardgeo demo --size full --out maps/demo-full

$(VENV)/bin/python:
	sh .ci/system
	$$(sh .ci/system --python) -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade pip

$(VENV)/.package: $(VENV)/bin/python pyproject.toml
	$(PY) -m pip install --quiet --editable .
	touch $@

$(VENV)/.tests: $(VENV)/bin/python pyproject.toml
	$(PY) -m pip install --quiet --editable ".[test,notebook,e57]"
	touch $(VENV)/.package $@

clean:
	rm -rf $(VENV) build dist *.egg-info maps/demo maps/demo-full
