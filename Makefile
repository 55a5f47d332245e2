# Each target installs what it needs. CONTRIBUTING.md has the plain commands behind them.

PYTHON ?= python3
VENV ?= .venv
TRAIN_VENV ?= .venv-train
FAMILIES_VENV ?= .venv-families
ROADS_VENV ?= .venv-roads
ROADS_PYTHON ?= python3.13
PHOTO ?= client/web/sample.jpg
PORT ?= 8080
BIN := $(VENV)/bin
# The benchmarks run on the Python that is deployed by default, if it is installed.
BENCH_VENV ?= .venv-bench
BENCH_PYTHON ?= $(shell for python in python3.13 "$$(pyenv root 2>/dev/null)"/versions/3.13.*/bin/python $(PYTHON); do \
	"$$python" -c 'import sys; print(sys.executable)' 2>/dev/null && break; done)
LOCK_PINS := $(BIN)/uv pip compile --quiet --universal --no-annotate --no-header --python-version 3.11
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11

.PHONY: demo serve rehearse test lint coverage audit platforms lock clean bench scale soak hostile train-setup train-test train-coverage families roads

demo: $(VENV)/demo.stamp
	$(BIN)/python -m examples.demo $(PHOTO)

serve: $(VENV)/demo.stamp
	$(BIN)/functions-framework --target run --port $(PORT)

rehearse: $(VENV)/demo.stamp
	$(BIN)/python -m tests.support.fake_gcp.rehearse

test: lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup $(TESTS)

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/shellcheck -x deploy.sh .ci/run

coverage: $(VENV)/test.stamp
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --numprocesses 2 --dist loadgroup
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --omit 'model/training/*'

audit: $(VENV)/test.stamp
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m tests.support.audit

platforms: $(VENV)/test.stamp
	for python in 3.11 3.12 3.13 3.14; do for platform in x86_64-manylinux_2_28 aarch64-manylinux_2_34; do \
		rm -rf build/platform && echo "Python $$python, $$platform" && \
		$(BIN)/uv pip install --quiet --target build/platform --python-version $$python --python-platform $$platform \
			--only-binary :all: --require-hashes -r requirements.txt || exit; \
	done; done

bench: $(BENCH_VENV)/bench.stamp
	for name in cold latency load growth; do $(BENCH_VENV)/bin/python -m benchmarks.$$name $(BENCH) || exit; done

scale: $(BENCH_VENV)/bench.stamp
	$(BENCH_VENV)/bin/python -m benchmarks.scale $(SCALE)

soak: $(VENV)/test.stamp
	$(BIN)/python -m tests.stress.soak $(SOAK)

hostile: $(VENV)/test.stamp
	$(BIN)/python -m tests.stress.hostile $(HOSTILE)

train-setup: $(TRAIN_VENV)/train.stamp

train-test: $(TRAIN_VENV)/test.stamp
	$(TRAIN_VENV)/bin/python -m pytest --confcutdir tests/training tests/training

train-coverage: $(TRAIN_VENV)/test.stamp
	$(TRAIN_VENV)/bin/coverage erase
	$(TRAIN_VENV)/bin/coverage run -m pytest --confcutdir tests/training tests/training
	$(TRAIN_VENV)/bin/coverage combine --quiet
	$(TRAIN_VENV)/bin/coverage report --include 'model/training/*'

families: $(FAMILIES_VENV)/families.stamp
	$(FAMILIES_VENV)/bin/python -m tests.training.families --out tests/training/families $(FAMILIES)

roads: $(ROADS_VENV)/roads.stamp
	$(ROADS_VENV)/bin/python -m pytest -p no:cloudcoil --confcutdir tests/roads tests/roads

lock: $(VENV)/test.stamp
	$(LOCK) requirements.in --output-file requirements.txt
	$(LOCK) client/requirements.in --constraint requirements.txt --output-file client/requirements.txt
	$(LOCK) tests/requirements.in --constraint requirements.txt --constraint client/requirements.txt --output-file tests/requirements.txt
	for name in lambda azure; do $(LOCK) --no-deps deploy/$$name/requirements.in --constraint requirements.txt --output-file deploy/$$name/requirements.txt || exit; done
	$(LOCK) model/training/requirements.in --output-file model/training/requirements.txt
	$(LOCK) tests/training/requirements.in --constraint model/training/requirements.txt --output-file tests/training/requirements.txt
	$(LOCK) tests/training/families/requirements.in --constraint model/training/requirements.txt --output-file tests/training/families/requirements.txt
	$(LOCK) tests/roads/requirements.in --output-file tests/roads/requirements.txt
	for name in ok naive litserve; do $(LOCK_PINS) benchmarks/competitors/$$name/requirements.in --constraint requirements.txt --output-file benchmarks/competitors/$$name/requirements.txt || exit; done
	$(LOCK_PINS) benchmarks/competitors/flask_tensorflow/requirements.in --output-file benchmarks/competitors/flask_tensorflow/requirements.txt
	$(LOCK) benchmarks/report/requirements.in --output-file benchmarks/report/requirements.txt

clean:
	rm -rf .venv* benchmarks/.cache demo build *.egg-info .mypy_cache .ruff_cache .pytest_cache .coverage*

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.stamp: $(VENV)/bin/python requirements.txt client/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt -r client/requirements.txt
	touch $@

$(VENV)/test.stamp: $(VENV)/demo.stamp tests/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/requirements.txt
	touch $@

$(BENCH_VENV)/bench.stamp: requirements.txt
	test -x $(BENCH_VENV)/bin/python || $(BENCH_PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	touch $@

$(TRAIN_VENV)/train.stamp: model/training/requirements.txt
	test -x $(TRAIN_VENV)/bin/python || $(PYTHON) -m venv $(TRAIN_VENV)
	$(TRAIN_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r model/training/requirements.txt
	touch $@

$(TRAIN_VENV)/test.stamp: $(TRAIN_VENV)/train.stamp tests/training/requirements.txt
	$(TRAIN_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/training/requirements.txt
	touch $@

$(FAMILIES_VENV)/families.stamp: tests/training/families/requirements.txt
	test -x $(FAMILIES_VENV)/bin/python || $(PYTHON) -m venv $(FAMILIES_VENV)
	$(FAMILIES_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/training/families/requirements.txt
	touch $@

$(ROADS_VENV)/roads.stamp: tests/roads/requirements.txt
	test -x $(ROADS_VENV)/bin/python || $(ROADS_PYTHON) -m venv $(ROADS_VENV)
	$(ROADS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/roads/requirements.txt
	touch $@
