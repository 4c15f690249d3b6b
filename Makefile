# All of it works in .venv, which `make install` sets up with the exact versions of constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help

.PHONY: help install demo test slow check parameters viz site constraints clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/installed ## Set up .venv with the extras dev and viz

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev,viz]"
	touch $@

demo: install ## Run the whole chain on generated images
	$(BIN)/kedro run --env=demo

# Each worker imports TensorFlow: more than four cost memory for little.
PYTEST := $(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile

test: install ## Run the tests, without the slow ones
	$(PYTEST) --cov=pneumonia --cov-report=term:skip-covered --cov-fail-under=95

slow: install ## Run the slow tests
	$(PYTEST) -m slow --durations=20

check: install ## Look at style, format, types and imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

parameters: install ## Write the table and the comments of the parameters from their models
	$(BIN)/python docs/parameters.py

viz: install ## Open the graph of the demo run on 127.0.0.1
	$(BIN)/kedro viz run --env=demo --host=127.0.0.1

# The page asks for api/metadata, which kedro-viz serves but does not build.
site: install ## Build the graph with its previews as static pages in build/
	KEDRO_ENV=demo $(BIN)/kedro viz build --include-previews
	echo '{"has_missing_dependencies": false, "package_compatibilities": [{"package_name": "fsspec", "is_compatible": true}]}' > build/api/metadata

constraints: ## Write constraints.txt from what is installed in .venv
	$(BIN)/python -m pip freeze --exclude-editable > constraints.txt

clean: ## Remove .venv and what demo runs made
	rm -rf .venv data/demo build
