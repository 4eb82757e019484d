# make reproduce   sets up what is missing and runs the main job
# make test        sets up what is missing and runs all checks
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

# Test data beside the checkout is found by itself; METAMERS_DATA names others.
export METAMERS_DATA ?= $(abspath $(wildcard ../shared/data))
SCALE ?= quick
# Where the installed Go is older than go.mod asks for, it fetches and runs the one named there.
export GOTOOLCHAIN ?= auto
# Packages with goroutines or locks.
RACE_PKGS ?= ./metamerkit/cache ./metamerkit/people/serve ./metamerkit/client ./metamerkit/server ./metamerkit/sweep ./metamerkit/stage ./metamerkit/runs ./metamerkit/weights ./metamerkit/evaluate ./metamerkit/fetch ./metamerkit/display/... ./kernel/...
# How all is compiled but the kernel's tests and what needs other code: so each package is
# compiled once. The kernel's set-up compiles programs so too.
LIKE := GOFLAGS="$(shell go env GOFLAGS) -trimpath"
LEAN := -ldflags="-s -w"
# Packages whose tests link a backend.
COMPUTING = $(shell GOTOOLCHAIN=$(GOTOOLCHAIN) go list -test -f '{{.ForTest}} {{.ImportPath}} {{join .Deps " "}} ' ./... | sed -n 's|^\([^ ][^ ]*\) .*/metamerkit/backend .*|\1|p' | sort -u)
COMMIT := $(shell git describe --always --dirty --abbrev=12 2>/dev/null)
GO_SOURCES := $(shell find cmd metamerkit models testdata/photos testdata/scenes -name '*.go' -o -name '*.json' -o -name '*.yaml' -o -name 'labels.tsv') go.mod go.sum

# Targets run one after the other whatever -j says: each uses all cores itself.
.NOTPARALLEL:
.PHONY: help setup setup-cuda cuda-libraries build reproduce lab lab-setup test check test-xla test-go race fuzz test-kernel test-lab test-python test-notebooks test-image test-slurm test-manifests test-wheel test-site site wheel wheels notebooks clean

help: ## this list
	@awk -F ':.*## ' '/^## /{print "\n" substr($$0, 4)} /^[a-z-]+:.*## /{printf "  %-16s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

## Set up and build

setup: ## bring the XLA CPU plugin and oneDNN into the cache folder
	@scripts/setup.sh
	@[ "$$(go env CGO_ENABLED)" = 1 ] || echo "setup: no C compiler (or CGO_ENABLED=0): the build will have the pure-Go backend only (apt-get install gcc libc6-dev)" >&2

setup-cuda: setup ## bring the XLA CUDA plugin too, for an NVIDIA GPU
	@scripts/setup.sh --cuda

cuda-libraries: ## bring CUDA 13, cuDNN and NCCL from PyPI (2 GB), where no Python environment has them
	@scripts/setup.sh --cuda-libraries

bin/metamers: $(GO_SOURCES)
	$(LIKE) go build -ldflags="-s -w -X main.commit=$(COMMIT)" -o $@ ./cmd/metamers

build: bin/metamers ## build bin/metamers

WHEELS ?= dist

wheel: build ## build the wheel for Linux x86-64 into dist/: program, Python module, kernel
	$(LIKE) go build $(LEAN) -o bin/wheel/kernel ./kernel
	$(LIKE) go build -C kernel/tools/gonb $(LEAN) -o ../../../bin/wheel/ tool
	$(LIKE) go build -C kernel/tools/gopls $(LEAN) -o ../../../bin/wheel/ tool
	python3 scripts/wheel.py --program bin/metamers --platform linux_x86_64 --kernel bin/wheel/kernel --tools bin/wheel --out $(WHEELS)

wheels: wheel ## build the wheels without kernel and XLA for Linux aarch64 and macOS arm64 too
	GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go build -trimpath $(LEAN) -o bin/wheel/metamers-linux-arm64 ./cmd/metamers
	python3 scripts/wheel.py --program bin/wheel/metamers-linux-arm64 --platform linux_aarch64 --out $(WHEELS)
	GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 go build -trimpath $(LEAN) -o bin/wheel/metamers-darwin-arm64 ./cmd/metamers
	python3 scripts/wheel.py --program bin/wheel/metamers-darwin-arm64 --platform macosx_12_0_arm64 --out $(WHEELS)

## Use

reproduce: setup build ## a whole study: metamers, seven figures, five tables, claims, one page (SCALE=quick STEPS=200)
	bin/metamers reproduce --scale $(SCALE) $(if $(STEPS),--steps $(STEPS))

lab: ## JupyterLab with the kernel "Go (metamers)"; sets up what is missing
	@env -u GOOS -u GOARCH go run ./kernel lab

lab-setup: ## all that make lab needs, without opening it
	@env -u GOOS -u GOARCH go run ./kernel lab --setup-only

## Test

test: setup check test-xla test-go race fuzz test-kernel test-lab test-python test-notebooks test-manifests test-slurm test-wheel test-site ## everything that CI runs

check: ## gofmt, go vet, staticcheck, actionlint
	@test -z "$$(gofmt -l cmd kernel metamerkit models)" || { gofmt -d cmd kernel metamerkit models; exit 1; }
	$(LIKE) go vet ./...
	$(LIKE) go build -C tools $(LEAN) -o ../bin/staticcheck honnef.co/go/tools/cmd/staticcheck
	$(LIKE) bin/staticcheck ./...
	$(LIKE) go build -C tools $(LEAN) -o ../bin/actionlint github.com/rhysd/actionlint/cmd/actionlint
	bin/actionlint

test-xla: setup ## all tests but those of race, on XLA and on the pure-Go backend
	$(LIKE) go test -timeout 30m $$(go list ./... | grep -vxF "$$(go list $(RACE_PKGS))") ./kernel/test/sequence

test-go: ## the portable build, without cgo: all that computes
	CGO_ENABLED=0 go test -short -timeout 30m $(COMPUTING)

race: ## all tests of packages with goroutines and locks, with the race detector
	go test -race -timeout 30m $(RACE_PKGS)

fuzz: ## each fuzz target, 1000 inputs
	$(LIKE) scripts/fuzz.sh 1000x

test-kernel: ## the kernel in Jupyter: jupyter_kernel_test, orphans, load (METAMERS_LONG=1: longer)
	scripts/test-kernel.sh

test-lab: ## JupyterLab in a headless Chromium; skipped without one
	scripts/test-lab.sh

test-python: setup ## the Python module, with the program
	scripts/test-python.sh

test-slurm: setup ## metamers sweep on a real Slurm, with faults; skipped without slurm-wlm, munge or root
	$(LIKE) scripts/test-slurm.sh

test-wheel: setup ## build the wheel and try it in an empty Python environment
	scripts/test-wheel.sh

test-manifests: ## the manifests for Kubernetes against its published schema
	$(LIKE) scripts/test-manifests.sh

test-notebooks: ## every notebook, headless, from a clean state; with models of ImageNet where their weights are
	scripts/notebooks.sh
	scripts/notebooks.sh --imagenet

test-image: ## lint the Dockerfile and carry out its steps for the CPU in a clean root (GPU: scripts/test-image.sh cuda)
	scripts/test-image.sh

test-site: ## build the site; axe-core at every page in a headless Chromium, skipped without one
	scripts/test-site.sh

## Documents

site: ## build the site of the documentation into out/site; broken links are errors
	scripts/site.sh

notebooks: ## run the notebooks and keep their outputs
	scripts/notebooks.sh --write

clean: ## remove what was built
	rm -rf bin dist out
