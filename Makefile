# A fresh clone needs no command before these: every target sets up what it uses.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?=
# Many tests wait for processes of Dagster and PostgreSQL: one worker more than cores keeps these busy.
WORKERS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )))
PORT ?= 3000
SHARE ?= 1
PEERS := .venv-peers
SCREENS ?= .spatial/screens

# What another environment may have left behind would be found before ours.
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH PYTHONSTARTUP PYTHONUSERBASE
unexport CONDA_PREFIX CONDA_DEFAULT_ENV GDAL_DATA GDAL_DRIVER_PATH PROJ_DATA PROJ_LIB
# Without bytecode every process compiles what it imports.
unexport PYTHONDONTWRITEBYTECODE
unexport PIP_TARGET PIP_PREFIX PIP_USER PIP_REQUIREMENT PIP_REQUIRE_VIRTUALENV PIP_CONSTRAINT
unexport DAGSTER_HOME PYTEST_ADDOPTS UV_PROJECT_ENVIRONMENT
export PYTHONNOUSERSITE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help
help: ## This text
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

.PHONY: venv
venv: $(VENV)/.complete ## The virtual environment in .venv, with the versions of constraints.txt

$(VENV)/.complete: pyproject.toml constraints.txt
	@python=; for candidate in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11); do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	  then python=$$candidate; break; fi; done; \
	if [[ -z $$python ]]; then \
	  echo "error: Python 3.11 or newer is needed; name it with: make PYTHON=/path/to/python3" >&2; \
	  exit 1; fi; \
	rm -f $@; \
	if ! $(BIN)/python -c 'import pip' 2>/dev/null; then \
	  echo "Making $(VENV) with $$("$$python" --version)"; \
	  "$$python" -m venv --clear $(VENV) || { \
	    echo "error: $$python has no venv module (on Debian: apt-get install python3-venv)" >&2; \
	    exit 1; }; fi
	@echo "Installing the packages of constraints.txt (some minutes the first time)"
	@$(BIN)/python -m pip install -qq --constraint constraints.txt \
	  hatchling editables setuptools wheel
	@$(BIN)/python -m pip install -qq --constraint constraints.txt --no-build-isolation \
	  --editable '.[demo,dev,docs]'
	@touch $@

.PHONY: postgis
postgis: ## PostgreSQL server binaries with PostGIS, from the distribution when there are none
	@deploy/install-postgis.sh

.PHONY: browser
browser: ## Chromium and ChromeDriver, from the distribution when there are none
	@deploy/install-browser.sh

.PHONY: eatmydata
eatmydata: ## What keeps the test suite from waiting for the disk, where the distribution has it
	@deploy/install-eatmydata.sh

# Exit code 1 says that some datasets are held, which the demo shows; others must be published then.
.PHONY: demo
demo: venv ## Real data, checked, published or held, with the reasons
	@status=0; \
	SPATIAL_STORE=$(CURDIR)/.spatial/store $(BIN)/spatial-pipeline run || status=$$?; \
	[[ $$status -le 1 && -e .spatial/store/counties/-/published.json ]]

.PHONY: test
test: venv postgis browser eatmydata ## The whole test suite (one file: make test TESTS=spatial_pipeline_tests/check)
	@$$(command -v eatmydata) $(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 8 $(TESTS)

.PHONY: test-hard
test-hard: venv postgis browser ## The suite twice: asyncio's debug mode, shuffled, two workers (TESTS as above)
	@$(BIN)/python -m spatial_pipeline_tests.hard $(TESTS)

.PHONY: lint
lint: venv ## Formatting, style, types and the import rule
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: dev
dev: venv ## Dagster's UI on http://127.0.0.1:3000, its history kept in .dagster
	@mkdir -p .dagster && cp dagster.yaml .dagster/
	@DAGSTER_HOME=$(CURDIR)/.dagster $(BIN)/dagster dev --host 127.0.0.1 --port $(PORT)

.PHONY: docs
docs: venv ## The pages of docs/ that are generated: rules, contract, commands, settings, other tools
	@$(BIN)/python docs/make_rule_index.py
	@$(BIN)/python docs/make_rules.py > docs/rules.md
	@$(BIN)/python docs/make_coming_from.py > docs/coming-from.md
	@$(BIN)/python docs/make_reference.py

.PHONY: site
site: venv ## The documentation as a site, in .spatial/site; any warning fails it
	@$(BIN)/sphinx-build -q -W --keep-going -c docs -b html . .spatial/site

.PHONY: screens
screens: venv ## Pictures of Dagster's UI on the demo, with a headless browser (make screens SCREENS=folder)
	@$(BIN)/python docs/make_screens.py $(SCREENS)

.PHONY: bench
bench: venv peers postgis ## Ours beside every peer in under 20 minutes (make bench SHARE=0.1; BEFORE=checkout)
	@$(BIN)/python benchmarks/bench.py --share $(SHARE) --peers-python $(PEERS)/bin/python \
	  $(if $(BEFORE),--before $(BEFORE))

.PHONY: speed
speed: venv ## The figures of docs/speed.md, from the last run of make bench
	@cp benchmarks/bench.json docs/speed.json
	@$(BIN)/python docs/make_speed.py

# DuckDB's spatial extension comes as a wheel for one version of DuckDB: not always ours.
.PHONY: peers
peers: $(PEERS)/.complete ## The peers of the benchmark, in an environment of their own

$(PEERS)/.complete: benchmarks/peers.txt $(VENV)/.complete
	@rm -f $@
	@$(BIN)/python -m venv --clear $(PEERS)
	@$(PEERS)/bin/python -m pip install -qq --requirement benchmarks/peers.txt || \
	  echo "some peers cannot be installed here: the benchmark says which" >&2
	@touch $@

.PHONY: clean
clean: ## Removes .venv, .spatial, .dagster and caches
	@rm -rf $(VENV) $(PEERS) .spatial .dagster .pytest_cache .mypy_cache .ruff_cache .hypothesis \
	  .import_linter_cache
