# make app    set up and start the web app on http://127.0.0.1:7860
# make test   set up, then run every check and test
# Both need only Python 3.11 to 3.13 and make; everything else goes into .venv.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

IN_VENV := .venv/bin/
# A shim that stands for no interpreter, or one that is too old or too new, is passed over.
FIND_PYTHON = for python in $(PYTHON) python3 python3.13 python3.12 python3.11 python; do \
	  if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	    2>/dev/null; then echo "$$python"; exit 0; fi; \
	done; \
	echo "make: needs Python 3.11, 3.12 or 3.13; name one with PYTHON=/path/to/python" >&2; exit 1

.PHONY: help app test check browser samples clean

help:
	@sed -n 's/^# make/make/p' Makefile

app: .venv/app
	$(IN_VENV)python app.py $(ARGS)

test: .venv/dev browser check
	$(IN_VENV)python -m pytest $(ARGS)

check: .venv/dev
	$(IN_VENV)ruff format --check .
	$(IN_VENV)ruff check .
	$(IN_VENV)mypy hwr train.py app.py

# The browser tests drive a real Chromium: the one that is there, else the system's package,
# else Playwright's own.
browser: .venv/dev
	@$(IN_VENV)python tests/browser.py

samples: .venv/app
	rm -rf assets/samples
	$(IN_VENV)python -m hwr samples --write assets/samples --count 200 --seed 0

.venv/app: requirements.txt
	@if [ ! -x $(IN_VENV)python ]; then \
	  python=$$( $(FIND_PYTHON) ); "$$python" -m venv .venv; fi
	$(IN_VENV)python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/dev: requirements-dev.txt .venv/app
	$(IN_VENV)python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
