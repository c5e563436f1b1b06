# make demo   sets up .venv and measures the stability thresholds of the digits network
# make test   sets up .venv and runs the tests
# make test-processes  tests signals, kills, foreign folders and other settings of Ray, in processes of their own
# make test-wheel    builds the wheel and runs it in a folder whose files are called like our rooms
# make test-browser  opens reports and TensorBoard in a headless Chromium
# make test-cluster  starts a real cluster of three hosts on this machine and runs its tests
# make test-faults    breaks a cluster in rarer ways, for an hour and a half
# make test-lowest   runs the tests with the lowest versions that are declared
# make lint   runs ruff, the check of the imports, and mypy
# make check  runs lint and test
# make docs   builds the manual as a site, build/docs/index.html, and checks its links
# make audit  looks for known vulnerabilities, and lists the licences and the components
# make bench, accuracy, classifiers, tasks  measure the figures in docs/
PYTHON ?= python3
BIN := .venv/bin
# Two workers: one has all tests that share a local Ray, which mostly waits for its processes, and the other the rest.
PARALLEL := --numprocesses 2 --dist loadgroup
export RAY_AUTH_MODE := token

.PHONY: demo docs test test-processes test-cluster test-faults test-wheel test-browser test-lowest lint check bench accuracy studies classifiers tasks board lock audit clean

demo: .venv/installed
	$(BIN)/tautune sweep digits --output results/demo

test: .venv/installed
	$(BIN)/pytest $(PARALLEL)

test-processes: .venv/installed
	$(BIN)/pytest -m process $(PARALLEL)

# Needs root on Linux, sshd and rsync; otherwise the tests are skipped.
test-cluster: .venv/installed
	$(BIN)/pytest -m cluster -rs

test-faults: .venv/installed
	$(BIN)/pytest -m faults -rsP

test-wheel: .venv/installed
	$(BIN)/pytest -m wheel

# Needs Chromium (Debian: apt-get install chromium); otherwise the tests are skipped.
test-browser: .venv/installed
	$(BIN)/pytest -m browser -rs

lint: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/mypy

check: lint test

# Every warning is an error: a link that leads nowhere, a page that is not in the contents, a docstring that cannot be read.
docs: .venv/installed
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs build/docs

# Times tautune beside what a user would run instead: less than half an hour on two idle cores. Needs Fashion-MNIST, as
# `classifiers` does.
bench: .venv/installed
	$(BIN)/python -m benchmarks

# Trains what docs/outcomes.md and docs/transfer.md show: about half an hour on an idle core. Needs Fashion-MNIST.
studies: .venv/installed
	$(BIN)/python -m benchmarks.outcomes
	$(BIN)/python -m benchmarks.transfer
	cp benchmarks/results/outcomes/outcomes.png docs/
	$(BIN)/python -m docs.outcome_tables

# Measures the tables of relative errors in docs/threshold.md and docs/theory.md: a quarter of an hour on two cores.
ACCURACY := benchmarks/results
SHORT := --delays 0,1,2,4,8,16 --no-departures
accuracy: .venv/installed
	$(BIN)/tautune sweep digits --output $(ACCURACY)/digits
	$(BIN)/tautune sweep digits --momentum 0.9 --output $(ACCURACY)/digits-momentum-0.9
	$(BIN)/tautune sweep digits --momentum 0.9 --shifted --output $(ACCURACY)/digits-shifted-0.9
	$(BIN)/tautune sweep digits --mini-batch 256 --output $(ACCURACY)/digits-batch-256
	$(BIN)/tautune sweep digits $(SHORT) --optimizer nesterov --output $(ACCURACY)/digits-nesterov-0.9
	$(BIN)/tautune sweep digits $(SHORT) --optimizer spike-compensation --output $(ACCURACY)/digits-spike-compensation-0.9
	$(BIN)/tautune sweep digits $(SHORT) --optimizer sgd --momentum 0.9 --remedy predict --output $(ACCURACY)/digits-sgd-0.9-predict
	$(BIN)/tautune sweep digits $(SHORT) --optimizer adam --output $(ACCURACY)/digits-adam-0.9
	$(BIN)/tautune sweep digits --no-departures --stages 1,0 --output $(ACCURACY)/digits-stages-1-0
	$(BIN)/tautune sweep digits --no-departures --stages 8,2 --output $(ACCURACY)/digits-stages-8-2
	$(BIN)/tautune sweep quadratic --no-departures --mini-batch 1 --delays 0,1,4 --output $(ACCURACY)/quadratic-batch-1
	$(BIN)/tautune sweep quadratic --no-departures --delay-shares 0:0.5,2:0.5 --output $(ACCURACY)/quadratic-delays-0-2
	$(BIN)/tautune sweep digits --no-departures --seeds 3 --output $(ACCURACY)/digits-uniform-0-8 \
	  --delay-shares 0:0.1111112,1:0.1111111,2:0.1111111,3:0.1111111,4:0.1111111,5:0.1111111,6:0.1111111,7:0.1111111,8:0.1111111

# Measures what tuning reaches: two hours on two cores. Needs Fashion-MNIST (Debian: apt-get install dataset-fashion-mnist).
classifiers: .venv/installed
	$(BIN)/python -m benchmarks.classifiers

# Measures the same for other tasks, beside models without a network. Needs WordNet (Debian: apt-get install wordnet-base).
tasks: .venv/installed
	$(BIN)/python -m benchmarks.tasks

board: .venv/installed
	$(BIN)/tautune board results

.venv/installed: requirements.lock pyproject.toml
	PYTHON=$(PYTHON) cluster/providers/setup.sh

# Writes the name, version and digests of everything, for every platform; needs uv. What is locked stays as it is if it
# can.
lock:
	uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --all-extras --no-header --no-annotate pyproject.toml -o requirements.lock

# Asks the Python Packaging Authority's database of known vulnerabilities about everything that is locked, which needs the
# network, and writes the licences and a software bill of materials (CycloneDX) of what is installed into build/.
audit: .venv/installed .audit/installed
	mkdir -p build
	.audit/bin/pip-licenses --python $(BIN)/python --format markdown --output-file build/licences.md
	.audit/bin/cyclonedx-py environment --output-file build/sbom.json $(BIN)/python
	.audit/bin/pip-audit --strict --no-deps --disable-pip --requirement requirements.lock

.audit/installed:
	$(PYTHON) -m venv .audit
	.audit/bin/pip install --quiet --disable-pip-version-check pip-audit pip-licenses cyclonedx-bom
	touch $@

# Runs the tests with the lowest versions that pyproject.toml declares for what tautune itself needs; needs uv.
test-lowest: .venv/installed .lowest/installed
	.lowest/bin/pytest $(PARALLEL)

.lowest/installed: pyproject.toml
	uv venv --quiet --clear --seed --python $(PYTHON) .lowest
	uv pip install --quiet --python .lowest --resolution lowest-direct --editable '.[nevergrad,optuna,s3]'
	uv pip install --quiet --python .lowest --editable '.[aws,dev,docs,gcp,gs,nevergrad,optuna,s3]'
	touch $@

clean:
	rm -rf .audit .lowest .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
