# make demo, make test, make dev: each sets up .venv from the pinned versions first, if necessary.

PYTHON ?= python3
BIN := .venv/bin
# With what it takes to run, and with what it takes to work on it.
READY := .venv/.installed
DEV := .venv/.installed-dev

# Libraries and tests are compiled once, when they are first imported, whatever the environment says.
export PYTHONDONTWRITEBYTECODE =

# The communities that make bench measures.
SIZES ?= S

.DEFAULT_GOAL := help
.PHONY: help demo test soak dev bench lint sbom format constraints clean clean-demo

help:
	@echo 'make demo         sync two simulated communities into .demo/warehouse.db, and report on them'
	@echo 'make test         run every test'
	@echo 'make soak         200 kills on each engine, every fault, new combinations, many stories, 700 nights in one process,'
	@echo '                 three communities on Celery workers'
	@echo 'make dev          open the Dagster UI'
	@echo 'make bench        measure first syncs and nights beside dlt and a bare script (SIZES="S L 2L": large ones, too)'
	@echo 'make lint         check format, style, types and layers'
	@echo 'make sbom         list the packages of a production environment (CycloneDX)'
	@echo 'make format       format the code'
	@echo 'make constraints  renew the pinned versions'
	@echo 'make clean        remove the environment, the caches and the demo'

demo: $(READY)
	@$(BIN)/ideas-pipeline demo

# More processes than a small machine has cores, because some tests wait, for Dagster's daemon, for example. Tests of one
# file share its fixtures, so one process runs them.
test: $(DEV)
	@$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

soak: $(DEV)
	@IDEAS_KILLS=200 IDEAS_SOAK=30 $(BIN)/python -m pytest -n 2 --timeout 3600 \
		ideas_pipeline_tests/end_to_end/test_kills.py ideas_pipeline_tests/end_to_end/test_living_community.py \
		ideas_pipeline_tests/end_to_end/test_dialects.py ideas_pipeline_tests/end_to_end/test_soak.py \
		ideas_pipeline_tests/faults ideas_pipeline_tests/test_fuzzing.py \
		ideas_pipeline_tests/deploy/test_celery.py ideas_pipeline_tests/end_to_end/test_dagster_communities.py

dev: $(READY)
	@mkdir -p .dagster && cp deploy/dagster.yaml .dagster/
	@echo 'The Dagster UI opens at http://127.0.0.1:3000 (Ctrl-C stops it).'
	@DAGSTER_HOME="$(CURDIR)/.dagster" $(BIN)/dagster dev

bench: $(DEV)
	@$(BIN)/python -m ideas_pipeline_tests.benchmarks.harness --sizes $(SIZES)

lint: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# What a production environment holds, as CycloneDX has it: without the tools of this project's developers.
sbom: $(DEV)
	rm -rf build/production
	$(PYTHON) -m venv build/production
	build/production/bin/python deploy/install.py '.[cluster]'
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-format JSON \
		--output-file build/sbom.cdx.json build/production
	rm -rf build/production

format: $(DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Installed again when the dependencies or their pins change.
$(READY): pyproject.toml constraints.txt
	@$(call require_python)
	@echo 'Setting up .venv (half a minute with uv, two with pip) …'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python deploy/install.py '.[postgres]'
	@touch $@

$(DEV): $(READY)
	@echo 'Adding what the tests need …'
	@$(BIN)/python deploy/install.py '.[dev]'
	@touch $@

define require_python
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo 'Python 3.11 or newer is needed (apt-get install python3), or name one: make PYTHON=python3.12 …' >&2; exit 1; }; \
$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	|| { echo 'Python has no venv module: apt-get install python3-venv' >&2; exit 1; }
endef

constraints:
	@$(call require_python)
	rm -rf build/fresh-venv
	$(PYTHON) -m venv build/fresh-venv
	build/fresh-venv/bin/python -m pip install --quiet --upgrade setuptools
	build/fresh-venv/bin/python -m pip install --quiet -e '.[dev]' uv
	{ grep '^#' constraints.txt; build/fresh-venv/bin/python -m pip freeze --all --exclude-editable --exclude pip; } > build/constraints.txt
	mv build/constraints.txt constraints.txt
	build/fresh-venv/bin/uv pip compile --quiet --generate-hashes --no-deps --no-header --no-annotate constraints.txt \
		--output-file constraints-hashed.txt
	rm -rf build/fresh-venv

clean: clean-demo
	rm -rf .venv .bench .dagster build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

clean-demo:
	rm -rf .demo
