# make demo   sets up .venv and measures the stability thresholds of the digits network
# make test   sets up .venv and runs the tests
# make test-cluster  starts a real cluster of three hosts on this machine
# make test-wheel  builds the wheel and runs it in a folder whose files have the names of our rooms
# make check  runs ruff, the check of the imports and mypy (make lint), then the tests
PYTHON ?= python3
BIN := .venv/bin
export RAY_AUTH_MODE := token

.PHONY: demo test test-cluster test-wheel lint check bench accuracy classifiers board lock clean

demo: .venv/installed
	$(BIN)/tautune sweep digits --output results/demo

test: .venv/installed
	$(BIN)/pytest

# Three hosts on this machine; needs root on Linux, sshd and rsync, else it is skipped.
test-cluster: .venv/installed
	$(BIN)/pytest -m cluster -rs

test-wheel: .venv/installed
	$(BIN)/pytest -m wheel

lint: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/mypy

check: lint test

# tautune beside what a user would run instead: less than half an hour on two idle cores. Fashion-MNIST as below.
bench: .venv/installed
	$(BIN)/python -m benchmarks

# The README's table of relative errors: about ten minutes on two cores.
ACCURACY := benchmarks/results
accuracy: .venv/installed
	$(BIN)/tautune sweep digits --output $(ACCURACY)/digits
	$(BIN)/tautune sweep digits --momentum 0.9 --output $(ACCURACY)/digits-momentum-0.9
	$(BIN)/tautune sweep digits --momentum 0.9 --shifted --output $(ACCURACY)/digits-shifted-0.9
	$(BIN)/tautune sweep digits --mini-batch 256 --output $(ACCURACY)/digits-batch-256

# What tuning reaches on Fashion-MNIST (Debian: apt-get install dataset-fashion-mnist): two hours on two cores.
classifiers: .venv/installed
	$(BIN)/python -m benchmarks.classifiers

board: .venv/installed
	$(BIN)/tautune board results

.venv/installed: requirements.lock pyproject.toml
	PYTHON=$(PYTHON) cluster/providers/setup.sh

# Names and versions of everything, for every platform; needs uv.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-header --no-annotate pyproject.toml -o requirements.lock

clean:
	rm -rf .venv *.egg-info .mypy_cache .pytest_cache .ruff_cache
