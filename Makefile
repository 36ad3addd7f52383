# Each target does all that it needs, also on a fresh machine with python3 >= 3.11.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
DEMO_OUT ?= demo-run
SHARED ?= ../shared
# Two workers with one thread each: on a small machine more threads only wait for each other.
TEST_WORKERS ?= 2

.PHONY: setup demo test coverage lint docs site bench pins wheel clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("buffycoat needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[embed,fast,cellpose,formats,scale,fields,exchange,labels,serve,docs,dev]'
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/buffycoat demo --out $(DEMO_OUT)

test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(TEST_WORKERS) --dist loadgroup --durations=25 $(TEST_OPTIONS)

# The same, counting the lines that run; slower.
coverage: $(STAMP)
	$(MAKE) test TEST_OPTIONS='--cov=buffycoat --cov-report=term'

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

docs: $(STAMP)
	$(BIN)/python -m pytest -q tests/test_readme.py tests/test_links.py

# Source archive and wheel, in dist/; tests/test_wheel.py tries them in a clean environment.
wheel: $(STAMP)
	$(BIN)/python -m build --no-isolation --outdir dist .

# Moves constraints.txt to what pip resolves today, and says what changed; PINS takes options, such
# as PINS="--only numpy" or PINS=--torch (tools/pins.py --help).
pins: $(STAMP)
	$(BIN)/python tools/pins.py $(PINS)

# The same pages as a site, with the reference filled in: open build/site/index.html.
site: $(STAMP)
	$(BIN)/sphinx-build -q -W --keep-going -d build/doctrees -c docs/site . build/site

# On real cells, which lie outside the repository; the training takes an hour and a half on two cores.
bench: $(STAMP)
	$(BIN)/python benchmarks/segmentation.py $(SHARED)/seg-wbc
	$(BIN)/buffycoat train $(SHARED)/pbc-lt --preset cpu --out runs/pbc-lt

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .coverage .coverage.*
