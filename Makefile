# The verbs of this project. `make help` lists them.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
WORKERS ?= 2
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header

# without compiled files every process that a test or the demo starts would compile TensorFlow's sources again
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo test test-fast test-long lint types check-deployment bench lock clean

help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Make a virtual environment with the pinned dependencies

# cleared first: an installation that was broken off leaves half an environment
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if v >= (3, 11) else f"expected Python 3.11 or newer, got {v[0]}.{v[1]}; name one: make PYTHON=python3.11")'
	$(PYTHON) -m venv --clear .venv
	awk '/^uv==/, !/\\$$/' requirements.lock > .venv/uv.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

demo: $(INSTALLED) ## Draw a catalogue, train, serve, ask it (ONCE=1 stops then; CATALOGUE=… IMAGES=… takes yours)
	$(BIN)/python examples/demo.py $(if $(CATALOGUE),--catalogue "$(CATALOGUE)") $(if $(IMAGES),--images "$(IMAGES)") $(if $(ONCE),--once)

test: $(INSTALLED) lint types check-deployment ## Everything that must pass: ruff, mypy, Dockerfile, compose file, pytest
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not long"

test-fast: $(INSTALLED) ## The quick tests: no TensorFlow, no process started, nothing slow
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not tensorflow and not process and not slow and not long"

test-long: $(INSTALLED) ## Kills and loads at full length, some of which `make test` runs in two rounds
	$(BIN)/pytest -m long

lint: $(INSTALLED) ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED) ## mypy --strict
	$(BIN)/mypy

check-deployment: $(INSTALLED) ## hadolint and docker compose's own check; no engine needed
	$(BIN)/hadolint Dockerfile
	$(BIN)/docker-compose config -q

bench: $(INSTALLED) ## Encoding, serving, sweeping, storing and starting, each beside its peer (IMAGES=… takes your JPEGs)
	$(BIN)/python benchmarks/encode.py $(if $(IMAGES),--images "$(IMAGES)")
	$(BIN)/python benchmarks/serve.py
	$(BIN)/python benchmarks/sweep.py
	$(BIN)/python benchmarks/store.py
	$(BIN)/python benchmarks/start.py

# everything for developers, and the same versions of what the service needs and of what training needs
lock: ## Pin the dependencies anew, with hashes
	$(COMPILE) --extra dev --output-file requirements.lock --upgrade pyproject.toml
	$(COMPILE) --constraint requirements.lock --output-file requirements-service.lock pyproject.toml
	$(COMPILE) --constraint requirements.lock --extra train --extra reports --extra pretrained --output-file requirements-train.lock pyproject.toml

clean: ## Remove the virtual environment and what the demo made
	rm -rf .venv demo
