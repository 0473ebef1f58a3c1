package image_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/registry"

	"patrol/internal/collect"
	"patrol/internal/collect/image"
)

// host is a registry on this machine, or any other server, that remembers what
// it was asked.
type host struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string // method, path and credentials
	before   func(w http.ResponseWriter, r *http.Request) (done bool)
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		h.requests = append(h.requests, fmt.Sprint(r.Method, " ", r.URL, " ", r.Header.Get("Authorization"), " ", string(body[:min(len(body), 1000)])))
		before := h.before
		h.mu.Unlock()
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		if before == nil || !before(w, r) {
			inner.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *host) address() string { return strings.TrimPrefix(h.URL, "http://") }

// from now on: what was asked before is forgotten.
func (h *host) from(before func(http.ResponseWriter, *http.Request) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.before, h.requests = before, nil
}

func (h *host) asked() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.requests, "\n")
}

func (h *host) put(t *testing.T, path, mediaType, content string) {
	t.Helper()
	method := http.MethodPut
	if strings.Contains(path, "/uploads/") {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(t.Context(), method, h.URL+path, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", mediaType)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("%s: %s", path, resp.Status)
	}
}

// push puts the images of a layout into the registry as shop:1.
func (h *host) push(t *testing.T, parts []part) {
	t.Helper()
	for _, p := range parts {
		if digest, ok := strings.CutPrefix(p.name, "blobs/sha256/"); ok {
			h.put(t, "/v2/shop/blobs/uploads/?digest=sha256:"+digest, "application/octet-stream", p.content)
			switch {
			case strings.Contains(p.content, `"manifests"`):
				h.put(t, "/v2/shop/manifests/1", "application/vnd.oci.image.index.v1+json", p.content)
			case strings.Contains(p.content, `"schemaVersion"`):
				h.put(t, "/v2/shop/manifests/sha256:"+digest, "application/vnd.oci.image.manifest.v1+json", p.content)
			}
		}
	}
}

// keys are credentials by host.
type keys map[string]authn.AuthConfig

func (k keys) Resolve(r authn.Resource) (authn.Authenticator, error) {
	if c, ok := k[r.RegistryStr()]; ok {
		return authn.FromConfig(c), nil
	}
	return authn.Anonymous, nil
}

func open(t *testing.T, target string, opts image.Options) error {
	t.Helper()
	img, err := image.Open(t.Context(), target, opts)
	if err != nil {
		return err
	}
	defer img.Close()
	_, err = collect.Image(t.Context(), img.Layers, collect.Options{Verify: img.Verify})
	return err
}

func TestRegistry(t *testing.T) {
	h := newHost(t)
	h.push(t, layout(t, "arm64", "riscv64"))
	for _, target := range []string{"registry:" + h.address() + "/shop:1"} {
		img, got := found(t, target, image.Options{Platform: "linux/riscv64", Keychain: keys{}})
		if !slices.Equal(got, []string{"riscv64: RUN step 0"}) || !img.Verify || img.Platform.Architecture != "riscv64" {
			t.Errorf("%q, %+v", got, img)
		}
	}
	if err := open(t, "registry:"+h.address()+"/absent:1", image.Options{Keychain: keys{}}); err == nil || !strings.Contains(err.Error(), "Unknown name") {
		t.Errorf("absent: %v", err)
	}
}

// A registry that answers with other bytes than those asked for.
func TestRegistryForges(t *testing.T) {
	h := newHost(t)
	parts := layout(t, "amd64")
	h.push(t, parts)
	target := "registry:" + h.address() + "/shop:1"
	layer := gzipped(t, layerOf(t, "amd64"))
	config := configOf(t, "amd64", layerOf(t, "amd64"))
	tests := []struct {
		name, digest string
		forged       []byte
	}{
		{"the layer", hex(layer), gzipped(t, layerOf(t, "other"))},
		{"the layer's end", hex(layer), layer[:len(layer)-4]},
		{"the configuration", hex([]byte(config)), []byte(strings.Replace(config, "step", "fake", 1))},
	}
	for _, tt := range tests {
		h.from(func(w http.ResponseWriter, r *http.Request) bool {
			forge := r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/blobs/sha256:"+tt.digest)
			if forge {
				_, _ = w.Write(tt.forged) // the client has gone if it fails
			}
			return forge
		})
		if err := open(t, target, image.Options{Keychain: keys{}}); err == nil {
			t.Errorf("%s was taken", tt.name)
		}
	}
	h.from(func(w http.ResponseWriter, r *http.Request) bool {
		many := strings.Contains(r.URL.Path, "/manifests/")
		if many {
			w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
			_, _ = io.WriteString(w, `{"schemaVersion":2,"manifests":[`+strings.Repeat("{},", 60_000)+"{}]}")
		}
		return many
	})
	if err := open(t, target, image.Options{Keychain: keys{}}); err == nil || !strings.Contains(err.Error(), "60001 parts") {
		t.Errorf("an index of 60,000 manifests: %v", err)
	}
	h.from(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/manifests/") {
			return false
		}
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		for range 20 << 10 {
			if _, err := w.Write(make([]byte, 1<<10)); err != nil {
				break
			}
		}
		return true
	})
	if err := open(t, target, image.Options{Keychain: keys{}}); err == nil || !strings.Contains(err.Error(), "a manifest or token of more than") {
		t.Errorf("a manifest of 20 MiB: %v", err)
	}
}

