package console

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"

	"patrol/internal/fleet"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/rest"
	"patrol/internal/sbom"
	"patrol/internal/scan"
	"patrol/internal/wire"
)

func gzipped(t *testing.T, write func(w *gzip.Writer) error) string {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if err := write(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.String()
}

// What an agent uploads is hostile until it was looked at.
func TestUploadsThatAreRefused(t *testing.T) {
	h := openHouse(t, publish(t))
	agent := h.token(auth.Agent)
	document := `{"components":[]}`
	whole := gzipped(t, func(w *gzip.Writer) error { _, err := w.Write([]byte(document)); return err })
	// A gzip stream may have many members (RFC 1952, section 2.2).
	megabyte := gzipped(t, func(w *gzip.Writer) error { _, err := w.Write(make([]byte, 1<<20)); return err })
	bomb := strings.Repeat(megabyte, wire.DocumentLimit>>20+1)
	for name, test := range map[string]struct {
		body   string
		status int
	}{
		"not packed":               {document, http.StatusUnprocessableEntity},
		"cut off":                  {whole[:len(whole)-9], http.StatusUnprocessableEntity},
		"of another digest":        {gzipped(t, func(*gzip.Writer) error { return nil }), http.StatusUnprocessableEntity},
		"larger than it may be":    {bomb, http.StatusRequestEntityTooLarge},
		"what was announced, fine": {whole, http.StatusNoContent},
	} {
		got := h.ask("PUT", "/wire/v1/sboms/"+sbom.Digest([]byte(document)), agent, test.body)
		if got.StatusCode != test.status {
			t.Errorf("%s: answers %d %s; want %d", name, got.StatusCode, got.body, test.status)
		}
	}
}

func TestWireBodiesThatAreRefused(t *testing.T) {
	h := openHouse(t, publish(t))
	agent := h.token(auth.Agent)
	wantProblem(t, h.ask("POST", "/wire/v1/heartbeat", agent, `{"protocol":`), http.StatusBadRequest)
	wantProblem(t, h.ask("POST", "/wire/v1/heartbeat", agent, `{"protocol":"one"}`), http.StatusBadRequest)
	wantProblem(t, h.ask("POST", "/wire/v1/commands/none/finish", agent, `{}`), http.StatusNotFound)
	newer := `{"key":"a key that is long enough","facts":{"protocol":99,"name":"x"}}`
	wantProblem(t, h.ask("POST", "/wire/v1/register", h.token(auth.Enrolment), newer), http.StatusConflict)
}

// What people upload without an agent is as hostile.
func TestUploadedSBOM(t *testing.T) {
	h := openHouse(t, publish(t))
	const image = `{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"library","name":"gzip","purl":"pkg:deb/debian/gzip@1.12-1?distro=debian-12"}]}`
	const path = "/api/v1/sboms?name=registry.example/web:1&kind=image&label=team=a&label=env=test"
	for _, kind := range []string{auth.CI, auth.API} {
		got := h.ask("POST", path, h.token(kind), image)
		out := into[scan.Accepted](t, got)
		if got.StatusCode != http.StatusAccepted || out.Components != 1 {
			t.Fatalf("answers %d: %s", got.StatusCode, got.body)
		}
		node := into[fleet.Node](t, h.ask("GET", "/api/v1/nodes/"+out.Node, h.token(auth.API), ""))
		if node.Kind != fleet.Image || node.Labels["team"] != "a" || node.Labels["env"] != "test" || node.LastScan == nil || node.LastScan.ID != out.Scan {
			t.Errorf("node = %+v", node)
		}
	}
	token := h.token(auth.API)
	for name, test := range map[string]struct {
		path, body string
		status     int
		says       string
	}{
		"no name":            {"/api/v1/sboms", image, http.StatusUnprocessableEntity, "query.name"},
		"unknown kind":       {"/api/v1/sboms?name=x&kind=cloud", image, http.StatusUnprocessableEntity, "query.kind"},
		"label without =":    {"/api/v1/sboms?name=x&label=y", image, http.StatusUnprocessableEntity, "label"},
		"malformed":          {path, image[:50], http.StatusUnprocessableEntity, "column 50"},
		"wrong member":       {path, `{"bomFormat":"CycloneDX","components":[{"purl":1}]}`, http.StatusUnprocessableEntity, "components.purl"},
		"foreign":            {path, `{"hello":"world"}`, http.StatusUnprocessableEntity, "no SBOM"},
		"nothing":            {path, "", http.StatusBadRequest, "body"},
		"larger than it may": {path, image + strings.Repeat(" ", scan.UploadLimit), http.StatusRequestEntityTooLarge, "large"},
	} {
		got := h.ask("POST", test.path, token, test.body)
		if said := wantProblem(t, got, test.status); !strings.Contains(said, test.says) {
			t.Errorf("%s: %s; want it to say %q", name, said, test.says)
		}
	}
}

func TestLabelsAndRetirementOverHTTP(t *testing.T) {
	h := openHouse(t, publish(t))
	token, node := h.token(auth.API), h.register().Node
	labelled := into[fleet.Node](t, h.ask("PATCH", "/api/v1/nodes/"+node+"/labels", token, `{"set":{"env":"production"}}`))
	if labelled.Labels["env"] != "production" || labelled.LabelOrigins["env"] != fleet.ByHand {
		t.Errorf("node = %+v", labelled)
	}
	wantProblem(t, h.ask("PATCH", "/api/v1/nodes/"+node+"/labels", token, `{"set":{"":"x"}}`), http.StatusUnprocessableEntity)
	wantProblem(t, h.ask("PATCH", "/api/v1/nodes/none/labels", token, `{"set":{"a":"x"}}`), http.StatusNotFound)
	if got := h.ask("DELETE", "/api/v1/nodes/"+node, token, ""); got.StatusCode != http.StatusNoContent {
		t.Errorf("answers %d: %s", got.StatusCode, got.body)
	}
	for query, want := range map[string]int{"": 0, "?state=retired": 1, "?state=all": 1, "?state=active": 0} {
		if page := into[rest.Page[fleet.Node]](t, h.ask("GET", "/api/v1/nodes"+query, token, "")); len(page.Items) != want {
			t.Errorf("%s lists %d nodes; want %d", query, len(page.Items), want)
		}
	}
}
