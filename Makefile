# make app    set up and start the web app on http://127.0.0.1:7860
# make test   set up, then run every check and test
# make space  write dist/space, the content of a Hugging Face Space
# They need only Python 3.11 to 3.13 and make; everything else goes into .venv.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

IN_VENV := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)/
.PHONY: help app test check browser samples space clean

help:
	@sed -n 's/^# make/make/p' Makefile

app: .venv/app
	$(IN_VENV)python app.py $(ARGS)

test: .venv/dev browser check
	$(IN_VENV)python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

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

space: .venv/app
	$(IN_VENV)python .ci/space.py

.venv/app: requirements.txt
	@[ -x $(IN_VENV)pip ] || bash .ci/venv.sh $(PYTHON)
	$(IN_VENV)python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/dev: pyproject.toml .venv/app
	$(IN_VENV)python -m pip install --quiet --disable-pip-version-check -e .[dev]
	@touch $@

clean:
	rm -rf .venv dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
