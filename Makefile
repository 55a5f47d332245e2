# `make demo` and `make test` do all their own set-up; README.md has the plain commands behind each target.

PYTHON ?= python3
VENV ?= .venv
PHOTO ?= client/web/sample.jpg
PORT ?= 8080
BIN := $(VENV)/bin
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11

.PHONY: demo serve rehearse test lint lock clean

demo: $(VENV)/demo.stamp
	$(BIN)/python -m client.demo $(PHOTO)

serve: $(VENV)/demo.stamp
	$(BIN)/functions-framework --target run --port $(PORT)

rehearse: $(VENV)/demo.stamp
	$(BIN)/python -m tests.cloud.rehearse

test: lint
	$(BIN)/python -m pytest

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/shellcheck -x deploy.sh .ci/run

lock: $(VENV)/test.stamp
	$(LOCK) requirements.in --output-file requirements.txt
	$(LOCK) client/requirements.in --constraint requirements.txt --output-file client/requirements.txt
	$(LOCK) tests/requirements.in --constraint requirements.txt --constraint client/requirements.txt --output-file tests/requirements.txt
	$(LOCK) model/training/requirements.in --output-file model/training/requirements.txt

clean:
	rm -rf .venv* demo build *.egg-info .mypy_cache .ruff_cache .pytest_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.stamp: $(VENV)/bin/python requirements.txt client/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt -r client/requirements.txt
	touch $@

$(VENV)/test.stamp: $(VENV)/demo.stamp tests/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/requirements.txt
	touch $@
