# Kindler's commands. Each may be stopped at any moment and started again; a step that is done already costs nothing.
PYTHON ?= python3
HACK = $(PYTHON) -m hack
# Makes a switch of a variable: KEEP=1 leaves the cluster up after `make test`.
KEEP_SWITCH = $(if $(filter 1,$(KEEP)),--keep)

.DEFAULT_GOAL := help
.PHONY: help demo test check generate up down shell journeys clean campaign bench-coldstart bench-warm simulate

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## the whole story on a cluster of this checkout: apply, predict, sleep, wake, provision, throttle, update; leaves the cluster up
	@$(HACK) demo

test: ## all that CI runs, on a fresh cluster that is gone at the end (KEEP=1 leaves it)
	@$(HACK) test $(KEEP_SWITCH)

check: ## format, lint, types, import laws, generated files, chart, unit and wiring tests: no cluster needed
	@$(HACK) check

generate: ## writes CRDs and reference pages anew from the models
	@$(HACK) generate

up: ## the cluster of this checkout, with registries (NODES=3 for three nodes)
	@$(HACK) up $(if $(NODES),--nodes $(NODES))

down: ## removes the cluster; nothing of it is left on the machine
	@$(HACK) down

shell: ## a shell in which kubectl, helm and curl reach the cluster
	@$(HACK) shell

journeys: ## the tests on the cluster alone, on the one that is up (ARGS="-k update" goes to pytest)
	@$(HACK) journeys $(ARGS)

campaign: ## what takes longer than CI may: storms, many repetitions; writes figures
	@$(HACK) campaign $(ARGS)

bench-coldstart: ## how long the first request waits at zero, against Deployment + Service and against the floor
	@$(HACK) bench-coldstart $(ARGS)

bench-warm: ## requests per second through the activator against a Go reverse proxy
	@$(HACK) bench-warm $(ARGS)

simulate: ## what provisioned concurrency would cost and save for a day of requests (ARGS="--trace FILE.csv": yours)
	@$(HACK) simulate $(ARGS)

clean: ## down, and removes what this checkout made (ALL=1: also the cache that all checkouts share)
	@$(HACK) clean $(if $(filter 1,$(ALL)),--all)
