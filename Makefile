# Every target does its own set-up. `make help` lists them.
PYTHON ?= python3
VENV := .venv
AIRFLOW_VENV := .venv-airflow
AIRFLOW_VERSION := 3.3.2
PYDTMC_VENV := .venv-pydtmc
BIN := $(VENV)/bin
# Two processes, a file of tests at a time: while one waits for a JVM to start, the other works.
TWO_AT_ONCE := -n 2 --dist loadfile
export HF_HUB_OFFLINE := 1
export PYTHONUNBUFFERED := 1

.DEFAULT_GOAL := help
.PHONY: help setup java airflow demo pictures test test-all lint format bench bench-chain clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(VENV)/.done java $(VENV)/.classes  ## environment with everything the jobs, the service and the tests need

$(VENV)/.done: pyproject.toml
	@echo "setting up $(VENV) (PyTorch, Spark, FAISS, ONNX Runtime): about two minutes"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -qq --no-compile 'torch==2.13.0'
	@$(BIN)/pip install -qq --no-compile -e '.[jobs,dev]'
	@touch $@

java:
	@sh .ci/java.sh

$(VENV)/.classes: $(VENV)/.done | java
	@echo "keeping the classes that Spark loads: each command starts some seconds sooner (a minute, once)"
	@$(BIN)/python .ci/spark_classes.py >$@.log 2>&1 || echo "not kept: see $@.log (everything works without)"
	@touch $@

airflow: $(AIRFLOW_VENV)/.done

$(AIRFLOW_VENV)/.done:
	@echo "setting up $(AIRFLOW_VENV): Airflow's pins clash with ours, so it has an environment of its own"
	@test -x $(AIRFLOW_VENV)/bin/python || $(PYTHON) -m venv $(AIRFLOW_VENV)
	@$(AIRFLOW_VENV)/bin/pip install -qq --no-compile 'apache-airflow==$(AIRFLOW_VERSION)'
	@touch $@

demo: setup  ## simulate weeks of log, learn, serve, replay the next days, report: demo/report/index.html
	@$(BIN)/python -m examples.demo --out demo

pictures: setup  ## draw the README's pictures from the demo's output
	@$(BIN)/python -m examples.pictures --demo demo --out docs/pictures

test: setup airflow  ## tests, with a real Spark, server and Airflow
	@$(BIN)/pytest -q -m "not heavy" $(TWO_AT_ONCE)

test-all: setup airflow  ## the same and the heavy ones
	@$(BIN)/pytest -q $(TWO_AT_ONCE)

lint: setup  ## ruff and mypy --strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: setup  ## let ruff write the code its way
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: setup bench-chain  ## benchmarks, results as JSON beside the commands that made them
	@missing=; for f in $(filter-out benchmarks/chain/run.py,$(wildcard benchmarks/*/run.py)); do \
		$(BIN)/python -m $$(echo $${f%.py} | tr / .) || missing="$$missing $$f"; done; \
		test -z "$$missing" || { echo "not measured:$$missing"; exit 1; }

bench-chain: setup $(PYDTMC_VENV)/.done  ## the chain's solver, 1e3 to 1e7 states, beside the alternatives: a quarter of an hour
	@$(BIN)/python -m benchmarks.chain.run --pydtmc $(PYDTMC_VENV)/bin/python

$(PYDTMC_VENV)/.done:
	@echo "setting up $(PYDTMC_VENV): PyDTMC needs NumPy 1, so it has an environment of its own"
	@test -x $(PYDTMC_VENV)/bin/python || $(PYTHON) -m venv $(PYDTMC_VENV)
	@$(PYDTMC_VENV)/bin/pip install -qq --no-compile 'PyDTMC==8.7.0'
	@touch $@

clean:  ## remove the environments and everything made
	rm -rf $(VENV) $(AIRFLOW_VENV) $(PYDTMC_VENV) demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
