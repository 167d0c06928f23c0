# Two commands for a newcomer: `make demo` and `make test`. Both need Python 3.11+ and make, nothing else.
SHELL := /bin/bash
.DEFAULT_GOAL := help
TOOLS := .tools
UV := $(shell command -v uv 2>/dev/null || echo $(TOOLS)/bin/uv)
RUN := $(UV) run --no-sync
DATA ?=
BASE ?=

# Compiled modules start seconds faster, so let Python write them.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test check lint bench dagster setup clean

help: ## Show this help
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

demo: setup ## Play the book-box business and open the catalog (DATA=DIR loads the Olist files)
	@$(RUN) hanse demo $(if $(DATA),--data $(DATA))

test: setup ## Run the tests
	@$(RUN) pytest -m "not slow"

check: setup ## Run the governance checks on this mesh (BASE=REF compares with a tag or branch)
	@$(RUN) hanse check $(if $(BASE),--base $(BASE))

lint: setup ## Format, lint and type-check
	@$(RUN) ruff format --check . && $(RUN) ruff check . && $(RUN) basedpyright

bench: setup ## Run the benchmarks in their short form
	@$(RUN) pytest benchmarks/short.py

dagster: setup ## Open Dagster on all domains
	@$(RUN) hanse up --dagster

setup: $(UV)
	@$(UV) sync --frozen --quiet --all-packages --all-extras

$(TOOLS)/bin/uv:
	@python3 -m venv $(TOOLS) 2>/dev/null && $(TOOLS)/bin/python -m pip install --quiet uv \
	  || (python3 -m pip install --quiet --target $(TOOLS)/lib uv && mkdir -p $(TOOLS)/bin && ln -sf ../lib/bin/uv $(TOOLS)/bin/uv)

$(shell command -v uv 2>/dev/null):

clean: ## Delete everything that Hanse wrote in this mesh
	@rm -rf .hanse
