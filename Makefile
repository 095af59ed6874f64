# Needs a clone, make and Python >= 3.11; `make` alone lists the targets.

ifndef PYTHON
PYTHON := $(shell for python in python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
endif

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

FRAMEWORKS := .venv-frameworks
OLDER := .venv-older-frameworks
.PHONY: help demo test test-all adversity fuzz soak test-ray test-notebook test-frameworks lint docs bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' Makefile

demo: .venv/cli ## show the library in a few seconds, without a key; ARGS=--live uses the real service
	@$(BIN)/gradient-async demo $(ARGS)

test: lint ## lint, then run the tests; ARGS goes to pytest
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(ARGS)

adversity: .venv/dev ## run 2,000 schedules of broken connections; ARGS="--seed N --schedules M" repeats or shortens it
	$(BIN)/python -m tests.adversity.run $(ARGS)

test-all: ## test with every Python found, the lowest and newest versions, uvloop, eager tasks; ARGS chooses, see tests/matrix
	@$(PYTHON) -m tests.matrix $(ARGS)

fuzz: .venv/dev ## run the property tests with 2,000 examples each; ARGS="--minutes 10 codec" chooses time and targets
	$(BIN)/python -m tests.fuzz $(ARGS)

soak: .venv/dev ## run streams that end in every way for MINUTES=5, and print slopes of memory, tasks, connections
	$(BIN)/python benchmarks/soak.py --minutes $(or $(MINUTES),5) $(ARGS)

test-ray: .venv/ray ## run the example of Ray Data on loopback, with the real Ray
	$(BIN)/python -m pytest tests/ray $(ARGS)

test-notebook: .venv/notebook ## run the example notebook in a kernel, without a key
	$(BIN)/python -m pytest tests/examples/test_notebook.py tests/resources/test_progress_bars.py $(ARGS)

test-frameworks: $(FRAMEWORKS)/node $(OLDER)/made ## run LangChain's standard tests, recipes and other makers' clients, with pinned versions
	$(FRAMEWORKS)/bin/python -m pytest tests/frameworks $(ARGS)
	$(OLDER)/bin/python -m pytest tests/frameworks/test_recipes.py $(ARGS)

lint: .venv/dev ## check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/dev ## build the documentation into docs/_build, and look for dead links in it
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build
	$(BIN)/python docs/_ext/site_crawl.py docs/_build

bench: .venv/dev ## run the benchmarks; ARGS goes to each
	@set -e; for script in $(or $(wildcard benchmarks/run.py),$(sort $(wildcard benchmarks/[!_]*.py))); do \
	echo "== $$script"; $(BIN)/python $$script $(ARGS); done

clean: ## remove the environments and everything that was generated
	rm -rf .venv $(FRAMEWORKS) $(OLDER) .venv-matrix tests/frameworks/node/node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist docs/_build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamp files: the environment is updated only when pyproject.toml has changed.

.venv/made: pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python >= 3.11 found; install one, or give PYTHON=/path/to/python." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "$(PYTHON) cannot make environments; on Debian: apt install python3-venv." >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { echo "Setting up .venv with $(PYTHON) ..."; $(PYTHON) -m venv --clear .venv; }
	@touch $@

.venv/cli: .venv/made
	@$(PIP) install --editable '.[cli]'
	@touch $@

.venv/dev: .venv/made
	@$(PIP) install --editable '.[dev]'
	@touch $@

.venv/ray: .venv/dev
	@$(PIP) install --editable '.[ray]'
	@touch $@

.venv/notebook: .venv/dev
	@$(PIP) install --editable '.[notebook]'
	@touch $@

$(FRAMEWORKS)/made: pyproject.toml .venv/made
	@test -x $(FRAMEWORKS)/bin/python || $(PYTHON) -m venv $(FRAMEWORKS)
	@$(FRAMEWORKS)/bin/python -m pip --disable-pip-version-check --quiet install --editable '.[frameworks]'
	@touch $@

$(OLDER)/made: pyproject.toml .venv/made
	@test -x $(OLDER)/bin/python || $(PYTHON) -m venv $(OLDER)
	@$(OLDER)/bin/python -m pip --disable-pip-version-check --quiet install --editable '.[older-frameworks]'
	@touch $@

$(FRAMEWORKS)/node: tests/frameworks/node/package.json $(FRAMEWORKS)/made
	@if command -v npm >/dev/null; then cd tests/frameworks/node && \
	npm install --no-package-lock --no-audit --no-fund --loglevel error; else echo "No npm: tests with node are left out."; fi
	@touch $@
