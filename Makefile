# make demo       opens the page on the embedded model at http://127.0.0.1:7860 (PORT=8000 changes the port)
# make test       runs every test
# make test-fast  runs those that take seconds, for every edit
# make lint       checks style and types
# make bench      prints the speed tables, of training too if there is a GPU, and keeps them in benchmarks/results
# All of them share .venv, and are quick the second time. None installs anything outside this folder.

PYTHON ?= python3
PORT ?= 7860
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
RUNTIME := $(VENV)/onnxruntime-web
AXE := $(VENV)/axe-core

# Threads that wait asleep: those that spin make tests several times slower beside any other busy process.
# Two tests at a time, for many wait for processes of one thread: half the time. Those of a file share their set-up. Files
# of slow tests come first (tests/conftest.py), not those of many tests, as xdist would have it.
PYTEST := OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

.PHONY: install demo test test-fast chromium lint bench

install: $(INSTALLED)

# The constraints file in the same command keeps pip from replacing torch by a CUDA build of several GB.
$(INSTALLED): requirements.txt constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "swapae needs Python 3.10 or newer; try make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r requirements.txt -e '.[test]'
	touch $@

demo: install
	PORT=$(PORT) $(BIN)/python app.py

# The page of `swapae export --format web` needs ONNX Runtime Web, which is on npm alone; without npm its tests are skipped.
$(RUNTIME): $(INSTALLED) swapae/apps/browser/runtime.py
	-! command -v npm >/dev/null || { rm -rf $@ && $(BIN)/python -c \
		"from pathlib import Path; from swapae.apps.browser.runtime import fetch_runtime; fetch_runtime(Path('$@'))"; }

# What looks through the page for what keeps people out of it is on npm alone as well.
$(AXE): $(INSTALLED) tests/support/axe.py
	-! command -v npm >/dev/null || { rm -rf $@ && PYTHONPATH=tests/support $(BIN)/python -c \
		"from pathlib import Path; from axe import fetch; fetch(Path('$@'))"; }

# The browser tests drive Debian's Chromium.
chromium:
	@command -v chromium >/dev/null || { echo "The browser tests need Chromium, and there is no command chromium." >&2; \
		echo "On Debian: sudo apt-get install chromium. Without it: make test-fast" >&2; exit 1; }

test: chromium install $(RUNTIME) $(AXE) lint
	$(PYTEST)

test-fast: install
	$(PYTEST) -m "not slow"

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install
	$(BIN)/python benchmarks/speed.py --json benchmarks/results/speed.json
	! $(BIN)/python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' || $(BIN)/python benchmarks/train.py \
		--preset church256 --batch-size 16 --precision bf16 --json benchmarks/results/train.json
