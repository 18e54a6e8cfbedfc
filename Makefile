# AstroGrowth. `make help` lists what there is.

GO        ?= go
TOOL      := $(GO) tool -modfile=tools/go.mod
TESTFLAGS ?=
FUZZTIME  ?= 20s
BENCH     ?= .
BENCHTIME ?= 1s

# Packages that have tests behind the build tag "browser".
BROWSER = $$(grep -rlE '^//go:build .*\bbrowser\b' --include='*_test.go' . | xargs -r -n1 dirname | sort -u)

.DEFAULT_GOAL := help
.PHONY: run test check race e2e compat api-fuzz api-docs n8n-test chain chaos publish-chaos callback-storm recount browser fuzz bench lint fmt build vuln hooks help

run: build ## build and start everything on this machine (ARGS= for `up`)
	@exec bin/astrogrowth up $(ARGS)

build: ## build the programs into bin/
	$(GO) build -o bin/ ./cmd/...

test: ## run every test against real Postgres and Redis, installing them where possible
	@.ci/need postgres redis
	$(GO) test -count=1 -parallel 4 -timeout 30m $(TESTFLAGS) ./...

check: ## all that a change must pass: format, vet, lint, race, tidy, verify, build
	$(TOOL) golangci-lint fmt --diff
	$(GO) vet ./...
	$(MAKE) lint
	$(MAKE) race
	$(GO) mod tidy -diff
	$(GO) mod verify
	$(MAKE) build

race: ## run every test but those of volume under the race detector, in random order
	@.ci/need postgres redis gcc
	$(GO) test -race -short -shuffle=on -count=1 -parallel 4 -timeout 30m $(TESTFLAGS) ./...

e2e: build ## start the built programs and walk the jobs through them
	@.ci/need postgres redis curl
	$(GO) test -count=1 -tags e2e $(TESTFLAGS) ./test/...

compat: ## let genuine clients (OpenAI for Go and Node, tRPC 10 and 11) use the built programs
	@.ci/need postgres redis curl
	cd test/compat && $(GO) test -count=1 -timeout 30m $(TESTFLAGS) ./...

n8n-test: ## let a genuine n8n run the workflows (N8N_VERSION=2.8.4; installs 2 GB into ASTROGROWTH_N8N_DIR)
	@.ci/need postgres redis
	N8N_VERSION=$${N8N_VERSION:-2.8.4} $(GO) test -count=1 -v -timeout 1h -tags n8n $(TESTFLAGS) ./test/n8n

api-fuzz: ## send generated requests to every operation (API_FUZZ_REQUESTS=50000, API_FUZZ_SEED)
	@.ci/need postgres redis
	API_FUZZ_REQUESTS=$${API_FUZZ_REQUESTS:-50000} $(GO) test -count=1 -v -timeout 1h -run TestGeneratedRequests ./internal/api

api-docs: ## write docs/api.md anew out of the program
	@.ci/need postgres redis
	$(GO) test -count=1 -run TestPageOfTheAPI ./internal/api -write

chain: ## run the chain with providers down (CHAIN_CALLS, CHAIN_JOBS)
	@.ci/need postgres redis
	CHAIN_CALLS=$${CHAIN_CALLS:-10000} CHAIN_JOBS=$${CHAIN_JOBS:-2000} $(GO) test -count=1 -v -timeout 1h -run TestChain ./router ./tasks

chaos: ## take everything apart under 10,000 jobs, three seeds (CHAOS_JOBS, CHAOS_SEEDS)
	@.ci/need postgres redis
	CHAOS_JOBS=$${CHAOS_JOBS:-10000} CHAOS_SEEDS=$${CHAOS_SEEDS:-3} $(GO) test -count=1 -v -timeout 3h -tags e2e -run TestNothingIsLost ./test/chaos

recount: ## compare analytics with a recount of the ledger after mixed calls (RECOUNT_CALLS)
	@.ci/need postgres redis
	RECOUNT_CALLS=$${RECOUNT_CALLS:-20000} $(GO) test -count=1 -v -timeout 1h -run RecountOfTheLedger ./internal/api
publish-chaos: ## kill workers at every point of a send under 2,000 publish jobs (PUBLISH_JOBS, PUBLISH_SEED)
	@.ci/need postgres redis
	PUBLISH_JOBS=$${PUBLISH_JOBS:-2000} $(GO) test -count=1 -v -timeout 1h -tags e2e -run TestNoPostIsMadeTwice ./test/chaos

callback-storm: ## send 10,000 callbacks to receivers of every kind (STORM_CALLBACKS)
	@.ci/need postgres redis
	STORM_CALLBACKS=$${STORM_CALLBACKS:-10000} $(GO) test -count=1 -v -timeout 1h -run TestCallbackStorm ./tasks

browser: ## run the tests that look at the pages with Chromium
	@dirs="$(BROWSER)"; [ -n "$$dirs" ] || { echo "browser: no package has such tests"; exit 0; }; \
	.ci/need postgres redis chromium && set -x && $(GO) test -count=1 -tags browser $(TESTFLAGS) $$dirs

fuzz: ## run every fuzz target for FUZZTIME (20s)
	@GO="$(GO)" FUZZTIME="$(FUZZTIME)" TESTFLAGS="$(TESTFLAGS)" .ci/fuzz

bench: ## run the benchmarks (BENCH=regexp, BENCHTIME=1s)
	@.ci/need postgres redis
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem $(TESTFLAGS) ./...

lint: ## run golangci-lint (its first build takes minutes)
	$(TOOL) golangci-lint run ./...

fmt: ## format the code
	$(TOOL) golangci-lint fmt

vuln: ## look for known vulnerabilities
	$(TOOL) govulncheck ./...

hooks: ## check format and vet before each commit
	git config core.hooksPath .githooks

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
