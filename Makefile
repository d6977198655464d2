# Antawasi. `make run` and `make test` are all that a newcomer needs; both set up what they use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
PRIVATE_UV := .uv/bin/uv
# POSTGRES=1 adds what Dagster needs to keep a team's history in Postgres.
# SPARK=1 adds the second engine; it needs Java 17 or later.
LOCKS := requirements.lock $(if $(POSTGRES),packaging/postgres.lock) $(if $(SPARK),packaging/spark.lock)
INSTALLED := $(VENV)/.installed$(if $(POSTGRES),-postgres)$(if $(SPARK),-spark)
export DAGSTER_DISABLE_TELEMETRY := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export UV_NO_PROGRESS := 1
# Dagster, dbt and GX are large: compiled once at install, every command starts in half the time.
export UV_COMPILE_BYTECODE := 1

.PHONY: help setup run test test-browser test-office test-spark test-system faults fuzz dev lint format bench bench-full lock clean
help:
	@echo "make run           set up, take in the committed sample, build, check, publish, and say where everything is"
	@echo "make test          set up and run the tests that need Python alone (.ci/run has all)"
	@echo "make dev           Dagster's pages and daemon on this machine only (http://127.0.0.1:3000)"
	@echo "make lint          formatting, lint, types, contracts, SQL"
	@echo "make bench         benchmarks at reduced sizes (bench-full: at the sizes of docs/en/method.md)"
	@echo "make test-browser  the published site in a headless browser (needs chromium)"
	@echo "make faults        runs killed 200 times and broken in every other way (hours; KILLS=20 for fewer)"
	@echo "make fuzz          50,000 broken files through every parser (CASES=5000 for fewer)"
	@echo "make test-office   the published workbooks in an office suite (needs soffice)"
	@echo "make test-spark    every model built by Apache Spark too and compared with DuckDB's (needs java; an environment of its own)"
	@echo "make test-system   closed folders as another user, unit files by systemd (needs root, systemd-analyze)"

setup: $(INSTALLED)

# Exactly the locked packages, by hash; nothing is resolved here.
$(INSTALLED): $(LOCKS) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Antawasi needs Python 3.11 or later; this is $$($(PYTHON) --version). Set PYTHON=/path/to/python3.11"; exit 1; }
	@test -n "$(UV)" || test -x $(PRIVATE_UV) || { echo "… installing uv in .uv/ (private to this folder)"; $(PYTHON) -m venv .uv && .uv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9.8'; }
	@uv=$${UV:-$(if $(UV),$(UV),$(PRIVATE_UV))}; \
	test -x $(BIN)/python || $$uv venv --quiet --python "$$(command -v $(PYTHON))" $(VENV) || exit 1; \
	echo "… installing the locked environment in $(VENV)/"; \
	VIRTUAL_ENV=$(VENV) $$uv pip sync --quiet --require-hashes $(LOCKS) && \
	VIRTUAL_ENV=$(VENV) $$uv pip install --quiet --no-deps --no-build-isolation --editable . && \
	touch $@

run: setup
	@$(BIN)/antawasi run --sample

# What needs Python alone, without what takes longest (runs that are killed, everything built again).
# TESTS="not faults and not spark" has these too, and what needs a browser, an office suite and root, all on the same house.
TESTS ?= not browser and not office and not system and not long and not faults and not spark
test: setup
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m "$(TESTS)"

test-browser: setup
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || { echo "test-browser needs chromium"; exit 1; }
	@$(BIN)/python -m pytest -q -m browser

test-office: setup
	@command -v soffice >/dev/null || { echo "test-office needs LibreOffice (soffice)"; exit 1; }
	@$(BIN)/python -m pytest -q -m office

# Spark is no part of a plain installation: its packages are in an environment of their own.
test-spark:
	@command -v java >/dev/null || { echo "test-spark needs Java 17 or later (java)"; exit 1; }
	@$(MAKE) --no-print-directory setup VENV=.venv-spark SPARK=1
	@.venv-spark/bin/python -m pytest -q -m spark

test-system: setup
	@test "$$(id -u)" = 0 || { echo "test-system has to be run by root, which alone may become another user"; exit 1; }
	@command -v systemd-analyze >/dev/null || { echo "test-system needs systemd-analyze (package systemd)"; exit 1; }
	@$(BIN)/python -m pytest -q -m system

# Kills at scale tiny with all of dbt; everything else in the small house, where a run takes seconds.
faults: setup
	@ANTAWASI_FAULTS_HOUSE=tiny ANTAWASI_KILLS=$${KILLS:-200} $(BIN)/python -m pytest -q -s tests/faults/test_kills.py
	@$(BIN)/python -m pytest -q -s -m faults

fuzz: setup
	@$(BIN)/python -m tests.fuzz.harness --cases $${CASES:-50000} --seed $${SEED:-1}

dev: setup
	@$(BIN)/python -m pipelines.dev

lint: setup
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/antawasi contracts lint
	@$(BIN)/sqlfluff lint --disable-progress-bar --processes 0 dbt_project/models dbt_project/tests
	@$(BIN)/pyrefly check

format: setup
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

bench: setup
	@$(BIN)/python -m benchmarks

bench-full: setup
	@$(BIN)/python -m benchmarks --full

lock:
	@uv=$${UV:-$(if $(UV),$(UV),$(PRIVATE_UV))}; $$uv pip compile pyproject.toml --group dev --generate-hashes --no-header --no-annotate --no-emit-index-url --quiet -o requirements.lock && \
	for extra in postgres spark; do \
		$$uv pip compile packaging/$$extra.in --no-deps --generate-hashes --no-header --no-annotate --no-emit-index-url --quiet -o packaging/$$extra.lock || exit 1; \
	done

clean:
	rm -rf data dbt_project/target dbt_project/logs .pytest_cache .hypothesis .ruff_cache
