# Two commands matter most: `make run` (the whole product) and `make test`. `make` alone lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PROTOS := $(shell find protos -name '*.proto')
BASE ?= main
SECONDS ?= 3600

.DEFAULT_GOAL := help
.PHONY: help setup run test test-fast conformance verify fix proto proto-check bench fuzz clean

help: ## list these targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(STAMP) ## make .venv with everything in it

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $(STAMP)

run: $(STAMP) ## the whole product on an embedded PostgreSQL
	$(BIN)/dirsync serve

test: $(STAMP) ## every test
	$(BIN)/python -m pytest

test-fast: $(STAMP) ## the tests that need no database
	$(BIN)/python -m pytest tests/unit tests/architecture

conformance: $(STAMP) ## outside judges of SCIM against a live server
	$(BIN)/python -m pytest tests/conformance

verify: $(STAMP) proto-check ## everything that must hold besides the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint protos
	$(BIN)/buf format --diff --exit-code protos
	$(BIN)/python .ci/breaking.py

fix: $(STAMP) ## repair what `make verify` refuses
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/buf format -w protos
	$(MAKE) proto

proto: $(STAMP) ## generate client/directorysync/v1 from protos/
	$(BIN)/python -m grpc_tools.protoc -Iprotos --plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy \
	  --plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc --python_out=client --grpc_python_out=client \
	  --mypy_out=client --mypy_grpc_out=only_async:client $(PROTOS)

proto-check: $(STAMP) ## generated code is what the protos say
	$(BIN)/python .ci/generated.py

bench: $(STAMP) ## measurements, as ratios against a limit measured in the same run
	$(BIN)/python -m benchmarks

fuzz: $(STAMP) ## an hour of fuzzing of the SCIM engine; SECONDS=600 for ten minutes
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[fuzz]'
	nice -n 15 $(BIN)/python -m tests.fuzz --seconds $(SECONDS)

clean: ## remove what setup made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
