# What each target does stands in CONTRIBUTING.md.
GO          ?= go
SHARED      ?= $(CURDIR)/../shared
FUZZTIME    ?= 60s
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOFUMPT     := mvdan.cc/gofumpt@v0.12.0
UI          := web/dist/index.html
# Tests that need PostgreSQL get a server of their own.
SERVE       := $(GO) run ./internal/platform/db/dbtest/serve
DATA        := $(GO) test -tags shareddata

export PATROL_SHARED := $(SHARED)
# Built one way but for the race detector, packages are compiled once for all targets.
export GOFLAGS := -trimpath $(GOFLAGS)
export CGO_ENABLED := 0

.PHONY: build run test test-containers test-data lint bench bench-lists bench-agents fuzz soak generate clean

build: $(UI)
	$(GO) build -ldflags '-s -w' -o bin/patrol ./cmd/patrol

run: build
	bin/patrol quickstart $(RUN_FLAGS)

web/node_modules/.package-lock.json: web/package.json web/package-lock.json
	cd web && npm ci --no-audit --no-fund

$(UI): web/node_modules/.package-lock.json $(shell find web/src web/public web/index.html web/vite.config.ts web/tsconfig.json -type f)
	cd web && npm run build
	@touch $@

# All is watched for races but what computes by itself, SQLite, translated from C,
# compression and hashes, which takes ten times as long, and two clients so large that
# it takes a minute more to compile them so.
UNWATCHED := modernc.org github.com/klauspost/compress compress hash golang.org/x/crypto github.com/aws github.com/elastic
RACE      := -race $(UNWATCHED:%=-gcflags=%/...=-race=false)

# Tests whose bounds of time or memory the detector and other packages would use up
# run after the others, without either.
ALONE := ^(TestMillion|TestReplicas)$$

# The tests drive the built binary, page and all.
test: build
	scripts/need.sh chromium=chromium curl=curl jq=jq rpm=rpm dpkg=dpkg pg_ctlcluster=postgresql exim4=exim4-daemon-light rsyslogd=rsyslog-gnutls
	cd web && npm test
	$(SERVE) env CGO_ENABLED=1 $(GO) test $(RACE) -vet=off -ldflags '-s -w' -skip '$(ALONE)' -timeout 15m ./...
	$(SERVE) $(GO) test -p 1 -vet=off -ldflags '-s -w' -run '$(ALONE)' ./internal/collect/imagefs ./cmd/patrol
	@if [ "$$(id -u)" = 0 ]; then $(MAKE) --no-print-directory test-containers; \
	else echo "not root: the tests with real container runtimes were left out; run them as root: make test-containers" >&2; fi

# Against a dockerd and a containerd that the tests start, each on its own.
test-containers:
	scripts/need.sh dockerd=docker.io containerd=containerd ctr=containerd
	$(GO) test -tags dockerd -run "Docker|Containerd" -timeout 5m ./internal/agent/... ./internal/collect/image

# Only the tests that carry the tag: make test has run the others.
test-data:
	scripts/need.sh rpm=rpm dpkg=dpkg
	@test -d $(SHARED)/feeds || { echo "missing: $(SHARED)/feeds; set SHARED=DIR" >&2; exit 1; }
	files=$$(grep -l '^func Test' $$(grep -rl --include='*_test.go' '^//go:build shareddata' internal)); \
	names=$$(sed -n 's/^func \(Test[A-Za-z0-9]*\)(.*/\1/p' $$files | paste -sd '|'); \
	$(DATA) -timeout 15m -run "^($$names)$$" $$(dirname $$files | sort -u | sed 's|^|./|')

lint: web/node_modules/.package-lock.json
	$(GO) vet -tags shareddata,dockerd,soak ./...
	$(GO) run $(STATICCHECK) ./...
	@unformatted=$$($(GO) run $(GOFUMPT) -l cmd internal bench web/*.go) && test -z "$$unformatted" || { echo "run gofumpt -w on:" $$unformatted >&2; exit 1; }
	cd web && npm run lint

# The API's description, the UI's types, and the table of who may do what, are made
# from the routes.
generate:
	$(GO) run ./cmd/patrol openapi > web/openapi.json
	cd web && npm run generate
	$(GO) test ./internal/console -run TestAccess -update

# IMAGE=DIR is what bench/image.sh has made; DOCS=docs/scanning.md rewrites its tables.
bench: build
	$(GO) run ./bench -shared $(SHARED) $(IMAGE:%=-image %) $(DOCS:%=-docs %)
	$(DATA) -run '^$$' -bench . -benchmem ./internal/feed ./internal/match
	$(GO) test -run '^$$' -bench . -benchtime 800x ./internal/fleet
	$(GO) run ./bench/accuracy -feed $(SHARED)/feeds/2026-08-21 -fixture $(SHARED)/fixtures/debian12/rootfs \
		-machine -exclude .. -drawn $(IMAGE:%=-image %) $(DOCS:%=-docs %)
	$(DATA) -run '^$$' -bench Rematch -benchtime 1x ./internal/finding
	$(SERVE) $(GO) test -run '^$$' -bench Fire -benchtime 1x ./internal/schedule
	$(SERVE) $(GO) test -run '^$$' -bench Latency -benchtime 1x ./internal/notify
	$(MAKE) --no-print-directory bench-lists bench-agents

# Every list over 10,000 nodes with 1.5 million occurrences, on both databases.
bench-lists:
	scripts/need.sh pg_ctlcluster=postgresql
	$(SERVE) $(GO) run ./bench/lists

# 10,000 agents over TLS, from a process of their own, to a console on SQLite.
bench-agents: build
	$(GO) run ./bench/agents

# Minimizing inputs that are only interesting would take most of the time.
fuzz:
	@for target in $$(grep -rl --include='*_test.go' '^func Fuzz' internal); do \
		for name in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\)(.*/\1/p' $$target); do \
			echo "== $$name"; $(GO) test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x ./$$(dirname $$target) || exit 1; \
		done; \
	done

# Kills console and agent at many instants, again and again, also in a run of 2,000 scans; takes the database away
# for five minutes; reads containers and an image of a Debian that debootstrap makes.
soak: build
	$(GO) test -run 'TestKill$$' -count 20 -timeout 60m ./cmd/patrol
	$(GO) test -tags soak -run "TestKillInALongRun|TestKillWhileNotifyingLong" -timeout 30m ./cmd/patrol
	scripts/need.sh pg_ctlcluster=postgresql dockerd=docker.io debootstrap=debootstrap
	$(SERVE) $(GO) test -tags soak -run TestKillReplicasInARun -timeout 30m ./cmd/patrol
	$(GO) test -tags soak -run TestDatabaseGoneForLong -timeout 20m ./cmd/patrol
	$(GO) test -tags dockerd,soak -run TestDebootstrap -timeout 30m ./internal/agent/containers

clean:
	rm -rf bin web/node_modules && find web/dist -mindepth 1 ! -name .gitkeep -delete
