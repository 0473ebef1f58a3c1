package console

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"patrol/internal/operations"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/scan"
	"patrol/internal/wire"
)

// While the disk is full the console reads and says so, agents are told to wait,
// and what was under way goes on afterwards.
func TestFullDisk(t *testing.T) {
	dir := dbtest.SmallDisk(t, 24)
	h := openHouseIn(t, dir, publish(t))
	h.update()
	token, agent := h.token(auth.API), h.token(auth.Agent)
	var node string
	if err := h.db.Read().QueryRowContext(t.Context(), `SELECT id FROM node`).Scan(&node); err != nil {
		t.Fatal(err)
	}
	started := into[scan.Started](t, h.ask("POST", "/api/v1/scans", token, `{"nodes":["`+node+`"]}`))
	claimed := into[wire.ClaimResponse](t, h.ask("POST", "/wire/v1/commands/claim", agent, ""))
	if len(claimed.Commands) != 1 {
		t.Fatalf("claimed = %+v", claimed)
	}
	finish := func() answer {
		return h.ask("POST", "/wire/v1/commands/"+claimed.Commands[0].ID+"/finish", agent, `{"lease_id":"`+claimed.Commands[0].LeaseID+`","error":"it could not be read"}`)
	}

	ballast := dbtest.FillDisk(t, dir)
	heartbeat := func() answer { return h.ask("POST", "/wire/v1/heartbeat", agent, `{"protocol":1,"name":"web-1"}`) }
	for tries := 0; heartbeat().StatusCode == http.StatusOK; tries++ { // files that are there have some room
		if tries == 10_000 {
			t.Fatal("the disk is never full")
		}
	}
	for _, got := range []answer{heartbeat(), finish(), h.ask("POST", "/api/v1/scans", token, `{"nodes":["`+node+`"]}`)} {
		if said := wantProblem(t, got, http.StatusServiceUnavailable); !strings.Contains(said, "only reads") || got.Header.Get("Retry-After") == "" {
			t.Errorf("%s answers %v %s", got.Request.URL.Path, got.Header, said)
		}
	}
	if got := h.ask("GET", "/api/v1/nodes", token, ""); got.StatusCode != http.StatusOK {
		t.Errorf("reading answers %d: %s", got.StatusCode, got.body)
	}
	ready := h.ask("GET", "/readyz", "", "")
	var r operations.Readiness
	if err := json.Unmarshal([]byte(ready.body), &r); err != nil || ready.StatusCode != http.StatusServiceUnavailable || r.Checks[1].OK {
		t.Errorf("readyz answers %d: %s", ready.StatusCode, ready.body)
	}

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := h.db.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := finish(); got.StatusCode != http.StatusOK {
		t.Errorf("finishing answers %d: %s", got.StatusCode, got.body)
	}
	if got := into[scan.Scan](t, h.ask("GET", "/api/v1/scans/"+started.Items[0].ID, token, "")); got.State != scan.Failed || got.Error != "it could not be read" {
		t.Errorf("scan = %+v", got)
	}
	if got := h.ask("GET", "/readyz", "", ""); got.StatusCode != http.StatusOK {
		t.Errorf("readyz answers %d: %s", got.StatusCode, got.body)
	}
}
