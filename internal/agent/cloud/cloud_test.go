package cloud

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"patrol/internal/wire"
)

// serve answers as a metadata service, and fails the test if it is asked through a
// proxy.
func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Forwarded-For") != "" || r.URL.IsAbs() {
			t.Error("the service was asked through a proxy")
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// ec2 answers as the instance metadata service of EC2 does that wants tokens.
func ec2(tags map[string]string) http.Handler {
	const token = "AQAEAGMz"
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /latest/api/token", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-aws-ec2-metadata-token-ttl-seconds") == "" {
			http.Error(w, "", http.StatusBadRequest)
			return
		}
		_, _ = io.WriteString(w, token)
	})
	shown := func(handler http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-aws-ec2-metadata-token") != token {
				http.Error(w, "", http.StatusUnauthorized)
				return
			}
			handler(w, r)
		}
	}
	mux.HandleFunc("GET /latest/dynamic/instance-identity/document", shown(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"accountId":"123456789012","architecture":"arm64","availabilityZone":"eu-central-1a","imageId":"ami-1",
			"instanceId":"i-0123456789abcdef0","instanceType":"m7g.large","pendingTime":"2026-05-01T12:00:00Z","privateIp":"10.0.0.1","region":"eu-central-1","version":"2017-09-30"}`)
	}))
	if tags != nil {
		mux.HandleFunc("GET /latest/meta-data/tags/instance", shown(func(w http.ResponseWriter, _ *http.Request) {
			for name := range tags {
				fmt.Fprintln(w, name)
			}
		}))
		mux.HandleFunc("GET /latest/meta-data/tags/instance/{name}", shown(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, tags[r.PathValue("name")])
		}))
	}
	return mux
}

// computeEngine answers as Google's service does.
func computeEngine(flavor string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, known := map[string]string{
			"/computeMetadata/v1/instance/id":           "4520031799277581759",
			"/computeMetadata/v1/project/project-id":    "acme-production",
			"/computeMetadata/v1/instance/zone":         "projects/1234567890/zones/europe-west3-a",
			"/computeMetadata/v1/instance/machine-type": "projects/1234567890/machineTypes/e2-standard-4",
			"/computeMetadata/v1/instance/tags":         `["http-server","web"]`,
		}[r.URL.Path]
		switch {
		case !known:
			http.NotFound(w, r)
		case r.Header.Get("Metadata-Flavor") != "Google":
			http.Error(w, "", http.StatusForbidden)
		default:
			w.Header().Set("Metadata-Flavor", flavor)
			_, _ = io.WriteString(w, text)
		}
	})
}

// azureService answers as Azure's service does.
func azureService() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/metadata/instance/compute":
			http.NotFound(w, r)
		case r.Header.Get("Metadata") != "true" || r.URL.Query().Get("api-version") == "":
			http.Error(w, `{"error":"Bad request"}`, http.StatusBadRequest)
		default:
			_, _ = io.WriteString(w, `{"azEnvironment":"AzurePublicCloud","location":"westeurope","name":"web-1","resourceGroupName":"production",
				"subscriptionId":"8d10da13-8125-4ba9-a717-bf7490507b3d","tags":"env:production","tagsList":[{"name":"env","value":"production"}],
				"vmId":"02aab8a4-74ef-476e-8182-f6d2ba4166a6","vmSize":"Standard_D2s_v5","zone":"2"}`)
		}
	})
}

func TestIdentify(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // never used
	ec2Cloud := wire.Cloud{Provider: "aws", Account: "123456789012", Region: "eu-central-1", Zone: "eu-central-1a", Instance: "i-0123456789abcdef0", InstanceType: "m7g.large"}
	for name, test := range map[string]struct {
		service http.Handler
		want    Identity
	}{
		"AWS":              {ec2(map[string]string{"Name": "web 1", "team": "a=b"}), Identity{ec2Cloud, map[string]string{"Name": "web 1", "team": "a=b"}}},
		"AWS without tags": {ec2(nil), Identity{ec2Cloud, nil}},
		"Google": {computeEngine("Google"), Identity{wire.Cloud{
			Provider: "gcp", Account: "acme-production", Region: "europe-west3", Zone: "europe-west3-a", Instance: "4520031799277581759", InstanceType: "e2-standard-4",
		}, map[string]string{"tag/http-server": "true", "tag/web": "true"}}},
		"Azure": {azureService(), Identity{wire.Cloud{
			Provider: "azure", Account: "8d10da13-8125-4ba9-a717-bf7490507b3d", Region: "westeurope", Zone: "2",
			Instance: "02aab8a4-74ef-476e-8182-f6d2ba4166a6", InstanceType: "Standard_D2s_v5",
		}, map[string]string{"env": "production"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := identify(t.Context(), serve(t, test.service))
			if !ok || got.Cloud != test.want.Cloud || !maps.Equal(got.Labels, test.want.Labels) {
				t.Errorf("identify = %+v, %v; want %+v", got, ok, test.want)
			}
		})
	}
}

// A network can put anything at the address.
func TestWhatIsNoMetadataService(t *testing.T) {
	all := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
	}
	for name, service := range map[string]http.Handler{
		"a portal":          all("<html>Sign in</html>"),
		"empty":             all(""),
		"JSON":              all("{}"),
		"not Google":        computeEngine("Hotel"),
		"everything absent": http.NotFoundHandler(),
		"a redirect":        http.RedirectHandler("http://example.com/", http.StatusFound),
		"endless":           all(`{"instanceId":"` + strings.Repeat("i", maxAnswer) + `"}`),
		"a long id":         all(`{"instanceId":"` + strings.Repeat("i", maxValue+1) + `","vmId":"` + strings.Repeat("i", maxValue+1) + `"}`),
		"no id":             all(`{"instanceId":"i\u0000","vmId":"\n"}`),
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := identify(t.Context(), serve(t, service)); ok {
				t.Errorf("identify = %+v", got)
			}
		})
	}
}

func TestTagsAreBounded(t *testing.T) {
	tags := make(map[string]string)
	for i := range 2 * maxLabels {
		tags[fmt.Sprintf("tag%d", i)] = "x"
	}
	tags["long"] = strings.Repeat("x", maxValue+1)
	got, ok := identify(t.Context(), serve(t, ec2(tags)))
	if !ok || len(got.Labels) > maxLabels || len(got.Labels) < maxLabels-1 {
		t.Errorf("%d labels, %v; want at most %d", len(got.Labels), ok, maxLabels)
	}
}

// On a machine that is in no cloud, the address may swallow what it is sent.
func TestNobodyAnswers(t *testing.T) {
	release := make(chan struct{})
	address := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer close(release)
	started := time.Now()
	if got, ok := identify(t.Context(), address); ok {
		t.Errorf("identify = %+v", got)
	}
	if took := time.Since(started); took > 5*patience {
		t.Errorf("it took %v; want %v", took, patience)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, ok := identify(ended, address); ok {
		t.Error("it went on after its context had ended")
	}
}
