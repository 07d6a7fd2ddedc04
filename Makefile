# `make` or `make help` lists what there is. Everything lives in .venv (programs) and var (data).

PYTHON ?= python3
EDITABLE := chassis services/users services/threads services/posts monolith
# The labs' workspace is a git worktree: its own code runs with the main checkout's programs.
WORKSPACE := /var/labs/workspace//
ifneq ($(findstring $(WORKSPACE),$(CURDIR)//),)
MAIN_CHECKOUT := $(subst $(WORKSPACE),,$(CURDIR)//)
endif
VENV := $(if $(MAIN_CHECKOUT),../../../).venv
BIN := $(VENV)/bin
PYTEST_WORKERS ?= 2
# What tests need beside Python packages, by its names in Debian and Ubuntu.
SYSTEM_PACKAGES := chromium-headless-shell docker-registry wrk

# Former names of variables are refused, each with the one that replaced it.
RENAMED := MEND:REPAIR WATCH:SOAK STACK:PLACE DEPLOYMENT:PLACE ASLEEP:IDLE
former = $(firstword $(subst :, ,$(1)))
ifneq ($(filter extract reintegrate status synth deploy-local destroy-local,$(MAKECMDGOALS)),)
$(foreach pair,$(RENAMED),$(if $(filter-out undefined,$(origin $(call former,$(pair)))),\
  $(error $(call former,$(pair)) was renamed to $(lastword $(subst :, ,$(pair))))))
endif
# Another value, such as DRY_RUN=1, must not move data.
ifneq ($(filter extract reintegrate reconcile,$(MAKECMDGOALS)),)
$(foreach name,DRY_RUN REPAIR,$(if $(filter-out on off,$($(name))),\
  $(error $(name) must be on or off, not '$($(name))')))
endif

.DEFAULT_GOAL := help
.PHONY: help setup setup-system run stop reset logs moderator replay extract reintegrate cancel return backup restore reconcile status synth cost deploy-local destroy-local test test-faults test-extract test-compose test-deploy test-labs test-mutants validate lab lab-preview bench audit check fmt lock clean
# Python's own variables may put other code in front of the forum's (PYTHONPATH), hide it
# (PYTHONSAFEPATH), or change how it runs.
PYTHON_KEPT := PYTHON PYTHON_KEPT PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX PYTHONUNBUFFERED
unexport $(filter-out $(PYTHON_KEPT),$(filter PYTHON%,$(.VARIABLES)))
ifdef MAIN_CHECKOUT
empty :=
export PYTHONPATH := $(subst $(empty) ,:,$(EDITABLE) .)
endif
# With UTF-8, names of folders work under any LC_ALL. Python 3.11 and 3.12 read the files that name
# the forum's packages in the encoding of the locale, whatever PYTHONUTF8 says.
export PYTHONUTF8 := 1
ifeq ($(filter %.UTF-8 %.utf8 %.utf-8 %.UTF8 UTF-8,$(firstword $(LC_ALL) $(LC_CTYPE) $(LANG))),)
export LC_ALL := C.UTF-8
endif

# A virtual environment contains absolute paths and is bound to one Python. A copied or moved folder
# would run the original's code, or none: without the stamps, infra.setup looks, and rebuilds it.
ifneq ($(wildcard $(VENV)/home),)
ifneq ($(shell $(VENV)/bin/python -V 2>/dev/null; cd $(VENV) && pwd -P),$(shell cat $(VENV)/home))
$(shell rm -f $(VENV)/*.stamp)
endif
endif

help: ## list the make targets
	@printf 'Usage: make <target> [EXTRACTED=users,threads,posts] [PORT=8080]\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@printf '\nVariables, as in make run PORT=8090; the defaults are in brackets:\n\n'
	@sed -n 's/^#= /  /p' $(firstword $(MAKEFILE_LIST))

#= run          EXTRACTED    domains that run as services, separated by commas
#=                           [users,threads,posts]; empty for the monolith alone
#=              PORT         the address of the forum is http://127.0.0.1:<PORT> [8080]
#=              MONOLITH_PORT, USERS_PORT, THREADS_PORT, POSTS_PORT, DYNAMODB_PORT, BUS_PORT
#=              VAR_DIR      folder of data, logs and keys [var]
#=              DEMO         off: without demo content [on]
#=              RESTART      on: restart processes that die, instead of stopping the forum [off]
#=              SPLIT_BADGE  off: without badges of the components on pages [on]
#=              REVISION, DYNOXIDE, PROXY_PORTS, OPEN_PORTS, EXTRA_INSTANCES,
#=              WEB_CONCURRENCY, WORKER_THREADS, DRAIN_SECONDS, SIGN_IN_LIMIT_PER_NAME,
#=              SIGN_IN_LIMIT_PER_ADDRESS, SIGN_IN_WINDOW_SECONDS: see CONTRIBUTING.md
#= reset        EXTRACTED    delete the data that began at this stage only
#= logs         EXTRACTED    the stage, if no forum runs
#= moderator    NAME         a username
#= replay       SINCE        republish events since 10m, 2h or a time
#=              QUEUE        redrive the dead letters of monolith, users, threads or posts
#= extract      DOMAIN       users, threads or posts
#= reintegrate  PHASE        repeat prepare, backfill, catch-up, verify, cutover or soak only
#=              SOAK         seconds of the last phase [10]
#=              DRY_RUN      on: read everything, write nothing [off]
#=              REPAIR       on: replace copies that differ; also for reconcile [off]
#=              PLACE        local or compose, if a forum runs in both; also for status,
#=                           reconcile, backup; ecs or deploy-local: docs/extracting.md
#= restore      FROM         a folder that make backup named
#=              DOMAIN       one service only
#= synth        EXTRACTED, MOVING, ENVIRONMENT, STRATEGY, ARCHITECTURE, CERTIFICATE, ALLOW, EMAIL,
#=              BASE_DIGEST, ROLE, CAPACITY, MOVER, IDLE: docs/deploy.md
#= cost         EXTRACTED, ARCHITECTURE, CAPACITY
#= deploy-local EXTRACTED, MOVING, MOVER, PORT, DEMO, PROJECT, REVISION, STRATEGY; destroy-local PORT, PROJECT
#= test         ARGS         arguments for pytest; also for the other suites
#=              PYTEST_WORKERS  processes [2]
#=              CHROMIUM     path of another browser
#=              FULL, SEED   for test-faults, test-extract and test-labs: 1 for long runs; repeat choices
#= lab          ARGS         start N, check, hint, diff, reset, quiz N, contract, report, doctor
#= bench        QUICK        1: under three minutes
#=              RECORD       1: update docs/performance.md
#=              PARTS        loads, availability, growth, capacity, separated by commas
#=              CONNECTIONS, SECONDS, ROUNDS, ONLY: shape of the load
#= lock         UPGRADE      1: newer versions
#= any          PYTHON       the Python for .venv [python3]

setup: $(VENV)/dev.stamp $(VENV)/cdk.stamp $(VENV)/cloud-tools.stamp ## install everything that running, tests and templates need
	@$(BIN)/python -m infra.setup.prerequisites

setup-system: ## install what tests need from Debian or Ubuntu, with sudo
	sudo apt-get update
	sudo apt-get install --yes --no-install-recommends $(SYSTEM_PACKAGES)

run: $(VENV)/run.stamp ## start the forum in the foreground; stop it with Ctrl-C
	@exec $(BIN)/python -m infra.runner

stop: $(VENV)/run.stamp ## stop the forum that runs from this folder
	@$(BIN)/python -m infra.runner.control stop

reset: $(VENV)/run.stamp ## delete data, but no backups, of every stage or of one: make reset EXTRACTED=users
	@$(BIN)/python -m infra.runner.control reset

logs: $(VENV)/run.stamp ## follow the logs of the running forum
	@exec $(BIN)/python -m infra.runner.control logs

moderator: $(VENV)/run.stamp ## make a user a moderator: make moderator NAME=ada
	@$(BIN)/python -m infra.runner.control moderator "$${NAME:?set NAME: make moderator NAME=<username>}"

replay: $(VENV)/run.stamp ## republish events: make replay SINCE=10m, or redrive dead letters: QUEUE=posts
	@$(BIN)/python -m infra.runner.control replay "QUEUE=$${QUEUE-}" "SINCE=$${SINCE-}"

MOVE = $(BIN)/python -m extraction
HOW = "$${DOMAIN-}" $${PHASE:+--phase "$$PHASE"} \
  $${SOAK:+--soak "$$SOAK"} $(if $(filter on,$(DRY_RUN)),--dry-run) $(if $(filter on,$(REPAIR)),--repair)

# On ECS, also the library of the CDK app.
MOVE_STAMP := $(VENV)/$(if $(filter ecs deploy-local,$(PLACE)),cdk,run).stamp

extract: $(MOVE_STAMP) ## move a domain of the running forum to its service: make extract DOMAIN=posts
	@$(MOVE) extract $(HOW)

reintegrate: $(MOVE_STAMP) ## move it back: make reintegrate DOMAIN=posts (DRY_RUN=on, REPAIR=on, PHASE=verify)
	@$(MOVE) reintegrate $(HOW)

return:
	$(error `make return` was renamed to `make reintegrate`)

backup: $(VENV)/run.stamp ## copy the data of the forum, also while people write, to var/backups
	@$(BIN)/python -m recovery backup

restore: $(VENV)/run.stamp ## put a backup back: make restore FROM=var/backups/<name> (DOMAIN=posts for one service)
	@$(BIN)/python -m recovery restore "$${FROM:?set FROM to a folder that make backup named}" $${DOMAIN:+--domain "$$DOMAIN"}

reconcile: $(VENV)/run.stamp ## compare every copy with its owner's record, while people write (REPAIR=on)
	@$(BIN)/python -m recovery reconcile $(if $(filter on,$(REPAIR)),--repair)

cancel: $(MOVE_STAMP) ## cancel a move before its cutover: make cancel DOMAIN=posts
	@$(MOVE) cancel "$${DOMAIN-}"

status: $(MOVE_STAMP) ## show who owns each domain, and the progress of a move
	@$(MOVE) status

# What `make synth` passes on to the CDK app, each only if it is set.
CONTEXT = $(if $(filter undefined,$(origin EXTRACTED)),,'extracted=$(EXTRACTED)') \
  $(foreach name,MOVING ENVIRONMENT STRATEGY ARCHITECTURE CERTIFICATE ALLOW EMAIL BASE_DIGEST ROLE CAPACITY MOVER IDLE,$(if $($(name)),'$(shell echo $(name) | tr A-Z a-z)=$($(name))'))

synth: $(VENV)/cdk.stamp ## generate the CloudFormation templates: make synth ENVIRONMENT=lab STRATEGY=rolling
	@$(BIN)/python -m infra.cdk $(CONTEXT)

cost: $(VENV)/cdk.stamp ## estimate the monthly cost of a lab and of production: make cost EXTRACTED=
	@$(BIN)/python -m infra.cdk.cost $(filter 'extracted=% 'architecture=% 'capacity=%,$(CONTEXT))

deploy-local: $(VENV)/cdk.stamp ## deploy the templates locally, in containers: make deploy-local EXTRACTED=users
	@$(BIN)/python -m infra.local_cloud.deploy

destroy-local: $(VENV)/cdk.stamp ## remove the local deployment and list leftovers
	@$(BIN)/python -m infra.local_cloud.destroy

test: $(VENV)/dev.stamp $(VENV)/cloud-tools.stamp ## run all tests
	@$(BIN)/python -m infra.setup.prerequisites
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadfile $(ARGS)

test-faults: $(VENV)/dev.stamp ## inject faults under load (FULL=1 for 10,000 writes, SEED=n to repeat)
	@$(BIN)/python -m infra.dynoxide
	$(BIN)/python -m pytest tests/faults $(ARGS)

test-extract: $(VENV)/dev.stamp ## move domains under load and kills (FULL=1 for 100,000 posts, SEED=n to repeat)
	@$(BIN)/python -m infra.dynoxide
	$(BIN)/python -m pytest tests/extraction $(ARGS)

test-compose: $(VENV)/dev.stamp ## build the images and test the forum in containers (needs Docker)
	@$(BIN)/python -m tests.compose $(ARGS)

ifdef MAIN_CHECKOUT
# It knows the solution.
lab:
	@$(MAKE) --no-print-directory -C '$(MAIN_CHECKOUT)' lab
else
lab: $(VENV)/run.stamp $(VENV)/cdk.stamp ## take the monolith apart yourself: make lab, make lab ARGS='start 5'
	@$(BIN)/python -m labs $(ARGS)
endif

lab-preview: $(VENV)/preview.stamp ## write the course as HTML pages, to var/labs/preview
	@$(BIN)/python -m labs.preview

bench: $(VENV)/dev.stamp ## compare performance before and after the split (QUICK=1, RECORD=1 updates docs; needs wrk)
	@$(BIN)/python -m infra.dynoxide
	@$(BIN)/python -m bench

test-deploy: $(VENV)/dev.stamp $(VENV)/cloud-tools.stamp ## deploy the templates locally and test the deployment (needs Docker)
	@$(BIN)/python -m tests.deploy $(ARGS)

test-labs: $(VENV)/dev.stamp $(VENV)/cdk.stamp $(VENV)/preview.stamp ## show that the labs fit the code: starts fail, solutions pass, mistakes are named
	@$(BIN)/python -m infra.dynoxide
	$(BIN)/python -m pytest labs/tests -n $(PYTEST_WORKERS) $(ARGS)

test-mutants: $(VENV)/mutants.stamp ## change code in small ways; tests must notice (ARGS=cursors; takes long)
	@$(BIN)/python -m infra.dynoxide
	@$(BIN)/python -m infra.tools.mutants $(ARGS)

validate: $(VENV)/dev.stamp $(VENV)/cdk.stamp ## validate the API documents and pages by tools from npm, such as Lighthouse
	@$(BIN)/python -m infra.setup.prerequisites
	@$(BIN)/python -m infra.setup.validators
	$(BIN)/python -m pytest tests/validators $(ARGS)

audit: $(VENV)/dev.stamp ## check pinned dependencies for known vulnerabilities
	@$(BIN)/python -m infra.tools.audit

check: $(VENV)/dev.stamp ## run linters, type checks, rules for imports and Dockerfiles, and look for unused code
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	for part in $(EDITABLE); do $(BIN)/deptry $$part --config $$part/pyproject.toml --extend-exclude .+/tests/ || exit; done
	$(BIN)/vulture
	$(BIN)/hadolint monolith/Dockerfile services/Dockerfile infra/Dockerfile

fmt: $(VENV)/dev.stamp ## format the code and apply ruff's fixes
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: $(VENV)/dev.stamp ## regenerate the lock files (UPGRADE=1 for newer versions)
	@$(BIN)/python -m infra.tools.lock $(if $(UPGRADE),--upgrade)

clean: ## delete .venv and caches, but keep var
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Python's version is asked here, since an older one could not even read the set-up's code.
define set_up
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
  echo 'The forum needs Python 3.11 or newer; choose one with: make PYTHON=python3.13 ...' >&2; exit 1; }
@$(PYTHON) -m infra.setup $(1) --venv $(VENV) $(if $(filter $(NEED_DYNOXIDE),$(MAKECMDGOALS)),--services)
@touch $@
endef
NEED_DYNOXIDE := run lab restore test test-faults test-extract test-labs validate bench

ifdef MAIN_CHECKOUT
$(VENV)/%.stamp:
	@$(MAKE) --no-print-directory -C '$(MAIN_CHECKOUT)' .venv/$*.stamp
else
PROJECTS := $(EDITABLE:%=%/pyproject.toml)

$(VENV)/run.stamp: requirements/run.txt $(PROJECTS)
	$(call set_up,run)

$(VENV)/cdk.stamp: requirements/cdk.txt $(VENV)/run.stamp
	$(call set_up,cdk)

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/run.stamp
	$(call set_up,dev)

$(VENV)/mutants.stamp: requirements/mutants.txt $(VENV)/dev.stamp
	$(call set_up,mutants)

# Not beside the others: it pins some of their libraries to other versions.
$(VENV)/cloud-tools.stamp: requirements/cloud-tools.txt $(VENV)/run.stamp
	@$(PYTHON) -m infra.setup cloud-tools --venv $(VENV)/cloud-tools
	@touch $@

$(VENV)/preview.stamp: requirements/preview.txt $(VENV)/run.stamp
	$(call set_up,preview)
endif