const password = "correct-horse"

var secret = base64.StdEncoding.EncodeToString([]byte("ann:" + password))

// leaks tells whether a host got any credentials, in whatever form.
func leaks(h *host, token string) bool {
	asked := h.asked()
	return strings.Contains(asked, password) || strings.Contains(asked, secret) || strings.Contains(asked, token) || strings.Contains(asked, "identity-token")
}

// Credentials and tokens stay with the host that they are for, wherever it sends
// its clients.
func TestCredentialsStay(t *testing.T) {
	const token = "token-of-one"
	parts := layout(t, "amd64")
	one, other := newHost(t), newHost(t)
	one.push(t, parts)
	other.push(t, parts)
	target := "registry:" + one.address() + "/shop:1"
	basic, identity := authn.AuthConfig{Username: "ann", Password: password}, authn.AuthConfig{IdentityToken: "identity-token"}
	// challenge asks for a token of the realm, and for nothing more once it is there.
	challenge := func(realm string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			switch {
			case r.URL.Path == "/token":
				fmt.Fprintf(w, `{"token":%q}`, token)
			case r.Header.Get("Authorization") != "Bearer "+token:
				w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s/token",service="s"`, realm))
				w.WriteHeader(http.StatusUnauthorized)
			case strings.Contains(r.URL.Path, "/blobs/") && r.Method == http.MethodGet:
				http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
			default:
				return false
			}
			return true
		}
	}
	for name, credentials := range map[string]authn.AuthConfig{"basic": basic, "identity": identity} {
		t.Run(name+", own realm", func(t *testing.T) {
			one.from(challenge(one.URL))
			other.from(nil)
			if err := open(t, target, image.Options{Keychain: keys{one.address(): credentials}}); err != nil {
				t.Error(err)
			}
			if !strings.Contains(one.asked(), "/token") || !strings.Contains(other.asked(), "/blobs/") {
				t.Error("neither token nor redirect was asked for")
			}
			if leaks(other, token) {
				t.Errorf("the other host was asked\n%s", other.asked())
			}
		})
		t.Run(name+", realm elsewhere", func(t *testing.T) {
			// By name: a number is refused by the library already.
			realm := strings.Replace(other.URL, "127.0.0.1", "localhost", 1)
			one.from(challenge(realm))
			other.from(challenge(realm))
			if err := open(t, target, image.Options{Keychain: keys{one.address(): credentials}}); !errors.Is(err, image.ErrCredentials) {
				t.Errorf("got %v, want %v", err, image.ErrCredentials)
			}
			if leaks(other, token) {
				t.Errorf("the other host was asked\n%s", other.asked())
			}
		})
	}
	t.Run("redirected to who asks as well", func(t *testing.T) {
		realm := strings.Replace(other.URL, "127.0.0.1", "localhost", 1)
		one.from(challenge(one.URL))
		other.from(challenge(realm))
		if err := open(t, target, image.Options{Keychain: keys{one.address(): basic}}); err == nil {
			t.Error("the image was opened")
		}
		// The other host's own token has the same name here.
		if asked := other.asked(); strings.Contains(asked, password) || strings.Contains(asked, secret) {
			t.Errorf("the other host was asked\n%s", asked)
		}
	})
	t.Run("basic, redirected", func(t *testing.T) {
		one.from(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Authorization") != "Basic "+secret {
				w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
				w.WriteHeader(http.StatusUnauthorized)
				return true
			}
			if strings.Contains(r.URL.Path, "/shop/") {
				http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
				return true
			}
			return false
		})
		other.from(nil)
		if err := open(t, target, image.Options{Keychain: keys{one.address(): basic}}); err != nil {
			t.Error(err)
		}
		if other.asked() == "" || leaks(other, token) {
			t.Errorf("the other host was asked\n%s", other.asked())
		}
	})
	t.Run("another host's", func(t *testing.T) {
		one.from(nil)
		if err := open(t, target, image.Options{Keychain: keys{other.address(): basic}}); err != nil {
			t.Error(err)
		}
		if leaks(one, token) {
			t.Errorf("asked\n%s", one.asked())
		}
	})
}

