# The verbs of the project; `make help` prints them. PYTHON=python3.12 names another interpreter.
PYTHON ?= python3
BIN := .venv/bin
ANY_PYTHON = $(or $(wildcard $(BIN)/python),$(PYTHON))

.DEFAULT_GOAL := help
.PHONY: help run start stop status scale roll logs check manifests test bench chaos alerts dashboards load image-steps sbom audit clean environment dev-environment

help:  ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: environment  ## everything in the foreground, with a sample month of orders on first start; Ctrl-C ends it
	@exec $(BIN)/python -m deploy.local run

start: environment  ## the same in the background, without sample data
	@exec $(BIN)/python -m deploy.local start

stop:  ## end what runs
	@exec $(ANY_PYTHON) -m deploy.local stop

status: environment  ## what runs, and whether it answers
	@exec $(BIN)/python -m deploy.local status

scale: environment  ## more or fewer of each while it runs: INSTANCES=order_service=2,order_service:worker=2,gateway=2
	@exec $(BIN)/python -m deploy.local scale

roll: environment  ## every process succeeded by a new one, one after the other, while it runs
	@exec $(BIN)/python -m deploy.local roll

logs:  ## what all of it says, as it says it; Ctrl-C ends the view
	@exec $(ANY_PYTHON) -m deploy.local logs

check: dev-environment  ## format, lint, types, arrows between packages, unit tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q --numprocesses=auto --maxprocesses=4 tests/architecture tests/unit

manifests: dev-environment  ## build every overlay of deploy/kubernetes, and check it against Kubernetes and the code
	@$(BIN)/python -m tests.manifests

test: check manifests  ## check, then the services against real Postgres, Kafka and Valkey, then the whole system
	@$(BIN)/python -m pytest -q --numprocesses=2 --dist=loadfile tests/services tests/end_to_end tests/chaos tests/load \
		tests/manifests

bench: dev-environment  ## measure speed, memory and idle load beside the floor; prints a table, writes JSON
	@exec $(BIN)/python -m tests.bench

chaos: dev-environment  ## load and seeded faults, then every invariant; RUNS=10 SECONDS=10 SEED=… FROM=1
	@exec $(BIN)/python -m tests.chaos --runs $(or $(RUNS),10) --seconds $(or $(SECONDS),10) \
		--seed "$(SEED)" --from $(or $(FROM),1)

alerts: dev-environment  ## cause what alerts are about on the real system, and see them fire in a real Prometheus
	@exec $(BIN)/python -m tests.chaos.alerts

dashboards: dev-environment  ## write Grafana's dashboards anew from deploy/monitoring/boards
	@exec $(BIN)/python -m deploy.monitoring.boards

load: dev-environment  ## crowds of customers by k6, and a report with charts; ONLY=ramp SOAK=1 DURATION=15m RATE=…
	@exec $(BIN)/python -m tests.load --only "$(ONLY)" $(if $(SOAK),--soak) \
		--duration "$(or $(DURATION),15m)" $(if $(RATE),--rate "$(RATE)")

image-steps: dev-environment  ## do the Dockerfile's steps in a debootstrap root, and run the image; needs root
	@exec $(BIN)/python -m deploy.images.try_steps

sbom: dev-environment  ## list every package of the image, with versions and sums: build/sbom.cdx.json
	@$(BIN)/python -W ignore -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible \
		--spec-version 1.6 --output-file build/sbom.cdx.json requirements.lock
	@echo build/sbom.cdx.json

audit: dev-environment  ## ask for known vulnerabilities of the image's packages; AUDIT_SOURCE=pypi or osv
	@$(BIN)/pip-audit --strict --disable-pip --require-hashes --requirement requirements.lock \
		--vulnerability-service $(or $(AUDIT_SOURCE),pypi) --progress-spinner off \
		|| { echo "no clean audit: a finding, or $(or $(AUDIT_SOURCE),pypi) did not answer for every package; see above" >&2; exit 1; }

clean:  ## remove state, environment and everything built
	@$(ANY_PYTHON) -m deploy.local clean
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

environment:
	@$(PYTHON) deploy/local/bootstrap.py local

dev-environment:
	@$(PYTHON) deploy/local/bootstrap.py dev
