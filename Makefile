# Kindler's commands. You can stop each at any time and run it again; a step that is complete takes no time.
PYTHON ?= python3
HACK = $(PYTHON) -m hack
# KEEP=1 becomes the option --keep: `make test` then does not remove its cluster.
KEEP_SWITCH = $(if $(filter 1,$(KEEP)),--keep)

.DEFAULT_GOAL := help
.PHONY: help demo test check generate up down shell journeys clean campaign bench-coldstart bench-warm simulate

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## install Kindler on a cluster and show the life of an endpoint, from apply to delete; the cluster stays up
	@$(HACK) demo

test: ## run all that CI runs, on a fresh cluster, and remove the cluster (KEEP=1: keep it)
	@$(HACK) test $(KEEP_SWITCH)

check: ## check format, lint, types, import laws, generated files and chart; run unit and wiring tests; no cluster
	@$(HACK) check

generate: ## write CRDs and reference pages from the models
	@$(HACK) generate

up: ## start a cluster with image registries and without Kindler (NODES=3: three nodes)
	@$(HACK) up $(if $(NODES),--nodes $(NODES))

down: ## remove the cluster; images and caches stay (`make clean` removes those of this checkout)
	@$(HACK) down

shell: ## open a shell in which kubectl, helm and curl reach the cluster
	@$(HACK) shell

journeys: ## run only the tests on the cluster, on the one that is up (ARGS="-k update" goes to pytest)
	@$(HACK) journeys $(ARGS)

campaign: ## run the measurements that take longer than CI may, and write figures (ARGS="storm": one of them)
	@$(HACK) campaign $(ARGS)

bench-coldstart: ## measure the first request at zero pods, against a Deployment with a Service and against a bare pod
	@$(HACK) bench-coldstart $(ARGS)

bench-warm: ## measure requests per second through the activator, against a Go reverse proxy
	@$(HACK) bench-warm $(ARGS)

simulate: ## estimate what provisioned concurrency costs and saves in a day (ARGS="--trace FILE.csv": your day)
	@$(HACK) simulate $(ARGS)

clean: ## remove the cluster and all that this checkout made (ALL=1: also the cache that all checkouts share)
	@$(HACK) clean $(if $(filter 1,$(ALL)),--all)