// Docker's configuration, and a credential helper, are asked for the one host.
func TestDockerConfig(t *testing.T) {
	h := newHost(t)
	h.push(t, layout(t, "amd64"))
	dir := t.TempDir()
	helper := "#!/bin/sh\nread host\necho \"$host\" >>" + dir + "/asked\nprintf '{\"ServerURL\":\"%s\",\"Username\":\"ann\",\"Secret\":\"" + password + "\"}' \"$host\"\n"
	if err := os.WriteFile(filepath.Join(dir, "docker-credential-test"), []byte(helper), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("DOCKER_CONFIG", dir)
	for name, config := range map[string]string{
		"auths":  toJSON(t, object{"auths": object{h.address(): object{"auth": secret}, "other.example": object{"auth": "b3RoZXI6b3RoZXI="}}}),
		"helper": toJSON(t, object{"credHelpers": object{h.address(): "test"}}),
	} {
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		h.from(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Authorization") == "Basic "+secret {
				return false
			}
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		})
		if err := open(t, "registry:"+h.address()+"/shop:1", image.Options{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	asked, err := os.ReadFile(filepath.Join(dir, "asked"))
	if err != nil || strings.Trim(string(asked), "\n") != h.address() && !strings.HasPrefix(string(asked), h.address()+"\n"+h.address()) {
		t.Errorf("the helper was asked for %q, %v", asked, err)
	}
}

// The addresses that a manifest gives for a layer are not followed, even if the
// registry lacks it.
func TestForeignLayer(t *testing.T) {
	h, other := newHost(t), newHost(t)
	layer := gzipped(t, layerOf(t, "a"))
	config := configOf(t, "amd64", layerOf(t, "a"))
	h.put(t, "/v2/shop/blobs/uploads/?digest=sha256:"+hex([]byte(config)), "application/octet-stream", config)
	h.put(t, "/v2/shop/manifests/1", "application/vnd.oci.image.manifest.v1+json", toJSON(t, object{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": object{"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:" + hex([]byte(config)), "size": len(config)},
		"layers": []object{{
			"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "digest": "sha256:" + hex(layer), "size": len(layer),
			"urls": []string{other.URL + "/layer"},
		}},
	}))
	if err := open(t, "registry:"+h.address()+"/shop:1", image.Options{Keychain: keys{}}); err == nil {
		t.Error("the image was opened")
	}
	if other.asked() != "" {
		t.Errorf("asked\n%s", other.asked())
	}
}

func TestEndlessRedirects(t *testing.T) {
	h := newHost(t)
	h.from(func(w http.ResponseWriter, r *http.Request) bool {
		again := strings.Contains(r.URL.Path, "/manifests/")
		if again {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}
		return again
	})
	if err := open(t, "registry:"+h.address()+"/shop:1", image.Options{Keychain: keys{}}); !errors.Is(err, image.ErrRedirects) {
		t.Errorf("got %v, want %v", err, image.ErrRedirects)
	}
}

func TestRegistryCancelled(t *testing.T) {
	h := newHost(t)
	ctx, cancel := context.WithCancel(t.Context())
	h.from(func(_ http.ResponseWriter, r *http.Request) bool {
		cancel()
		<-r.Context().Done()
		return true
	})
	if _, err := image.Open(ctx, "registry:"+h.address()+"/shop:1", image.Options{Keychain: keys{}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
