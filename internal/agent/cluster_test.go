package agent

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kubernetes answers as the API of a cluster does that knows one node and one
// service account.
func kubernetes(t *testing.T, labels string) cluster {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer right":
			http.Error(w, `{"kind":"Status","code":403}`, http.StatusForbidden)
		case r.URL.Path != "/api/v1/nodes/node-1":
			http.Error(w, `{"kind":"Status","code":404}`, http.StatusNotFound)
		default:
			_, _ = io.WriteString(w, `{"kind":"Node","metadata":{"name":"node-1","labels":`+labels+`},"spec":{}}`)
		}
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // refused connections are tested
	server.StartTLS()
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for name, text := range map[string]string{"token": "right\n", "ca.crt": string(authority)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cluster{address, dir, "node-1"}
}

func TestClusterLabels(t *testing.T) {
	c := kubernetes(t, `{"kubernetes.io/os":"linux","pool":"web"}`)
	if got, err := c.labels(t.Context()); err != nil || !maps.Equal(got, map[string]string{"kubernetes.io/os": "linux", "pool": "web"}) {
		t.Errorf("labels = %v, %v", got, err)
	}
	other := kubernetes(t, `{}`)
	for name, wrong := range map[string]cluster{
		"another node":       {c.address, c.dir, "node-2"},
		"another cluster":    {other.address, t.TempDir(), "node-1"},
		"nobody":             {&url.URL{Scheme: "https", Host: "127.0.0.1:1"}, c.dir, "node-1"},
		"labels of no kind":  kubernetes(t, `[]`),
		"without its secret": {c.address, filepath.Join(c.dir, "absent"), "node-1"},
	} {
		if got, err := wrong.labels(t.Context()); err == nil {
			t.Errorf("%s: labels = %v", name, got)
		}
	}
	if err := os.WriteFile(filepath.Join(c.dir, "token"), []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.labels(t.Context()); err == nil || !strings.Contains(err.Error(), "get on nodes") {
		t.Errorf("error = %v; want it to say what is needed", err)
	}
}

func TestClusterLabelsAreBounded(t *testing.T) {
	many := make([]string, 0, 2*maxNodeLabels)
	for i := range 2 * maxNodeLabels {
		many = append(many, fmt.Sprintf(`"label-%d":"x"`, i))
	}
	many = append(many, `"long":"`+strings.Repeat("x", maxFact+1)+`"`)
	got, err := kubernetes(t, "{"+strings.Join(many, ",")+"}").labels(t.Context())
	if _, long := got["long"]; err != nil || len(got) != maxNodeLabels || long {
		t.Errorf("%d labels, %v; want %d", len(got), err, maxNodeLabels)
	}
}

func TestInCluster(t *testing.T) {
	env := map[string]string{"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443", "PATROL_KUBERNETES_NODE": "node-1"}
	c, ok := inCluster(func(name string) string { return env[name] })
	if !ok || c.address.String() != "https://[fd00::1]:443" || c.node != "node-1" {
		t.Errorf("inCluster = %+v, %v", c, ok)
	}
	for name := range env {
		value := env[name]
		delete(env, name)
		if _, ok := inCluster(func(name string) string { return env[name] }); ok {
			t.Errorf("it is in a cluster without %s", name)
		}
		env[name] = value
	}
}
