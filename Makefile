# Every target works on a machine that has only python3 (3.11+), pip, git and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Byte-code is the largest lever on start-up: write it even where the environment forbids it.
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help setup demo dev test test-conformance test-real test-unattended spark lint docs bench

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## create .venv with the locked versions, byte-code compiled
$(READY): requirements.lock pyproject.toml
	@echo "Installing into $(VENV); this takes a few minutes and prints nothing ..."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --compile --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@
	@echo 'Ready. Type `. $(BIN)/activate`, or call $(BIN)/rapport.'

demo: $(READY) ## run everything once on a generated company and print the result
	$(BIN)/rapport demo

dev: $(READY) ## open Dagster on the demo's data
	$(BIN)/rapport dev

test: $(READY) ## run all tests, one process per core
	$(BIN)/pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-conformance: $(READY) ## harm every connector in every known way, for an hour
	$(BIN)/pytest -m conformance tests/rapport/test_conformance.py tests/docs/test_add_a_connector.py

test-unattended: $(READY) ## let Dagster's own processes work by the clock for some minutes
	$(BIN)/pytest -m unattended tests/test_unattended.py

test-real: $(READY) ## read real servers and be read by taps, where installed
	$(BIN)/pytest -m real -rs tests/real

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

bench: $(READY) ## measure landing beside its floor and dlt, limits, who is who, metrics, the demo
	$(BIN)/python -m benchmarks.landing
	$(BIN)/python -m benchmarks.limits
	$(BIN)/python -m benchmarks.identity
	$(BIN)/python -m benchmarks.lifetime
	$(BIN)/python -m benchmarks.metrics 2400 100000
	$(BIN)/python -m benchmarks.false_alarms
	$(BIN)/python -m benchmarks.demo
