# Two commands for a new user: `make demo` and `make test`. Both install into .venv here and nowhere else.
PYTHON ?= python3
VENV := .venv
MARK := $(VENV)/.hanse-installed

.PHONY: setup demo test lint clean

setup: $(MARK)

$(MARK): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Hanse needs Python 3.11 or newer; $(PYTHON) is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12 demo")'
	@echo "Installing Hanse and the tested versions of what it needs into $(VENV) (about a minute) ..."
	@$(PYTHON) -m venv $(VENV) || (echo "No virtual environment could be made: install your system's python3-venv package." && exit 1)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[demo,dev]'
	@touch $(MARK)

demo: setup
	@echo "Running the example league of four retailers (three to five minutes) ..."
	@$(VENV)/bin/hanse demo

test: setup
	@echo "Running the tests (ten to fifteen minutes) ..."
	@$(VENV)/bin/python -m pytest -n 2 --dist loadscope

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

clean:
	rm -rf $(VENV) build
