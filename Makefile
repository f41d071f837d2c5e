# Every command runs in the virtual environment .venv, which `setup` makes. `make setup PYTHON=python3.12` uses another Python.

PYTHON ?= python3
BIN := .venv/bin
# pip prints only warnings and errors; `step` says how long pip takes.
PIP_INSTALL := -m pip install --disable-pip-version-check --quiet --require-hashes
PIP := $(BIN)/python $(PIP_INSTALL)
STAMP := .venv/.complete
COMMA := ,
IDENTITY := import sys; print(sys.base_prefix, sys.version)

# If PYTHON is given and differs from the Python of .venv, `setup` makes .venv again. Without PYTHON, `setup` keeps .venv.
GIVEN := $(filter command environment,$(origin PYTHON))
# Make prints what a command prints that ends with 127, as a shim of pyenv does.
identity = $(shell if command -v $(1) > /dev/null; then $(1) -c '$(IDENTITY)' 2>&1 || exit 1; fi)
ifneq ($(GIVEN),)
ifneq ($(call identity,$(PYTHON)),$(call identity,$(BIN)/python))
OTHER := yes
.PHONY: $(STAMP)
endif
endif

# $(call there,EFFECT,TARGET) fails with a sentence if PYTHON is missing, or does not start, as a shim of pyenv for a
# version that is not installed.
there = command -v $(PYTHON) > /dev/null || { echo "There is no $(PYTHON)$(1). Name another one: make $(2) PYTHON=/path/to/python3.12" >&2; exit 1; }; $(PYTHON) -c "" > /dev/null 2>&1 || { echo "$(PYTHON) does not start$(1). If it is a shim of pyenv, install that version, or name another Python: make $(2) PYTHON=/path/to/python3.12" >&2; exit 1; }
USABLE := $(BIN)/python -m pip --version > /dev/null 2>&1
NEW_ENOUGH = $(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Certroll needs Python 3.11 or newer; $(PYTHON) is " + sys.version.split()[0] + ". Name another one: make setup PYTHON=/path/to/python3.12")'

# $(call step,TEXT,COMMAND) prints TEXT, runs COMMAND, and prints how long COMMAND took.
step = @echo "- $(1)"; began=$$(date +%s); $(2) && echo "  done after $$(($$(date +%s) - began)) s"

# The tests start some hundred processes. Each process would compile every module again if Python kept no byte code.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup check docs test test-fast test-hosted infra contract soak mutants mutants-all bench bench-large bench-memory cover lock demo local release clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## make the virtual environment .venv and install all packages; PYTHON=python3.12 takes another Python

$(STAMP): requirements-dev.txt requirements-runtime.txt local/azurite/package-lock.json local/kusto/package-lock.json
ifneq ($(OTHER),)
	@$(call there,,setup)
	@$(NEW_ENOUGH)
	@echo "- Removing the .venv of another Python"
	@if test -e .venv; then rm -rf .venv.old && mv .venv .venv.old && rm -rf .venv.old; fi
endif
	@$(USABLE) || { $(call there,,setup); }
	@$(USABLE) || $(NEW_ENOUGH)
	$(call step,Virtual environment .venv: made unless it is there,{ $(USABLE) || $(PYTHON) -m venv .venv; } && $(BIN)/python --version)
	$(call step,Installing the $$(grep -c == requirements-dev.txt) pinned packages of requirements-dev.txt: a minute or two,$(PIP) -r requirements-dev.txt)
	$(call step,Installing the $$(grep -c == requirements-runtime.txt) of requirements-runtime.txt,$(PIP) --no-deps --ignore-requires-python -r requirements-runtime.txt)
	$(call step,Installing Azurite with the $$(grep -c '"node_modules/' local/azurite/package-lock.json) npm packages that it needs$(COMMA) and the analyser of Kusto queries: up to a minute,$(BIN)/python -m local setup)
	@touch $@

check: setup ## ruff, ruff format, mypy --strict, import-linter, codespell, words (tests/style.py)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python -m tests.style

docs: setup ## write what the pages of docs/ take from the code: tags, times, and the heads of reasons
	$(BIN)/python -m docs.generate

# Tests run three at a time even on two cores, because they wait for storage, processes and handshakes.
test: setup ## every test; ends with the ten slowest, and fails where a directory of tests costs twice its budget
	$(BIN)/python -m pytest -n 3 --dist worksteal

test-fast: setup ## unit and property tests alone, for the inner loop
	$(BIN)/python -m pytest tests/unit tests/properties -n 2

# Microsoft's worker differs between Python 3.12 and 3.13. `test-hosted` makes a virtual environment of its own for each
# Python, so that .venv stays as it is.
HOSTED = build/hosted-$(notdir $(PYTHON))
HOSTED_PIP = $(HOSTED)/bin/python $(PIP_INSTALL)

test-hosted: ## the tests of the hosted app and of the local host, with another Python: make test-hosted PYTHON=python3.13
	@$(call there,$(COMMA) so nothing was tested,test-hosted)
	@$(NEW_ENOUGH)
	$(call step,Virtual environment $(HOSTED): made unless it is there,{ $(HOSTED)/bin/python -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv $(HOSTED); } && $(HOSTED)/bin/python --version)
	$(call step,Installing the packages that are missing,$(HOSTED_PIP) -r requirements-dev.txt && $(HOSTED_PIP) --no-deps --ignore-requires-python -r requirements-runtime.txt)
	$(call step,Installing Azurite unless it is there,$(HOSTED)/bin/python -m local setup)
	$(HOSTED)/bin/python -m pytest tests/triggers tests/local/host --no-budgets

# BICEP names Microsoft's compiler; the default is `bicep` on the path. infra/bicep.version pins its version.
# AZD_SCHEMA names a copy of azd's whole schema of azure.yaml; without one, infra/azure.schema.json has a part of it.
export BICEP

infra: setup ## check the templates with Microsoft's compiler: make infra BICEP=/path/to/bicep; WRITE=--write writes what it makes
	$(BIN)/python -m infra.gate $(WRITE) $(AZD_SCHEMA)

contract: setup ## the contract against a real subscription; docs/how-to/check-azure-by-contract.md says how, and what it costs
	$(BIN)/python -m pytest tests/contract -p no:randomly --no-budgets

# These scenarios have a long version: a crash at every write, in memory and on Azurite, every fault with every kind, and
# each wrong answer to each request.
LONG := $(addprefix tests/scenarios/test_,crashes.py roll_crashes.py roots.py root_lists.py uploads.py private_chains.py \
	renewal.py faults.py kind_faults.py secret_order.py sick_things.py)

soak: setup ## the long versions of the property tests, and of scenarios about crashes and faults
	$(BIN)/python -m pytest tests/properties $(LONG) --hypothesis-profile=soak --timeout=3600 -n auto --dist worksteal

mutants: setup ## break a sample of 1,200 places, one at a time, and say which of them no test notices
	$(BIN)/python -m tests.mutation

mutants-all: setup ## the same in every place, for a night
	$(BIN)/python -m tests.mutation --all

bench: setup ## requests, simulated time and processor time of fleets of 1,000 sites, against their bars; KEEP=--keep for the docs
	$(BIN)/python -m bench all $(KEEP)

bench-large: setup ## the same for fleets of 10,000 sites, full queues and a whole day: more than an hour
	$(BIN)/python -m bench large $(KEEP)

bench-memory: setup ## memory and processor time of one hosted instance with all queues full, in about four minutes
	$(BIN)/python -m bench memory

cover: setup ## line and branch coverage of shared/; fails under 100 % of branches of the pure core, 95 % of the rest
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest tests/unit tests/scenarios -n 2 --dist worksteal -q --no-budgets
	$(BIN)/coverage combine --quiet
	$(BIN)/python -m tests.cover

# `lock` pins a package only a week after its release, because a stolen release is usually found within days.
LOCK := $(BIN)/uv pip compile --universal --generate-hashes --no-header --quiet --exclude-newer '7 days'

lock: setup ## pin the packages of requirements*.in with hashes; UPGRADE=--upgrade takes newer versions
	$(LOCK) $(UPGRADE) --python-version 3.11 requirements.in -o requirements.txt
	$(LOCK) $(UPGRADE) --python-version 3.11 requirements-dev.in -o requirements-dev.txt
	$(LOCK) $(UPGRADE) --python-version 3.11 requirements-release.in -o requirements-release.txt
	$(LOCK) $(UPGRADE) --python-version 3.13 --no-deps requirements-runtime.in -o requirements-runtime.txt

release: setup ## the zips of the Function App for Azure, with checksums and bills of materials, in build/release; docs/how-to/make-a-release.md
	$(BIN)/python -m release $(if $(TAG),--tag $(TAG))

demo: setup ## the main job on a local Azure, shown and checked; writes build/demo.json
	$(BIN)/python -m local demo

local: setup ## a local Azure with the function app, until Ctrl-C
	$(BIN)/python -m local up

clean: ## remove all that the other targets made
	rm -rf .venv .venv.old build local/azurite/node_modules local/kusto/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
