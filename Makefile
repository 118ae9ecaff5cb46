# All commands for developers; `make help` lists them. They need make and Python >= 3.11; `make run PYTHON=python3.12`
# uses another Python.
PYTHON ?= python3
RUN := .venv/bin/python
# Tests often wait for other processes, so three at the same time keep two cores busy. One process runs all tests of a file;
# tests/conftest.py says which files begin.
IN_PARALLEL := -n 3 --dist loadfile --no-loadscope-reorder
# Of the tests that need minutes, those in which a slower machine changes no result. Each keeps one core busy.
TWO_AT_A_TIME := tests/fuzz tests/house tests/deploy/test_backup_under_writes.py
BEHIND_A_POOLER := catalogo pessoas servicos solicitacoes feed $(addprefix chassis/test_,crud.py idempotency.py pages.py conditional.py)

.DEFAULT_GOAL := help
.PHONY: help setup run restart token psql backup restore upgrade-database new-password test test-system test-pooler check check-kubernetes bench bench-rest bench-gateway bench-system bench-live bench-partitions format plan service render pictures fuzz fuzz-rest fuzz-plans faults ha-test check-cache scale-test attack migration sbom release release-notes peers ready

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install everything, with what tests and checks need, and build the web pages
	@$(PYTHON) deploy/bootstrap.py --dev

run: ready ## Run the whole system (PORT_OFFSET=0 DATA_DIR=.data DEMO=1 DEMO_SIZE=5000 LOG_LEVEL=INFO)
	@$(RUN) -m deploy.local

restart: ready ## Replace the running processes by new ones, without a failed request (DATA_DIR=.data)
	@$(RUN) -m deploy.restart

token: ready ## Print an access token for AUTH_MODE=jwt (SCOPES="pessoas:read" SUBJECT=ana SECONDS=3600)
	@$(RUN) -m deploy.issue_token

psql: ready ## Open psql on a database (SERVICE=pessoas ARGS="-c 'SELECT 1'" COMPOSE=1: that of the container)
	@$(RUN) -m deploy.psql $(SERVICE) $(ARGS)

backup: ready ## Back up all databases into one archive, also while the system runs (FILE=backups/x.zip COMPOSE=1)
	@$(RUN) -m deploy.backup

restore: ready ## Restore all databases from an archive (FILE=backups/x.zip FORCE=1: replace what is there; COMPOSE=1)
	@$(RUN) -m deploy.backup restore

upgrade-database: ready ## Bring the data to the newest PostgreSQL, and keep the old data beside it (DATA_DIR=.data)
	@$(RUN) -m deploy.upgrade_database

new-password: ready ## Give the databases new passwords, without losing data (DATA_DIR=.data)
	@$(RUN) -m deploy.reset_password --new

test: setup ## Run the tests in parallel, 12 minutes (ARGS="tests/pessoas -k nome" runs only these, in one process)
	$(RUN) -m pytest -m "not system" $(or $(ARGS),$(IN_PARALLEL))

test-system: setup ## Run the tests that need minutes or other programs, 9 minutes (ARGS=tests/faults)
ifdef ARGS
	$(RUN) -m pytest -m system $(ARGS)
else
	$(RUN) -m pytest -m system -n 2 --dist loadfile --no-loadscope-reorder $(TWO_AT_A_TIME); first=$$?; \
	$(RUN) -m pytest -m system $(addprefix --ignore=,$(TWO_AT_A_TIME)) && exit $$first
endif

test-pooler: setup ## Run the suites of the services, of REST and of the feed through PgBouncer, 2 minutes (needs PgBouncer 1.22 or newer; ARGS=tests/feed)
	$(RUN) -m pytest --pooler $(or $(ARGS),$(addprefix tests/,$(BEHIND_A_POOLER)) $(IN_PARALLEL))

