# make reproduce   sets up what is missing and runs the main job
# make test        sets up what is missing and runs all checks
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

# Test data beside the checkout is found by itself; METAMERS_DATA names others.
export METAMERS_DATA ?= $(abspath $(wildcard ../shared/data))
STEPS ?= 1000
GO_SOURCES := $(shell find cmd metamerkit models -name '*.go' -o -name '*.json') go.mod go.sum

.PHONY: help setup build reproduce test check test-xla test-go race fuzz clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

setup: ## bring the XLA CPU plugin into the cache folder
	@scripts/setup.sh
	@command -v $${CC:-cc} >/dev/null || echo "setup: no C compiler: the build will have the pure-Go backend only (apt-get install gcc)" >&2

bin/metamers: $(GO_SOURCES)
	go build -trimpath -ldflags="-s -w" -o $@ ./cmd/metamers

build: bin/metamers ## build bin/metamers

reproduce: setup build ## metamers of 16 images, four model sets, three stages (STEPS=1000)
	bin/metamers reproduce --steps $(STEPS)

test: setup check test-xla test-go race fuzz ## everything that CI runs

check: ## gofmt, go vet, staticcheck
	@test -z "$$(gofmt -l cmd metamerkit models)" || { gofmt -d cmd metamerkit models; exit 1; }
	go vet ./...
	go build -C tools -o ../bin/staticcheck honnef.co/go/tools/cmd/staticcheck
	bin/staticcheck ./...

test-xla: setup ## all tests, on XLA and on the pure-Go backend
	go test -timeout 30m ./...

test-go: ## all tests that need no cgo
	CGO_ENABLED=0 go test -short -timeout 20m ./...

race: ## the race detector on packages with goroutines and locks
	go test -race -timeout 20m ./metamerkit/stage ./metamerkit/runs ./metamerkit/weights ./metamerkit/evaluate

fuzz: ## each fuzz target for ten seconds
	scripts/fuzz.sh 10s

clean: ## remove what was built
	rm -rf bin out
