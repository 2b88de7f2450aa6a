# Targets a person needs: build, test, demo, bench, lint. `make` alone builds everything.

BIN      := bin
DISTRO   := distros/astralis
CAPSULES := $(notdir $(wildcard $(DISTRO)/capsules/*))
ARCHIVES := $(CAPSULES:%=$(DISTRO)/dist/astrid-capsule-%.capsule)
GO       ?= go
LDFLAGS  := -s -w
# Everything capsules are made of besides their own directories, and what makes them.
GUEST    := go.mod go.sum $(shell { GOOS=wasip1 GOARCH=wasm $(GO) list -deps ./$(DISTRO)/capsules/... && $(GO) list -deps ./cmd/astrid-build; } | \
	sed -n 's,^github.com/unicity-astrid/astrid-go/,,p' | grep -v '^$(DISTRO)/capsules/' | sort -u | while read -r d; do ls $$d/*.go | grep -v _test.go; done)

.PHONY: soak
.PHONY: all build capsules test race demo bench lint fuzz clean
.DELETE_ON_ERROR:

all: build

build: $(BIN)/astrid $(BIN)/astrid-daemon $(BIN)/astrid-build

capsules: $(ARCHIVES)

# The capsules are embedded in astrid, so they come first.
$(BIN)/astrid: $(ARCHIVES) FORCE
	$(GO) build -trimpath -ldflags "$(LDFLAGS)" -o $@ ./cmd/astrid

$(BIN)/astrid-daemon $(BIN)/astrid-build: $(BIN)/%: FORCE
	$(GO) build -trimpath -ldflags "$(LDFLAGS)" -o $@ ./cmd/$*

.SECONDEXPANSION:
$(DISTRO)/dist/astrid-capsule-%.capsule: $(GUEST) $$(wildcard $(DISTRO)/capsules/$$*/*) | $(BIN)/astrid-build
	$(BIN)/astrid-build -o $@ $(DISTRO)/capsules/$*
	@touch $@ # it is left alone when nothing is different

.PHONY: FORCE
FORCE:

# A home with all stock capsules compiled: tests start from it, since compiling takes longer than most of them.
.PHONY: compiled
compiled: export ASTRID_HOME = $(abspath $(BIN))/compiled
compiled: export ASTRID_SECRETS_STORE = file
compiled: build
	@cd $(BIN) && ./astrid init --yes --provider anthropic,openai,openai-compat,offline >/dev/null 2>compiled.log || { cat compiled.log; exit 1; }
	@# What earlier builds left goes, and the rest is as young as tests of gc expect it.
	@cd $(BIN) && find compiled/var/cache -type f -exec touch -t 202001010000 {} + && ./astrid gc >/dev/null && find compiled/var/cache -type f -exec touch {} +

test: build compiled
	ASTRID_TEST_COMPILED=$(abspath $(BIN))/compiled $(GO) test -timeout 20m ./... $(patsubst %,./%/...,$(wildcard testdata/fake*))

# The packages whose locks and goroutines matter most, under the race detector.
RACE := ./ipc ./capsule ./audit ./capability ./approval ./vfs ./kernel/storage ./sdk/sdktest
race:
	$(GO) test -race -short -timeout 20m $(RACE)

demo: build
	./testdata/demo/demo.sh

# One line each: BENCH <name> <value> <unit> <reference> <ratio>. Ratios are of one run.
bench: build
	@$(GO) test -p 1 -run '^$$' -bench . -benchtime 1x ./... 2>&1 | awk '/^(BENCH|FAIL|panic|---)/ {print; fflush()} /^(FAIL|panic)/ {bad=1} END {exit bad}'

# The guests that attack the daemon, each in a daemon of its own beside one that is innocent: BENCH lines say what
# the innocent one and clients notice, and how late the guest ended. gc_stop_* is how long the collector waited for guests or large calls;
# where other programs are busy, `chrt -f 10 make hostile` measures it without them.
.PHONY: hostile hostile-guests
hostile:
	@$(GO) test -p 1 -run '^$$' -bench '^BenchmarkHostile' -benchtime 1x ./capsule/engine/wasm ./abi/host ./kernel 2>&1 | awk '/^(BENCH|FAIL|panic|---)/ {print; fflush()} /^(FAIL|panic)/ {bad=1} END {exit bad}'

# Makes the committed guests anew from their source beside them.
hostile-guests:
	$(GO) run ./testdata/guests/hostile

# Ten thousand calls and five hundred loads leave the daemon as it was; go test does less of both.
.PHONY: soak-kernel
soak-kernel:
	ASTRID_SOAK=full $(GO) test -count 1 -v -run '^TestSoak' ./kernel

# kill -9 at 100 random points of install, update and remove, and of init.
.PHONY: crash
crash:
	ASTRID_CRASH_ROUNDS=100 $(GO) test -count 1 -timeout 60m -run 'TestKill' -v ./cmd/astrid/cli

# Each fuzz target for FUZZTIME; the list is made from the sources.
FUZZTIME ?= 60s
fuzz:
	@grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u | while read -r d; do \
	  for f in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' $$d/*_test.go | sed 's/func //'); do \
	    echo "$$d $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5s $$d || exit 1; \
	  done; done

# The table of the 49 host functions, from the code.
.PHONY: abi-doc
abi-doc:
	@$(GO) run ./abi/host/abidoc

# Guests that are committed beside their source; wat2wasm is in the package wabt.
.PHONY: guests
guests: testdata/guests/wat/calls.wasm
testdata/guests/wat/%.wasm: testdata/guests/wat/%.wat
	wat2wasm $< -o $@

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
lint:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "not formatted:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	GOOS=wasip1 GOARCH=wasm $(GO) build ./distros/astralis/capsules/...
	GOOS=darwin $(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

clean:
	rm -rf $(BIN) $(DISTRO)/dist/*.capsule

# A long run of turns against the fake provider, of calls and of loads: no growth, no wedge.
SOAK_TURNS ?= 2000
soak: build soak-kernel
	SOAK_TURNS=$(SOAK_TURNS) $(GO) test ./cmd/astrid/e2e -run '^TestSoak$$' -count=1 -v -timeout 60m
