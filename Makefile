# make setup | demo | test. Needs Python 3.11 to 3.15; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
PACKAGES := requirements/runtime.txt requirements/dev.txt
STAMP := $(VENV)/.ready

.PHONY: help setup demo docs test test-all lint lock clean

help:
	@echo "make setup     install everything into .venv"
	@echo "make demo      predict, train, freeze, test and report on embedded data (under 5 minutes on 2 cores)"
	@echo "make test      lint and tests (about a quarter of an hour on 2 cores)"
	@echo "make test-all  the same, with the slow tests"
	@echo "make docs      make demo, and its table and picture into the README"
	@echo "make lock      resolve requirements/constraints.txt afresh"
	@echo "make clean     remove .venv"

setup: $(STAMP)

# uv rather than pip: one resolver for every platform, matching torch and torchvision, one minute.
# Compiled at once, as pip does: else every command does so, for seconds, where Python may not write.
$(STAMP): $(PACKAGES) requirements/constraints.txt pyproject.toml setup.py
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 15))' || \
	    { echo "error: $$($(PYTHON) --version) is not supported" >&2; \
	      echo "hint: make $(MAKECMDGOALS) PYTHON=python3.11 (3.11, 3.12, 3.13, 3.14 or 3.15)" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements/constraints.txt uv
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(UV) pip install --quiet --compile-bytecode -r requirements/runtime.txt -r requirements/dev.txt
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(UV) pip install --quiet --no-deps -e .
	$(BIN)/python -m compileall -q amlnn
	@$(BIN)/python -m amlnn.opencv
	touch $@

demo: $(STAMP)
	$(BIN)/python tools/quickstart.py

# Two processes of one thread each: tests are many small models, not one large.
test: lint
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-all: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile

docs: demo
	$(BIN)/python docs/regenerate.py

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy

lock:
	test -x $(UV) || { $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet uv; }
	cat $(PACKAGES) | grep -v '^-' > $(VENV)/packages.in
	$(UV) pip compile --quiet --universal --upgrade --python-version 3.11 --no-emit-index-url \
	    --no-annotate --no-header $(VENV)/packages.in --output-file requirements/constraints.txt

clean:
	rm -rf $(VENV)
