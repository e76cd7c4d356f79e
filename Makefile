# Every target does its own set-up: `make demo` or `make test` on a fresh machine with git, make and Python 3.11 is enough.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SERVERS := $(VENV)/.servers
DEMO_HOME ?= demo-home
PYTEST_ARGS ?=
export NO_ALBUMENTATIONS_UPDATE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test soak lint types check bench compare notebook clean

help:  ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP)  ## the virtual environment (.venv), made once and again when its pins change

# The stamp is written last: an interrupted set-up starts again.
$(STAMP): pyproject.toml constraints.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Python 3.11 or newer is needed and was not found. Install it, or name it: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "This Python lacks venv or ensurepip. On Debian or Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Setting up $(VENV) (once; a few minutes, PyTorch is large) ..." >&2
	"$(PYTHON)" -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt setuptools torch
	$(BIN)/python -m pip install --quiet -c constraints.txt --no-build-isolation -e ".[dev]"
	@touch $@

# What the tests of PostgreSQL, S3 and nginx talk to. Where it cannot be had, those tests skip and say so.
# Moto has an environment of its own: botocore wants another python-dateutil than the rest.
$(SERVERS): $(STAMP) tests/servers/moto.txt
	@ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get -qq update && \
	  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends postgresql; \
	} >/dev/null 2>&1 || echo "PostgreSQL is not installed; its tests will skip (apt-get install postgresql)." >&2
	@PATH="$$PATH:/usr/sbin" command -v nginx >/dev/null 2>&1 || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get -qq update && \
	  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends nginx-light; \
	} >/dev/null 2>&1 || echo "nginx is not installed; its test will skip (apt-get install nginx-light)." >&2
	@{ "$(PYTHON)" -m venv --clear $(VENV)/moto && \
	  $(VENV)/moto/bin/python -m pip install --quiet -r tests/servers/moto.txt; } \
	  || { rm -rf $(VENV)/moto; echo "moto cannot be installed; the tests of S3 will skip." >&2; }
	@touch $@

demo: $(STAMP)  ## real images become a project, and a small U-Net trains on it (DEMO_HOME=folder)
	$(BIN)/datamint-like demo --home "$(DEMO_HOME)"

test: $(STAMP) $(SERVERS)  ## the test suite, without the long runs
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not soak" $(PYTEST_ARGS)

soak: $(STAMP)  ## the long fault, fuzz and load runs
	$(BIN)/python -m pytest -m soak $(PYTEST_ARGS)

lint: $(STAMP)  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)  ## mypy, strict, on the package
	$(BIN)/mypy -p datamint_like

check: lint types test  ## everything that a change must pass

bench: $(STAMP)  ## the benchmarks, each printing JSON
	@for script in benchmarks/*.py; do echo "== $$script" >&2; $(BIN)/python $$script || exit 1; done

compare: $(STAMP)  ## the page of real files beside other readers (docs/real_files.md)
	$(BIN)/python -W ignore -m tests.comparisons.table

notebook: $(STAMP)  ## the notebooks, built from their sources and executed again
	$(BIN)/python notebooks/build.py

clean:  ## remove the environment, caches and the demo's folder
	rm -rf $(VENV) $(DEMO_HOME) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
