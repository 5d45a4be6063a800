# Every target works on a machine that has only python3 (3.11+), pip, git and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Byte-code is the largest lever on start-up: write it even where the environment forbids it.
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help setup demo dev test spark lint docs bench

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## create .venv with the locked versions, byte-code compiled
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --compile --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

demo: $(READY) ## run everything once on a generated company and print the result
	$(BIN)/rapport demo

dev: $(READY) ## open Dagster on the demo's data
	$(BIN)/rapport dev

test: $(READY) ## run all tests
	$(BIN)/pytest

spark: $(VENV)/.spark ## build on a local Spark (Java 17) and compare with DuckDB
	$(BIN)/pytest tests/spark
$(VENV)/.spark: $(READY) requirements-spark.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --compile --requirement requirements-spark.lock
	touch $@

lint: $(READY) ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(READY) ## build the documentation, site/index.html
	$(BIN)/zensical build --clean --strict

bench: $(READY) ## measure the demo's steps beside their floors
	$(BIN)/python -m benchmarks.demo
