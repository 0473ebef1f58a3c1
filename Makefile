# What each target does stands in CONTRIBUTING.md.
GO          ?= go
SHARED      ?= $(CURDIR)/../shared
FUZZTIME    ?= 60s
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOFUMPT     := mvdan.cc/gofumpt@v0.12.0
UI          := web/dist/index.html
# Tests that need PostgreSQL get a server of their own.
SERVE       := $(GO) run ./internal/platform/db/dbtest/serve
DATA        := PATROL_SHARED=$(SHARED) $(GO) test -tags shareddata

export PATROL_SHARED := $(SHARED)

.PHONY: build run test test-data lint bench bench-lists fuzz soak generate clean

build: $(UI)
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/patrol ./cmd/patrol

run: build
	bin/patrol quickstart $(RUN_FLAGS)

web/node_modules/.package-lock.json: web/package.json web/package-lock.json
	cd web && npm ci --no-audit --no-fund

$(UI): web/node_modules/.package-lock.json $(shell find web/src web/public web/index.html web/vite.config.ts web/tsconfig.json -type f)
	cd web && npm run build
	@touch $@

# The tests drive the built binary, page and all.
test: build
	scripts/need.sh chromium=chromium curl=curl jq=jq rpm=rpm dpkg=dpkg pg_ctlcluster=postgresql
	cd web && npm test
	$(SERVE) $(GO) test -race -timeout 15m ./...

test-data: build
	scripts/need.sh rpm=rpm dpkg=dpkg
	@test -d $(SHARED)/feeds || { echo "missing: $(SHARED)/feeds; set SHARED=DIR" >&2; exit 1; }
	PATROL_SHARED=$(SHARED) $(SERVE) $(GO) test -tags shareddata -timeout 15m ./internal/... ./bench/...

lint: web/node_modules/.package-lock.json
	$(GO) vet ./... && $(GO) vet -tags shareddata ./...
	$(GO) run $(STATICCHECK) ./...
	@unformatted=$$($(GO) run $(GOFUMPT) -l cmd internal bench web/*.go) && test -z "$$unformatted" || { echo "run gofumpt -w on:" $$unformatted >&2; exit 1; }
	cd web && npm run lint

# The API's description, and the UI's types, are made from the routes.
generate:
	$(GO) run ./cmd/patrol openapi > web/openapi.json
	cd web && npm run generate

bench: build
	$(GO) run ./bench -shared $(SHARED)
	$(DATA) -run '^$$' -bench . -benchmem ./internal/feed ./internal/match
	@if command -v osv-scanner >/dev/null; then \
		bench/accuracy/compare.sh bin/patrol $(SHARED)/feeds/2026-08-21 $(SHARED)/fixtures/debian12/rootfs $(IMAGE); \
	else echo "osv-scanner is not on PATH: its findings are not compared"; fi
	$(MAKE) bench-lists

# Every list over 10,000 nodes with 1.5 million occurrences, on both databases.
bench-lists:
	scripts/need.sh pg_ctlcluster=postgresql
	$(SERVE) $(GO) run ./bench/lists

fuzz:
	@for target in $$(grep -rl --include='*_test.go' '^func Fuzz' internal); do \
		for name in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\)(.*/\1/p' $$target); do \
			echo "== $$name"; $(GO) test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) ./$$(dirname $$target) || exit 1; \
		done; \
	done

# Kills console and agent at many instants, again and again; scans an image of a
# real Docker daemon.
soak: build
	$(GO) test -run TestKill -count 20 -timeout 60m ./cmd/patrol
	scripts/need.sh dockerd=docker.io
	$(GO) test -tags dockerd -run TestDockerd ./internal/collect/image

clean:
	rm -rf bin web/node_modules && find web/dist -mindepth 1 ! -name .gitkeep -delete
