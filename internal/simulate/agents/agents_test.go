package agents_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"patrol/internal/client"
	"patrol/internal/console"
	"patrol/internal/fleet"
	"patrol/internal/platform/auth"
	"patrol/internal/scan"
	"patrol/internal/simulate/agents"
)

// A simulated fleet is nodes that are told apart, are there, and can be scanned.
func TestRun(t *testing.T) {
	const count, password = 12, "correct horse battery staple"
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan string, 1), make(chan error, 2)
	go func() {
		ended <- console.Run(ctx, console.Options{
			DataDir: dir, Listen: "127.0.0.1:0", FeedURL: filepath.Join(dir, "nowhere"), FeedInterval: time.Hour,
			AdminPassword: password, Version: "test", Out: io.Discard, Ready: func(url string) { ready <- url },
		})
	}()
	var address *url.URL
	select {
	case text := <-ready:
		var err error
		if address, err = url.Parse(text); err != nil {
			t.Fatal(err)
		}
	case err := <-ended:
		t.Fatal(err)
	}
	api := &client.Client{Console: address, HTTP: &http.Client{}}
	if err := api.SignIn(t.Context(), "admin", password); err != nil {
		t.Fatal(err)
	}
	token, err := api.CreateToken(t.Context(), auth.Enrolment, "simulated")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		ended <- agents.Run(ctx, agents.Options{
			Console: address, EnrolmentToken: token.Token, HTTP: func() *http.Client { return &http.Client{Transport: new(http.Transport)} },
			Count: count, Inventories: 3, Seed: 1, Version: "simulated",
		})
	}()
	eventually(t, "every node", func() bool { return len(list[fleet.Node](t, api, "nodes")) == count })
	machines := map[string]bool{}
	for _, n := range list[fleet.Node](t, api, "nodes") {
		machines[n.MachineID] = true
		if n.State != fleet.Active || n.AgentVersion != "simulated" || n.Labels["env"] != "simulated" {
			t.Errorf("node = %+v", n)
		}
	}
	if len(machines) != count {
		t.Errorf("%d machine ids of %d machines", len(machines), count)
	}
	if err := api.Do(t.Context(), http.MethodPost, "scans", scan.StartRequest{Selector: "true"}, nil); err != nil {
		t.Fatal(err)
	}
	inventories := map[string]bool{}
	eventually(t, "every scan", func() bool {
		complete := 0
		for _, s := range list[scan.Scan](t, api, "scans") {
			if s.State == scan.Complete && s.Components == 600 {
				complete++
				inventories[s.InventoryDigest] = true
			}
		}
		return complete == count
	})
	if len(inventories) != 3 {
		t.Errorf("%d inventories; want 3", len(inventories))
	}
	cancel()
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func list[T any](t *testing.T, api *client.Client, resource string) (items []T) {
	t.Helper()
	for item, err := range client.List[T](t.Context(), api, resource, nil) {
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
	return items
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline, tick := time.After(time.Minute), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("%s did not come", what)
		case <-tick.C:
		}
	}
}
