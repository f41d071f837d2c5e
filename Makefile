# Every command runs in the virtual environment .venv, which `setup` makes. Another Python: make setup PYTHON=python3.12

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
STAMP := .venv/.complete

.PHONY: setup check test soak demo local clean

setup: $(STAMP)

$(STAMP): requirements-dev.txt requirements-runtime.txt local/azurite/package-lock.json
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Certroll needs Python 3.11 or newer; $(PYTHON) is " + sys.version.split()[0] + ". Name another one: make setup PYTHON=/path/to/python3.12")'
	@echo "Making the virtual environment .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -c 'import pathlib, shutil, sys; old = pathlib.Path(".venv/lib"); shutil.rmtree(".venv") if old.is_dir() and not (old / ("python%d.%d" % sys.version_info[:2])).is_dir() else None'
	@$(PYTHON) -m venv .venv
	@echo "Installing the pinned packages (a minute or two)"
	@$(PIP) -r requirements-dev.txt
	@$(PIP) --no-deps --ignore-requires-python -r requirements-runtime.txt
	@echo "Installing Azurite"
	@$(BIN)/python -m local setup
	@touch $@

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

# Three at a time, also on two cores: tests wait for storage and for handshakes.
test: setup
	$(BIN)/python -m pytest -n 3 --dist worksteal

# The long versions of the property tests, and of a crash at every write while apps are stopped and started.
soak: setup
	$(BIN)/python -m pytest tests/properties tests/scenarios/test_roots.py --hypothesis-profile=soak --timeout=3600

demo: setup
	$(BIN)/python -m local demo

local: setup
	$(BIN)/python -m local up

clean:
	rm -rf .venv build local/azurite/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
