package image_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"patrol/internal/collect"
	"patrol/internal/collect/image"
)

// part is a file of an archive; a link if it has a target.
type part struct{ name, content, target string }

func tarOf(t *testing.T, parts ...part) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, p := range parts {
		h := &tar.Header{Name: p.name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(p.content))}
		if p.target != "" {
			h.Typeflag, h.Linkname = tar.TypeSymlink, p.target
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(p.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func hex(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// layerOf is a layer with one npm package.
func layerOf(t *testing.T, name string) []byte {
	t.Helper()
	return tarOf(t, part{name: "app/node_modules/" + name + "/package.json", content: fmt.Sprintf(`{"name":%q,"version":"1.0.0"}`, name)})
}

func toJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

type object = map[string]any

// configOf is the configuration of an image with these layers.
func configOf(t *testing.T, architecture string, layers ...[]byte) string {
	t.Helper()
	ids, history := []string{}, []object{{"created_by": "/bin/sh -c #(nop)  ENV A=b", "empty_layer": true}}
	for i, l := range layers {
		ids = append(ids, "sha256:"+hex(l))
		history = append(history, object{"created_by": fmt.Sprintf("RUN step %d # buildkit", i)})
	}
	return toJSON(t, object{"architecture": architecture, "os": "linux", "rootfs": object{"diff_ids": ids}, "history": history})
}

func save(t *testing.T, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// found opens the target, and returns its components with their instructions.
func found(t *testing.T, target string, opts image.Options) (*image.Image, []string) {
	t.Helper()
	img, err := image.Open(t.Context(), target, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := img.Close(); err != nil {
			t.Error(err)
		}
	})
	result, err := collect.Image(t.Context(), img.Layers, collect.Options{Verify: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Warnings) > 0 {
		t.Errorf("warnings %v", result.Warnings)
	}
	list := []string{}
	for _, c := range result.Document.Components {
		s := c.Name
		if c.Layer != nil {
			s += ": " + c.Layer.Instruction
		}
		list = append(list, s)
	}
	return img, list
}
