PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: install check test demo bench docs clean

install: $(STAMP)

$(STAMP): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: install
	$(BIN)/pytest -q -n auto --ignore=tests/end_to_end
	$(BIN)/pytest -q tests/end_to_end

demo: install
	$(BIN)/dcim demo

bench: install
	$(BIN)/python benchmarks/run.py

docs: install
	$(BIN)/python docs/generate.py

clean:
	rm -rf .venv
