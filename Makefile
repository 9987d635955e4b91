# What `make help` prints comes from the lines that begin with "##" here.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
# swift build takes a lock on .build and uses every processor by itself.
.NOTPARALLEL:

SWIFT ?= swift

.DEFAULT_GOAL := all

## generate    generate the gRPC code anew from the .proto files
PROTOS := Sources/GNOI/protos
GENERATED := Sources/GNOI/Generated
# Messages come from every file, stubs from those that define a service.
MESSAGES := $(shell cd $(PROTOS) && find . -name '*.proto' -printf '%P\n' | sort)
SERVICES := $(shell cd $(PROTOS) && grep -rl '^service ' --include='*.proto' . | sed 's|^\./||' | sort)
GENERATOR_OPTIONS := Visibility=Public,FileNaming=DropPath
.PHONY: generate
generate:
	$(SWIFT) build --product protoc-gen-swift
	$(SWIFT) build --product protoc-gen-grpc-swift-2
	bin=$$($(SWIFT) build --show-bin-path)
	rm -rf $(GENERATED)
	mkdir -p $(GENERATED)
	protoc -I $(PROTOS) --plugin="$$bin/protoc-gen-swift" \
	    --swift_out=$(GENERATED) --swift_opt=$(GENERATOR_OPTIONS) $(MESSAGES)
	protoc -I $(PROTOS) --plugin="$$bin/protoc-gen-grpc-swift-2" \
	    --grpc-swift-2_out=$(GENERATED) --grpc-swift-2_opt=$(GENERATOR_OPTIONS) $(SERVICES)
