# Every target does its own set-up. `make help` lists them.
PYTHON ?= python3
VENV := .venv
AIRFLOW_VENV := .venv-airflow
AIRFLOW_VERSION := 3.3.2
BIN := $(VENV)/bin
export HF_HUB_OFFLINE := 1
export PYTHONUNBUFFERED := 1

.DEFAULT_GOAL := help
.PHONY: help setup java airflow demo pictures test test-all lint format bench clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(VENV)/.done java  ## environment with everything the jobs, the service and the tests need

$(VENV)/.done: pyproject.toml
	@echo "setting up $(VENV) (PyTorch, Spark, FAISS, ONNX Runtime): about two minutes"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -qq --no-compile 'torch==2.13.0'
	@$(BIN)/pip install -qq --no-compile -e '.[jobs,dev]'
	@touch $@

java:
	@sh .ci/java.sh

airflow: $(AIRFLOW_VENV)/.done

$(AIRFLOW_VENV)/.done:
	@echo "setting up $(AIRFLOW_VENV): Airflow's pins clash with ours, so it has an environment of its own"
	@test -x $(AIRFLOW_VENV)/bin/python || $(PYTHON) -m venv $(AIRFLOW_VENV)
	@$(AIRFLOW_VENV)/bin/pip install -qq --no-compile 'apache-airflow==$(AIRFLOW_VERSION)'
	@touch $@

demo: setup  ## simulate weeks of log, learn, serve, replay the next days, report: demo/report/index.html
	@$(BIN)/python examples/demo.py --out demo

pictures: setup  ## draw the README's pictures from the demo's output
	@$(BIN)/python examples/pictures.py --demo demo --out docs/pictures

test: setup airflow  ## tests, with a real Spark, server and Airflow
	@$(BIN)/pytest -q -m "not heavy"

test-all: setup airflow  ## the same and the heavy ones
	@$(BIN)/pytest -q

lint: setup  ## ruff and mypy --strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: setup  ## let ruff write the code its way
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: setup  ## benchmarks, results as JSON beside the commands that made them
	@for f in benchmarks/*/run.py; do $(BIN)/python $$f || exit 1; done

clean:  ## remove the environments and everything made
	rm -rf $(VENV) $(AIRFLOW_VENV) demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
