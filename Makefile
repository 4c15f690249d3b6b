# Everything runs in .venv, which `make install` sets up with the exact versions in constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help

.PHONY: help install demo test slow check gpu-check parameters viz site reader reader-test constraints clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/installed ## Set up .venv with the extras dev and viz

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev,viz]"
	touch $@

READER := src/reader

demo: install ## Run all stages on generated images
	$(BIN)/kedro run --env=demo

# Each worker imports TensorFlow: more than four cost much memory for little gain.
PYTEST := $(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile

# Measuring which lines run costs half of the time again, so it is asked for.
test: install ## Run the tests, without the slow ones; COVERAGE=yes also measures and checks their coverage
	$(PYTEST) $(if $(COVERAGE),--cov=pneumonia --cov-report=term:skip-covered --cov-fail-under=95)

slow: install $(READER)/node_modules/.package-lock.json ## Run the slow tests
	$(PYTEST) -m slow --durations=20

check: install ## Check style, format, types and imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

gpu-check: install ## Train a minute on the GPU and compare its loss with the processor's
	$(BIN)/python benchmarks/gpu.py

parameters: install ## Write the table of parameters and their comments from their models
	$(BIN)/python docs/parameters.py

viz: install ## Open the graph of the demo run on 127.0.0.1
	$(BIN)/kedro viz run --env=demo --host=127.0.0.1

# The page asks for api/metadata, which kedro-viz serves but does not build.
site: install ## Build the graph with its previews as static pages in build/
	KEDRO_ENV=demo $(BIN)/kedro viz build --include-previews
	echo '{"has_missing_dependencies": false, "package_compatibilities": [{"package_name": "fsspec", "is_compatible": true}]}' > build/api/metadata

$(READER)/node_modules/.package-lock.json: $(READER)/package-lock.json
	@command -v npm >/dev/null || { echo "Building the reader's page needs Node.js 20.10 or newer: install nodejs and npm."; exit 1; }
	npm ci --prefix $(READER) --ignore-scripts --no-audit --no-fund
	touch $@

reader: $(READER)/node_modules/.package-lock.json ## Build the reader's page for the newest exported model in build/reader
	node $(READER)/build.mjs $(if $(MODEL),"$(MODEL)")

reader-test: install $(READER)/node_modules/.package-lock.json ## Run the unit tests of the reader's page
	mkdir -p build/cases
	$(BIN)/python -m tests.cases.writing build/cases
	cd $(READER) && node --test

constraints: ## Write constraints.txt from the packages in .venv
	$(BIN)/python -m pip freeze --exclude-editable > constraints.txt

clean: ## Remove .venv and the outputs of demo runs
	rm -rf .venv data/demo build
