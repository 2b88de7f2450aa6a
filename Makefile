# Targets a person needs: build, test, demo, bench, lint. `make` alone builds everything.

BIN      := bin
DISTRO   := distros/astralis
CAPSULES := $(notdir $(wildcard $(DISTRO)/capsules/*))
ARCHIVES := $(CAPSULES:%=$(DISTRO)/dist/astrid-capsule-%.capsule)
GO       ?= go
LDFLAGS  := -s -w
# Everything a capsule is made of besides its own directory.
GUEST    := $(shell find abi sdk -maxdepth 3 -name '*.go' -not -name '*_test.go' -not -path 'abi/host/*') go.mod

.PHONY: all build capsules test demo bench lint fuzz clean
.DELETE_ON_ERROR:

all: build

build: $(BIN)/astrid $(BIN)/astrid-daemon $(BIN)/astrid-build

capsules: $(ARCHIVES)

# The capsules are embedded in astrid, so they come first.
$(BIN)/astrid: $(ARCHIVES) FORCE
	$(GO) build -trimpath -ldflags "$(LDFLAGS)" -o $@ ./cmd/astrid

$(BIN)/astrid-daemon $(BIN)/astrid-build: $(BIN)/%: FORCE
	$(GO) build -trimpath -ldflags "$(LDFLAGS)" -o $@ ./cmd/$*

$(DISTRO)/dist/astrid-capsule-%.capsule: $(BIN)/astrid-build $(GUEST) FORCE_CAPSULES
	$(BIN)/astrid-build -o $@ $(DISTRO)/capsules/$*

.PHONY: FORCE FORCE_CAPSULES
FORCE:
# astrid-build leaves an archive alone when nothing changed; go's build cache does the rest.
FORCE_CAPSULES:

test: build
	$(GO) vet ./...
	$(GO) test ./...

demo: build
	./scripts/demo.sh

bench: build
	$(GO) test -run '^$$' -bench . -benchtime 1s ./...

lint:
	$(GO) vet ./...

clean:
	rm -rf $(BIN) $(DISTRO)/dist/*.capsule
