# The front door. `make` alone lists the targets; whatever a target needs on a fresh machine, it sets up itself.
PYTHON ?= python3
BIN := .venv/bin
KAFKA := .tools/kafka

.DEFAULT_GOAL := help
# How much chaos: `make chaos REQUESTS=20000 SECONDS=600`.
REQUESTS ?= 2000
SECONDS ?= 60

.PHONY: simulate soak help setup demo check format test chaos outage poison remember worst broker topics schemas clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/ready $(KAFKA)/ready ## make .venv from the lock and fetch the local broker's files

.venv/ready: requirements-dev.lock pyproject.toml
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed: make PYTHON=python3.11 …"'
	$(PYTHON) -m venv .venv
	# --no-deps: the lock is whole, and pip must not look for newer releases of an extra (coverage[toml]), which it refuses.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -m pip check --disable-pip-version-check
	@touch $@

$(KAFKA)/ready: pipeline/local/kafka.xml | .venv/ready
	-$(BIN)/python -m pipeline.local.broker --fetch  # without Java the rest still works; the tests say what they skip

demo: .venv/ready ## the whole story on a terminal: a real Kafka, one request of every type, decisions, calls
	$(BIN)/request-workflow demo

check: .venv/ready ## everything static: format, lint, types, import contracts, schemas, house rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/request-workflow schemas --check
	$(BIN)/pytest -q tests/test_tidy.py

format: .venv/ready ## rewrite the code in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

PURE := tests/domain tests/stages tests/contract tests/test_policy_file.py

test: setup ## all tests, on a real Kafka that the run starts itself; the pure core at 100 % of its branches
	$(BIN)/pytest $(PURE) --cov=pipeline.domain --cov=pipeline.stages --cov-branch --cov-report=term --cov-fail-under=100
	$(BIN)/pytest $(PURE:%=--ignore=%)

chaos: setup ## kill, freeze and restart workers and a broker of their own under load, and judge (REQUESTS=, SECONDS=)
	PYTHONPATH=tests $(BIN)/python -m broker.chaos --requests $(REQUESTS) --seconds $(SECONDS)

outage: setup ## Intouch refuses connections for SECONDS, then says 503 for SECONDS, under load on the real broker
	OUTAGE_S=$(SECONDS) $(BIN)/pytest -q tests/broker/test_outage.py

poison: setup ## what 30 % bad input costs the good on the real broker; fails below 70 % of the speed without it
	PYTHONPATH=tests $(BIN)/python -m broker.poison

remember: setup ## what a pending and a finished request cost in memory, and how long loading 100,000 takes; with limits
	$(BIN)/python -m bench.remember

worst: .venv/ready ## what the worst records cost each stage: time and memory
	$(BIN)/python -m bench.worst

simulate: .venv/ready ## play one simulated world again: make simulate SEED=7
	cd tests && ../$(BIN)/python -m simulation simulate $(SEED)

soak: .venv/ready ## play many: make soak FROM=0 TO=50000
	cd tests && ../$(BIN)/python -m simulation soak --from $(FROM) --to $(TO)

broker: setup ## run a real local Kafka on 127.0.0.1:9092 until Ctrl-C
	$(BIN)/request-workflow broker

topics: .venv/ready ## create the topics that are missing on the broker of the settings
	$(BIN)/request-workflow topics create

schemas: .venv/ready ## write topics/schemas anew from the models
	$(BIN)/request-workflow schemas

clean: ## remove what the other targets made
	rm -rf .venv .tools .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage *.egg-info
