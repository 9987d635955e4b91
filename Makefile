# What `make help` prints comes from the lines that begin with "##" here.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
# swift build locks .build and uses every processor by itself: -j would gain nothing.
.NOTPARALLEL:
.SILENT:
.DEFAULT_GOAL := all

SWIFT ?= swift
PREFIX ?= /usr/local
DESTDIR ?=

# The programs, and where they go: commands for everybody in bin, what only an administrator runs in
# sbin.
COMMANDS := cz cz-pull
DAEMONS := containerzd cz-runtime cz-janitor
PROGRAMS := $(COMMANDS) $(DAEMONS)

# The Swift runtime is linked in, so a program needs only the distribution's C libraries.
RELEASE := -c release -Xswiftc -Osize --static-swift-stdlib
BIN := .build/bin

## all         build the programs, into .build/bin (the default)
.PHONY: all
all:
	for program in $(PROGRAMS); do $(SWIFT) build $(RELEASE) --product "$$program"; done
	built=$$($(SWIFT) build $(RELEASE) --show-bin-path)
	mkdir -p $(BIN)
	for program in $(PROGRAMS); do
	    # Only what changed, so that a second `make` changes nothing.
	    [[ $(BIN)/$$program -nt $$built/$$program ]] || strip -o "$(BIN)/$$program" "$$built/$$program"
	done

