# LocalPasskey: everything a person or CI runs. `make` alone lists the targets.

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PREFIX  ?= /usr/local
DESTDIR ?=
# A tag, or the commit it was built from; a source archive has neither.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# How long each fuzz target runs: empty for not at all in `make test`.
FUZZ ?=
# RACE=1: tests run under the race detector, which needs a C compiler.
RACE ?=
# What `make macos` hands to the bundle program.
MACOS ?=
# Which fuzz targets: a regular expression on package.FuzzName.
PATTERN ?=
# What `make bench` hands to the benchmark program.
BENCH ?=

# No C in any program, and the same bytes from a clone and from a source archive.
export CGO_ENABLED := 0
GOBUILD := go build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)'
TOOL    := go tool -modfile=tools/go.mod
# The two of the macOS app are put together by `make macos`.
PROGRAMS = $(filter-out localpasskey-app localpasskey-provider,$(notdir $(wildcard cmd/*)))
# The demo brings a relying party and starts a software TPM: never installed.
INSTALLED = $(filter-out localpasskey-demo,$(PROGRAMS))

.PHONY: help demo test e2e lint bench campaign build extension macos install packages clean go-version

help: ## list the targets
	@sed -nE 's/^([a-z0-9-]+):[^#]*## (.*)/make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-15s %s\n", $$1, $$2}'

demo: go-version ## see the whole job once, with a software TPM in place of hardware
	@scripts/deps.sh demo
	@$(MAKE) --no-print-directory build
	@bin/localpasskey-demo

test: go-version ## vet for Linux and macOS, all tests; FUZZ=5s adds each fuzz target for 5 s; RACE=1
	@scripts/deps.sh $(if $(RACE),race,test)
	go vet -tags e2e ./...
	GOOS=darwin GOARCH=arm64 go vet ./...
	GOOS=darwin GOARCH=amd64 go vet ./...
	$(if $(RACE),CGO_ENABLED=1 )go test $(if $(RACE),-race )./...
	$(if $(FUZZ),scripts/fuzz.sh $(FUZZ))

e2e: go-version ## the end-to-end tests: real programs, real clients, a software TPM
	@scripts/deps.sh e2e
	@npm ci --silent --prefix test/npm
	scripts/e2e.sh

lint: go-version ## golangci-lint, gofumpt, dead code, types of the JavaScript, shell scripts
	@scripts/deps.sh lint
	@linter=$$($(TOOL) -n golangci-lint); \
	for os in linux darwin; do \
	  echo "GOOS=$$os golangci-lint run ./..."; \
	  GOOS=$$os "$$linter" run --allow-parallel-runners ./...; \
	done
	@unformatted=$$($(TOOL) gofumpt -l .); \
	if [ -n "$$unformatted" ]; then \
	  echo "not formatted as gofumpt does:"; echo "$$unformatted"; \
	  echo "hint: $(TOOL) gofumpt -w ."; exit 1; \
	fi
	scripts/deadcode.sh
	@npm ci --silent --prefix test/npm
	test/npm/node_modules/.bin/tsc -p test/npm
	test/npm/node_modules/.bin/tsc -p test/npm/tsconfig.extension.json
	shellcheck scripts/*.sh packaging/*.sh packaging/scripts/*.sh .ci/run

bench: go-version ## measure; BENCH='-docs docs' rewrites docs/bench.md too, BENCH=-h lists more
	@scripts/deps.sh test
	go run ./test/bench $(BENCH)

campaign: go-version ## by hand, for hours: KILLS=1000 kills, ROUNDS=1000 of each other fault, packages built twice, each fuzz target FUZZ=2m, PATTERN=regexp for some
	@scripts/deps.sh test
	@scripts/deps.sh e2e
	scripts/campaign.sh $(or $(KILLS),1000) $(or $(ROUNDS),1000) $(or $(FUZZ),2m) '$(PATTERN)'

build: go-version ## build every program into bin/; needs no root and no C compiler
	@mkdir -p bin
	@for program in $(PROGRAMS); do \
	  echo "bin/$$program"; \
	  $(GOBUILD) -o "bin/$$program" "./cmd/$$program"; \
	done

extension: go-version ## pack the browser extension into dist/, one package for each family of browsers
	@go run ./packaging/extension dist

# Your own identifiers: MACOS='-team ABCDE12345 -id com.example.localpasskey'; -h lists more.
macos: go-version ## put LocalPasskey.app together in dist/macos, on any system; MACOS='-team …' for your identifiers
	@go run ./packaging/macos/bundle -version '$(VERSION)' $(MACOS)

# Takes what `make build` left, so that root compiles nothing.
install: ## install programs, menu entry, manual pages, completions, units below DESTDIR and PREFIX (/usr/local)
	@DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" packaging/install.sh $(INSTALLED)

packages: go-version ## build .deb and .rpm for amd64 and arm64, with checksums, into dist/
	scripts/release.sh

clean: ## remove what was built
	rm -rf bin dist

go-version:
	@version=$$(go env GOVERSION 2>/dev/null || echo none); \
	case "$$version" in \
	  go1.2[6-9]*|go1.[3-9][0-9]*|go[2-9]*|devel*) ;; \
	  *) echo "LocalPasskey is built with Go 1.26 or newer; here: $$version"; \
	     echo "hint: https://go.dev/doc/install"; exit 1 ;; \
	esac
