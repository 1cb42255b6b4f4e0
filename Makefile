# Everything a newcomer needs: `make run` and `make test`. Each target sets up what it needs by itself.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

# The first interpreter that is new enough; set PYTHON to choose another.
PYTHON ?= $(firstword $(foreach candidate,python3 python3.14 python3.13 python3.12 python3.11 python,$(shell \
	command -v $(candidate) >/dev/null 2>&1 && $(candidate) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& command -v $(candidate))))
BIN := .venv/bin
READY := .venv/ready

.PHONY: help run test check bench faults abuse fuzz sentinel screenshots lock format clean
help:
	@echo "make run     the whole pipeline on this machine, until Ctrl-C"
	@echo "make test    the tests, on real servers that they start themselves"
	@echo "make check   formatting, lint, types, import rules, deploy files"
	@echo "make bench   the benchmarks, as ratios measured in one run"
	@echo "make faults  every fault under load, TIMES=3 each, and what was lost"
	@echo "make abuse   every attack on the door, ABUSE_SECONDS=20 each, and who got in or was kept out"
	@echo "make fuzz    random bytes for the door and its parsers, FUZZ_SECONDS=600 in all"
	@echo "make sentinel  failovers by Sentinel under load, TIMES=3 each, and what was lost"
	@echo "make screenshots  the pictures in docs/images, with Debian's chromium"
	@echo "make lock    resolve the newest versions and lock them with hashes"
	@echo "make format  rewrite the sources in the one format"

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and was not found; install it or set PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Setting up .venv from the lock file with $(PYTHON) (about a minute, once)"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "$(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: $(READY)
	@exec $(BIN)/alert-intake up --tethered $(OPTIONS)

# Tests run in so many processes beside each other, in the order given: what takes longest comes first. One that hangs
# ends its process, and with it the run.
JOBS ?= 3
BESIDE = -n $(JOBS) --max-worker-restart 0 --no-loadscope-reorder
test: $(READY)
	@exec $(BIN)/python -m pytest -m 'not long' $(BESIDE) --dist loadfile tests/faults tests/e2e tests/integration tests/unit

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m deploy.check

bench: $(READY)
	@exec $(BIN)/python -m tests.bench

# How often each fault is injected.
TIMES ?= 3
# 1: keep the rows of the last run, which was broken off, and run only what has none.
RESUME ?=
# One fault, injected that often, may take long.
PATIENTLY := -o faulthandler_timeout=3600
faults: $(READY)
	@exec env TIMES=$(TIMES) RESUME=$(RESUME) FAULTS_TABLE=var/faults.md $(BIN)/python -m pytest $(PATIENTLY) -m long \
		$(BESIDE) --dist load --maxschedchunk 1 tests/faults

sentinel: $(READY)
	@exec env TIMES=$(TIMES) RESUME=$(RESUME) SENTINEL_TABLE=var/sentinel.md $(BIN)/python -m pytest $(PATIENTLY) tests/sentinel

# How long each attack goes on.
ABUSE_SECONDS ?= 20
abuse: $(READY)
	@exec env ABUSE_SECONDS=$(ABUSE_SECONDS) ABUSE_TABLE=var/abuse.md $(BIN)/python -m pytest $(PATIENTLY) -m long \
		tests/e2e/test_abuse.py

# How long all of it goes on.
FUZZ_SECONDS ?= 600
fuzz: $(READY)
	@exec env FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/python -m pytest $(PATIENTLY) tests/fuzz

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

screenshots: $(READY)
	@exec $(BIN)/python -m tests.e2e.screenshots

lock: $(READY)
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev $(LOCK_OPTIONS) --output-file requirements.lock
	$(BIN)/python -m deploy.images.lock

LOCK_OPTIONS = --upgrade --universal --generate-hashes --no-annotate --quiet --custom-compile-command "make lock"

clean:
	rm -rf .venv var build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
