# One command for each thing one does with this project. `make` lists them.
# All of them install what they need first, into .venv; a second time that takes no time.

.DEFAULT_GOAL := help
.PHONY: help setup test soak lint check fix demo bench docs

BIN := .venv/bin

# A shell that forbids byte code would make every start of callm slow.
unexport PYTHONDONTWRITEBYTECODE
# The wrapper of pyright would ask the registry for a newer version at every run.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

help:  ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

setup: .venv/.ready  ## create .venv with everything to run, test and demonstrate callm
	@:

test: setup  ## run the tests; ARGS="-k name" chooses
	$(BIN)/python -m pytest $(ARGS)

soak: setup  ## twelve minutes of calls, faults, kills and storms: nothing may grow or break
	PYTHONPATH=. $(BIN)/python -m tests.soak.kills 100
	PYTHONPATH=. $(BIN)/python -m tests.soak.storm 10
	PYTHONPATH=. $(BIN)/python -m tests.soak.calls 400000

lint: .venv/.ready-all  ## format, lint, types, imports: all of `check` but the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo

check: lint test  ## everything that must hold before a change is merged

fix: .venv/.ready-all  ## mend what can be mended without thinking
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

demo: setup  ## a typed extraction on a real model on this machine
	@$(BIN)/python examples/demo.py

bench: setup  ## measure callm beside its peers; writes bench/RESULTS.md
	$(BIN)/python -m bench.run

docs: .venv/.ready-all  ## build the documentation into site/
	$(BIN)/zensical build --strict --clean

.venv/.ready: pyproject.toml uv.lock .ci/sync
	@.ci/sync
	@touch $@

# The type checkers, linters and the site's generator are 300 MB that neither tests nor demo need.
.venv/.ready-all: pyproject.toml uv.lock .ci/sync
	@.ci/sync --all-groups
	@touch .venv/.ready $@