## install     install them under $(DESTDIR)$(PREFIX), /usr/local if not said otherwise
.PHONY: install
install: all
	for program in $(COMMANDS); do
	    install -D -m 755 "$(BIN)/$$program" "$(DESTDIR)$(PREFIX)/bin/$$program"
	done
	for program in $(DAEMONS); do
	    install -D -m 755 "$(BIN)/$$program" "$(DESTDIR)$(PREFIX)/sbin/$$program"
	done
	for page in man/*.[1-8]; do
	    install -D -m 644 "$$page" "$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}"
	done

## deps        install with apt what building and testing need, besides Swift
.PHONY: deps
deps:
	packaging/install-dependencies

## demo        show the whole path on this machine, from the build to a page served
.PHONY: demo
demo:
	packaging/demo

## test        run all tests, on a real Docker and a real Podman of their own (as root)
.PHONY: test
test:
	$(SWIFT) build --build-tests
	Tests/Support/with-engines Tests/Support/run-tests

## test-unit   run the tests that need no engine
.PHONY: test-unit
test-unit:
	$(SWIFT) test

# One test at a time: what they do at once is what is looked at, and their deadlines are made for a
# program at full speed. Gold, the usual linker, warns of each of a sanitizer's symbols.
SANITIZED = --sanitize=$(1) --scratch-path .build-$(2) -Xswiftc -use-ld=lld
SANITIZED_TEST := --skip-build --no-parallel --disable-xctest

## test-asan   run the unit tests, and some on a real Docker, under AddressSanitizer (as root)
INTEROP_ASAN := test_lifecycle test_deploy test_varlink test_plugins
# Measures memory, of which the sanitizer keeps what was freed.
INTEROP_NOT_ASAN := test_memory_stays_flat_whatever_the_size
.PHONY: test-asan
test-asan: export SWIFT_BACKTRACE := enable=no
test-asan:
	$(SWIFT) build --build-tests $(call SANITIZED,address,asan)
	$(SWIFT) test $(SANITIZED_TEST) $(call SANITIZED,address,asan)
	# The daemons' findings go to files, because the tests keep what they write to themselves.
	findings=$(CURDIR)/.build-asan/findings
	rm -rf "$$findings"
	mkdir "$$findings"
	code=0
	ASAN_OPTIONS=log_path="$$findings/asan" CONTAINERZ_BIN=$(CURDIR)/.build-asan/debug \
	    CONTAINERZ_ENGINES=docker Tests/Support/with-engines sh -c \
	    '"$$CONTAINERZ_PYTHON" -m pytest -p no:cacheprovider "$$@"' - \
	    $(INTEROP_NOT_ASAN:%=-k "not %") \
	    $(INTEROP_ASAN:%=Tests/Interop/%.py) || code=$$?
	for finding in "$$findings"/*; do
	    [[ -e $$finding ]] || continue
	    cat "$$finding" >&2
	    code=1
	done
	exit $$code

## test-tsan   run the unit tests under ThreadSanitizer
.PHONY: test-tsan
test-tsan:
	$(SWIFT) build --build-tests $(call SANITIZED,thread,tsan)
	# Swift's Mutex, which the sanitizer does not know; the reasons are in the source. It takes the
	# toolchain's compiler, which knows Swift's calling convention.
	toolchain=$$(dirname "$$(realpath "$$(command -v $(SWIFT))")")
	"$$toolchain/clang" -O2 -shared -fPIC -o .build-tsan/tsan_mutex.so Tests/Support/tsan_mutex.c
	LD_PRELOAD=$(CURDIR)/.build-tsan/tsan_mutex.so SWIFT_BACKTRACE=enable=no \
	    $(SWIFT) test $(SANITIZED_TEST) $(call SANITIZED,thread,tsan)

## fuzz        look SECONDS (60) for inputs that break a parser, for each TARGET in Tests/Fuzz
.PHONY: fuzz
fuzz: SECONDS := 60
fuzz:
	SWIFT=$(SWIFT) Tests/Fuzz/run $(SECONDS) $(TARGET)

## bench       measure speed and size against the engines' own (as root), all PARTS or those named
.PHONY: bench
bench: all
	CONTAINERZ_BIN=$(CURDIR)/$(BIN) Tests/Support/with-engines Tests/Benchmarks/run $(PARTS)

## deb         build the Debian packages, into .build/packages
.PHONY: deb
deb:
	SWIFT=$(SWIFT) packaging/build-packages

## test-packaging  install, use, upgrade and remove the packages in a Debian with systemd (as root)
.PHONY: test-packaging
test-packaging: deb
	Tests/Packaging/make-base
	CONTAINERZ_ENGINES=docker Tests/Support/with-engines sh -c \
	    '"$$CONTAINERZ_PYTHON" -m pytest -p no:cacheprovider Tests/Packaging'

## format      rewrite the Swift sources in the committed format
.PHONY: format
format:
	$(SWIFT) format format --in-place --parallel --recursive Package.swift Sources Tests

## lint        check the format of Swift sources and the syntax of scripts
.PHONY: lint
lint:
	$(SWIFT) format lint --strict --parallel --recursive Package.swift Sources Tests
	for script in $$(grep -rlE '^#!/bin/(ba)?sh' .ci packaging Tests); do bash -n "$$script"; done

## generate    generate the gRPC code, and what reflection says of it, anew from the .proto files
PROTO_MODULES := GNOI GRPCHealth GRPCReflection UpgradeAPI
# Spoken with the messages of v1, which are the same.
DESCRIBED_ONLY := grpc/reflection/v1alpha/reflection.proto
# What reflection answers with.
DESCRIPTORS := Sources/GRPCReflection/descriptors.pb
GENERATOR_OPTIONS := Visibility=Public,FileNaming=DropPath
.PHONY: generate
generate:
	$(SWIFT) build --product protoc-gen-swift
	$(SWIFT) build --product protoc-gen-grpc-swift-2
	plugins=$$($(SWIFT) build --show-bin-path)
	for module in $(PROTO_MODULES); do
	    protos=Sources/$$module/protos generated=Sources/$$module/Generated
	    # Messages come from every file, stubs from those that define a service.
	    messages=$$(cd $$protos && find . -name '*.proto' ! -path './$(DESCRIBED_ONLY)' -printf '%P\n' | sort)
	    services=$$(cd $$protos && grep --files-with-matches '^service ' $$messages)
	    rm -rf $$generated
	    mkdir -p $$generated
	    protoc --proto_path=$$protos --plugin="$$plugins/protoc-gen-swift" \
	        --swift_out=$$generated --swift_opt=$(GENERATOR_OPTIONS) $$messages
	    protoc --proto_path=$$protos --plugin="$$plugins/protoc-gen-grpc-swift-2" \
	        --grpc-swift-2_out=$$generated --grpc-swift-2_opt=$(GENERATOR_OPTIONS) $$services
	done
	protoc $(PROTO_MODULES:%=--proto_path=Sources/%/protos) --include_imports \
	    --descriptor_set_out=$(DESCRIPTORS) \
	    $$(find $(PROTO_MODULES:%=Sources/%/protos) -name '*.proto' -printf '%P\n' | sort)

## clean       remove everything that was built
.PHONY: clean
clean:
	rm -rf .build .build-asan .build-tsan .build-fuzz

## help        print this
.PHONY: help
help:
	@sed -n 's/^## /  make /p' Makefile