check: setup ## Check formatting, lint, types, import contracts, safe migrations, the lock, and the pipeline
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/pyright
	.venv/bin/lint-imports
	$(RUN) -m deploy.lint_migrations
	$(RUN) deploy/bootstrap.py --uv lock --check
	.venv/bin/jactionlint --shellcheck= .github/workflows/*.yml
	.venv/bin/zizmor --offline --quiet --persona=auditor .github

check-kubernetes: setup ## Judge deploy/kubernetes by checkov (the first time it installs 100 packages apart)
	.venv/bin/kubectl kustomize deploy/kubernetes/overlays/demo > .uv/demo.yaml
	.venv/bin/kubectl kustomize deploy/kubernetes/overlays/production > .uv/production.yaml
	$(RUN) deploy/bootstrap.py --uv tool run --exclude-newer 2026-11-20 checkov@3.3.30 --config-file deploy/kubernetes/checkov.yaml --file .uv/demo.yaml .uv/production.yaml

format: setup ## Format the code and fix what the linter can fix
	.venv/bin/ruff format
	.venv/bin/ruff check --fix

bench: bench-rest bench-gateway bench-system ## Measure REST, the gateway and the whole system: the next three

bench-rest: peers ## Measure REST against the floor and the usual ways, 11 minutes (BASE=v1.0.0: against that revision)
	$(RUN) -m bench.rest $(if $(BASE),--base $(BASE)) $(ARGS)

bench-gateway: peers ## Measure the gateway against its peers, 15 minutes (BASE=v1.0.0: against that revision; ARGS=--help)
	$(RUN) -m bench.gateway $(if $(BASE),--base $(BASE)) $(ARGS)

bench-system: peers ## Measure the whole system beside the same services behind other gateways, 9 minutes (ARGS=--help)
	$(RUN) -m bench.system $(ARGS)

bench-partitions: setup ## Measure 10,000,000 rows in 1, 10 and 100 partitions, 10 minutes, 6 GB of disk (ARGS=--write)
	$(RUN) -m bench.partitions $(ARGS)

bench-live: peers ## Measure live queries beside their peers, 20 minutes (ARGS=--help)
	$(RUN) -m bench.live $(ARGS)

plan: setup ## Show how a query is executed (ARGS=file.graphql, without it the Painel)
	$(RUN) -m gateway.explain $(ARGS)

service: setup ## Write the first draft of a new service (NAME=fornecedores)
	$(if $(NAME),,$(error say which: make service NAME=fornecedores))$(RUN) -m deploy.new_service "$(NAME)"

render: setup ## Write anew what follows from the table of processes and from the code: compose.yaml, OpenAPI, the schema, tables
	$(RUN) -m deploy.render
	PATH="$(CURDIR)/.venv/bin:$$PATH" npm --prefix gateway/playground run --silent generate

pictures: setup ## Take the documents' pictures of the painel anew
	$(RUN) -m tests.browser.pictures

fuzz: fuzz-rest fuzz-plans ## Fuzz REST and plans: the next two

fuzz-rest: setup ## Fuzz the four services for long (ARGS="--cases 5000 --seeds 3 pessoas")
	$(RUN) -m tests.fuzz $(ARGS)

fuzz-plans: setup ## Compare plans with the reference executor on 50,000 random operations (CASES=50000 SEED=1; 20 minutes)
	CASES=$(or $(CASES),50000) SEED=$(or $(SEED),1) $(RUN) -m pytest -q tests/gateway/test_same_answers.py

faults: setup ## Break every part of the system under load, and check what clients see, 5 minutes (ARGS="--only PostgreSQL" or ARGS=--write)
	$(RUN) -m tests.faults $(ARGS)

ha-test: setup ## Take the primary of a replicated PostgreSQL away under load, 10 minutes (needs etcd; ARGS="--only killed" or ARGS=--write)
	@$(RUN) deploy/bootstrap.py --uv sync --frozen --inexact --group failover --quiet
	$(RUN) -m tests.failover $(ARGS)

check-cache: setup ## Try to get a wrong row out of gateways that keep rows (ARGS="--seconds 600 --runs 10 --workers 2" BUG=fill)
	$(RUN) -m tests.cache_checker $(ARGS)

scale-test: setup ## Kill, freeze and restart processes of a system with several of each, 12 minutes (needs Valkey or Redis; ARGS="--only frozen" or ARGS=--write)
	$(RUN) -m tests.scale $(ARGS)

attack: setup ## Attack the running system, and measure how it slows others down (7 minutes; ARGS=--write)
	$(RUN) -m tests.attacks $(ARGS)

migration: setup ## Write a new migration (SERVICE=pessoas NAME="add email")
	$(if $(and $(SERVICE),$(NAME)),,$(error say which: make migration SERVICE=pessoas NAME="add email"))$(RUN) -m deploy.migrate_all --new $(SERVICE) "$(NAME)"

sbom: setup ## Write a software bill of materials for each image into sbom/
	$(RUN) -m deploy.sbom

release: setup ## Write a new version everywhere, and date its section of the changelog (VERSION=1.1.0)
	$(if $(VERSION),,$(error say which: make release VERSION=1.1.0))$(RUN) -m deploy.release --prepare $(VERSION)

release-notes: ## Print what has changed in a version (VERSION=1.0.0)
	@$(if $(VERSION),,$(error say which: make release-notes VERSION=1.0.0))$(PYTHON) -m deploy.release --notes $(VERSION)

# Installs what only the benchmarks need.
peers: setup
	@$(RUN) deploy/bootstrap.py --uv sync --frozen --inexact --group bench --quiet

# Installs only what `run` needs.
ready:
	@$(PYTHON) deploy/bootstrap.py
