# Belay: `make run` shows it, `make test` checks it, `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

# The ports of `make run`: make run PORT=8081 ADMIN=9901
PORT ?= 8080
ADMIN ?= 9900
# What `make bench` hands on: make bench ARGS="--only tls --quick"
ARGS ?=

# One configuration serves `make run` and `make test`, so nothing is compiled twice.
SWIFT_BUILD = swift build -c release --explicit-target-dependency-import-check error
SWIFT_FILES = Package.swift Sources Tests Examples $(wildcard Fuzz Benchmarks)

.PHONY: help
help: ## Lists these targets.
	@echo "Belay, a load balancer that keeps sessions."
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "A fresh clone needs Swift 6.3 or later and nothing else. Start with: make run"

.PHONY: run
run: setup build ## Starts the demo: three shops and Belay in front, on port 8080.
	@exec Tools/demo --port $(PORT) --admin $(ADMIN)

.PHONY: test
test: setup-test lint build-tests generated limits fuzz-short ## Builds and runs every test.
	swift test -c release --skip-build --disable-xctest

.PHONY: build
build: setup ## Builds `belay` and the demo shop in release mode.
	@echo "build: in release mode; the first time takes some minutes"
	$(SWIFT_BUILD)

.PHONY: setup
setup: ## Installs the Debian packages that building and running need.
	@Tools/setup run

.PHONY: fuzz
fuzz: setup-test ## Feeds the parsers mutated inputs for a long time.
	Fuzz/run

.PHONY: bench
bench: setup-bench build ## Measures Belay beside HAProxy, nginx and Caddy (ARGS=--quick: a look).
	Benchmarks/run $(ARGS)

.PHONY: survival
survival: setup-bench build ## Disturbs Belay and its peers while clients shop (ARGS=--quick).
	Benchmarks/survival/run $(ARGS)

.PHONY: conformance
conformance: setup-test build ## Runs an HTTP/1 exam from outside: make conformance CORPUS=folder
	Tools/conformance "$(CORPUS)"

.PHONY: format
format: ## Formats the Swift code.
	swift format format --in-place --parallel --recursive $(SWIFT_FILES)

.PHONY: lint
lint: setup ## Checks format, lengths, names, unsafe code, imports and generated pages.
	swift format lint --strict --parallel --recursive $(SWIFT_FILES)
	Tools/tidy --self-test
	Tools/tidy

.PHONY: reference
reference: build ## Writes the manual page of the settings and the JSON Schema again.
	.build/release/belay reference > Documentation/reference.md
	.build/release/belay reference --json-schema > Documentation/belay.schema.json

.PHONY: clean
clean: ## Removes what was built.
	rm -rf .build Benchmarks/work Fuzz/work

# Parts of the above.

.PHONY: setup-test setup-bench build-tests generated limits fuzz-short
setup-test:
	@Tools/setup run test

setup-bench:
	@Tools/setup run bench

build-tests: setup-test
	@echo "build: in release mode, with the tests; the first time takes some minutes"
	$(SWIFT_BUILD) --build-tests

generated: build-tests
	Tools/tidy --generated

limits: build-tests
	Benchmarks/limits/run

fuzz-short: setup-test
	Fuzz/run --short
