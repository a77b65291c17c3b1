# From a fresh clone, with nothing but Python 3.11 or newer and make:
#
#   make demo       the example project with a WeChat of its own, in the browser
#   make test       the whole suite; ARGS="-k login" chooses tests
#
# PYTHON=... chooses the interpreter, VENV=... the virtual environment, and
# EXTRAS=dev,mysql adds the MariaDB driver, which needs a C compiler; aliyun and tencent add the SDKs
# of those who send text messages, and with them their tests.

VENV ?= .venv
EXTRAS ?= dev
ARGS ?=

# The first Python that is new enough and can make a virtual environment.
PYTHON ?= $(shell for candidate in python3 python3.13 python3.12 python3.11 python; do \
	$$candidate -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
	>/dev/null 2>&1 && echo $$candidate && break; done)

BIN = $(VENV)/bin
comma = ,
STAMP = $(VENV)/.installed-$(subst $(comma),-,$(EXTRAS))

.DEFAULT_GOAL := help
.PHONY: help demo run-demo test lint coverage messages clean

help:
	@echo "make demo | test | lint | coverage | messages | clean"

$(STAMP): setup.cfg pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer with venv was found; name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'
	@touch $@

# The demo wants no linters and no test tools.
demo:
	@$(MAKE) --no-print-directory EXTRAS=demo run-demo

run-demo: $(STAMP)
	@$(BIN)/python manage.py demo $(ARGS)

test: $(STAMP)
	@$(BIN)/python -m tests.run $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config setup.cfg --no-logo

coverage: $(STAMP)
	$(BIN)/coverage erase
	$(BIN)/python -m tests.run --coverage $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# Needs msgfmt of GNU gettext.
messages: $(STAMP)
	cd wxauth && $(abspath $(BIN))/django-admin compilemessages

clean:
	rm -rf .tox .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	rm -rf .coverage .coverage.* build dist wxauth.egg-info $(VENV)/.installed-*
	find wxauth example_project tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
