package image_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patrol/internal/collect/image"
)

// dockerArchive is what docker-save writes of the layers, since version 25 or, if
// legacy, before.
func dockerArchive(t *testing.T, legacy bool, layers ...[]byte) []byte {
	t.Helper()
	config := configOf(t, "amd64", layers...)
	var parts []part
	var names []string
	written := map[string]string{}
	for i, l := range layers {
		name := "blobs/sha256/" + hex(l)
		if legacy {
			name = strings.Repeat(string(rune('a'+i)), 64) + "/layer.tar"
		}
		names = append(names, name)
		switch first, ok := written[hex(l)]; {
		case !ok:
			parts = append(parts, part{name: name, content: string(l)})
			written[hex(l)] = name
		case legacy: // the same layer again
			parts = append(parts, part{name: name, target: "../" + first})
		}
	}
	name := hex([]byte(config)) + ".json"
	parts = append(parts, part{name: name, content: config}, part{name: "manifest.json", content: toJSON(t, []object{
		{"Config": name, "RepoTags": []string{"shop:1"}, "Layers": names},
	})})
	return tarOf(t, parts...)
}

func TestDockerArchive(t *testing.T) {
	a, b := layerOf(t, "a"), layerOf(t, "b")
	want := []string{"a: RUN step 2", "b: RUN step 1"} // the third layer has a once more
	for _, legacy := range []bool{false, true} {
		data := dockerArchive(t, legacy, a, b, a)
		for _, stored := range [][]byte{data, gzipped(t, data)} {
			img, got := found(t, "docker-archive:"+save(t, stored), image.Options{})
			if !slices.Equal(got, want) {
				t.Errorf("legacy %v: got %q, want %q", legacy, got, want)
			}
			if img.Name != "shop:1" || img.Platform.String() != "linux/amd64" || img.Verify || !strings.HasPrefix(img.Digest, "sha256:") {
				t.Errorf("%+v", img)
			}
		}
	}
}

// layout is an OCI image layout with an image for each architecture.
func layout(t *testing.T, architectures ...string) []part {
	t.Helper()
	parts := []part{{name: "oci-layout", content: `{"imageLayoutVersion":"1.0.0"}`}}
	blob := func(data []byte, mediaType string) object {
		parts = append(parts, part{name: "blobs/sha256/" + hex(data), content: string(data)})
		return object{"mediaType": mediaType, "digest": "sha256:" + hex(data), "size": len(data)}
	}
	manifests := []object{}
	for _, architecture := range architectures {
		layer := layerOf(t, architecture)
		manifest := blob([]byte(toJSON(t, object{
			"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
			"config": blob([]byte(configOf(t, architecture, layer)), "application/vnd.oci.image.config.v1+json"),
			"layers": []object{blob(gzipped(t, layer), "application/vnd.oci.image.layer.v1.tar+gzip")},
		})), "application/vnd.oci.image.manifest.v1+json")
		manifest["platform"] = object{"os": "linux", "architecture": architecture}
		manifests = append(manifests, manifest)
	}
	attestation := blob([]byte(`{"schemaVersion":2}`), "application/vnd.oci.image.manifest.v1+json")
	attestation["platform"] = object{"os": "unknown", "architecture": "unknown"}
	index := blob([]byte(toJSON(t, object{"schemaVersion": 2, "manifests": append(manifests, attestation)})), "application/vnd.oci.image.index.v1+json")
	index["annotations"] = object{"org.opencontainers.image.ref.name": "latest"}
	return append(parts, part{name: "index.json", content: toJSON(t, object{"schemaVersion": 2, "manifests": []object{index}})})
}

func unpack(t *testing.T, parts []part) string {
	t.Helper()
	dir := t.TempDir()
	for _, p := range parts {
		file := filepath.Join(dir, p.name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(p.content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLayout(t *testing.T) {
	parts := layout(t, "arm64", "riscv64")
	for _, target := range []string{"oci-archive:" + save(t, tarOf(t, parts...)), "oci-dir:" + unpack(t, parts)} {
		img, got := found(t, target, image.Options{Platform: "linux/riscv64"})
		if !slices.Equal(got, []string{"riscv64: RUN step 0"}) || img.Name != "latest" || img.Platform.Architecture != "riscv64" {
			t.Errorf("%s: %q, %+v", target, got, img)
		}
		_, err := image.Open(t.Context(), target, image.Options{Platform: "linux/s390x"})
		if err == nil || !strings.Contains(err.Error(), "linux/arm64, linux/riscv64") {
			t.Errorf("%s: %v does not say what there is", target, err)
		}
	}
	// The only one is taken whatever this machine is.
	if _, got := found(t, "oci-dir:"+unpack(t, layout(t, "s390x")), image.Options{}); !slices.Equal(got, []string{"s390x: RUN step 0"}) {
		t.Errorf("the only image: %q", got)
	}
	if _, err := image.Open(t.Context(), "oci-dir:"+unpack(t, layout(t, "s390x")), image.Options{Platform: "linux/amd64"}); err == nil {
		t.Error("an image for another platform than asked for was opened")
	}
}

func TestTar(t *testing.T) {
	data := layerOf(t, "a")
	for _, stored := range [][]byte{data, gzipped(t, data)} {
		if _, got := found(t, "tar:"+save(t, stored), image.Options{}); !slices.Equal(got, []string{"a"}) {
			t.Errorf("got %q", got)
		}
	}
}

// What is wrong is said, and what to do.
func TestRefused(t *testing.T) {
	a := layerOf(t, "a")
	whole := dockerArchive(t, false, a)
	manifest := func(v any) string {
		text, ok := v.(string)
		if !ok {
			text = toJSON(t, v)
		}
		return "docker-archive:" + save(t, tarOf(t,
			part{name: "c", content: configOf(t, "amd64", a)}, part{name: "l", content: string(a)}, part{name: "manifest.json", content: text},
			part{name: "huge", content: strings.Repeat(" ", 9<<20)}, part{name: "out", target: "/etc/passwd"}, part{name: "deep", content: strings.Repeat("[", 100_000)}, part{name: "bad", content: `{"rootfs":{"diff_ids":["sha256:../../x"]}}`},
		))
	}
	outside := layout(t, "amd64")
	for i := range outside {
		outside[i].content = strings.ReplaceAll(outside[i].content, `"digest":"sha256:`, `"digest":"../../etc:`)
	}
	forged := layout(t, "amd64")
	for i := range forged { // the config says another thing than its digest
		forged[i].content = strings.Replace(forged[i].content, `"architecture":"amd64","history"`, `"architecture":"arm64","history"`, 1)
	}
	linked := unpack(t, layout(t, "amd64"))
	for _, name := range []string{"index.json"} {
		if err := os.Remove(filepath.Join(linked, name)); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("/etc/passwd", filepath.Join(linked, name)); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct{ target, want string }{
		{"", "not an image"},
		{"floppy:a", "docker-archive:FILE"},
		{"docker-archive:", "not an image"},
		{"docker-archive:" + t.TempDir(), "not a regular file"},
		{"docker-archive:" + filepath.Join(t.TempDir(), "absent"), "no such file"},
		{"docker-archive:" + save(t, whole[:len(whole)-2048]), "no manifest.json"},
		{"docker-archive:" + save(t, whole[:700]), "at offset 512"},
		{"docker-archive:" + save(t, []byte("BZh91AY&SY")), "neither with gzip nor with zstd"},
		{"docker-archive:" + save(t, a), "tar:FILE"},
		{manifest("[]"), "it holds 0 images"},
		{manifest([]object{{"RepoTags": []string{"a:1"}}, {"RepoTags": []string{"b:2"}}}), `["a:1" "b:2"]: save one alone`},
		{manifest("{"), "manifest.json: "},
		{manifest(strings.Repeat(" ", 9<<20)), "manifest.json has 9437184 bytes"},
		{manifest("[" + strings.Repeat("{},", 60_000) + "{}]"), "manifest.json: it has 60000 parts"},
		{manifest(strings.Repeat("[", 100_000)), "exceeded max depth"},
		{manifest([]object{{"Config": "deep", "Layers": []string{"l"}}}), "exceeded max depth"},
		{manifest([]object{{"Config": "huge", "Layers": []string{"l"}}}), "its configuration has 9437184 bytes"},
		{manifest([]object{{"Config": "c", "Layers": []string{"l", "l"}}}), "2 layers, but its configuration has digests of 1"},
		{manifest([]object{{"Config": "c", "Layers": []string{"absent"}}}), "layer sha256:" + hex(a)},
		{manifest([]object{{"Config": "c", "Layers": []string{"../../../../etc/passwd"}}}), "not exist"},
		{manifest([]object{{"Config": "out", "Layers": []string{"l"}}}), "not exist"},
		{manifest([]object{{"Config": "bad", "Layers": []string{"l"}}}), "for a digest"},
		{"oci-dir:" + t.TempDir(), "no index.json"},
		{"oci-dir:" + unpack(t, outside), "opening oci-dir"},
		{"oci-dir:" + unpack(t, []part{{name: "index.json", content: `{"manifests":[` + strings.Repeat("{},", 60_000) + "{}]}"}}), "60000 parts"},
		{"oci-dir:" + unpack(t, []part{{name: "index.json", content: strings.Repeat("[", 100_000)}}), "exceeded max depth"},
		{"oci-dir:" + unpack(t, forged), "the digest does not match"},
		{"oci-dir:" + linked, "escapes"},
		{"registry:UPPER CASE", "could not parse reference"},
	}
	for _, tt := range tests {
		img, err := image.Open(t.Context(), tt.target, image.Options{})
		if err == nil {
			img.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v does not say %q", tt.target, err, tt.want)
		}
	}
	if _, err := image.Open(t.Context(), "docker-archive:"+save(t, gzipped(t, whole)), image.Options{MaxArchive: 1000}); err == nil || !strings.Contains(err.Error(), "more than 1000 bytes") {
		t.Errorf("a compressed archive past the limit: %v", err)
	}
	if _, err := image.Open(t.Context(), "docker-archive:"+save(t, whole), image.Options{Platform: "amd64"}); err == nil || !strings.Contains(err.Error(), "linux/arm64") {
		t.Errorf("half a platform: %v", err)
	}
}

func TestGuess(t *testing.T) {
	a := layerOf(t, "a")
	write := func(data string) string { return save(t, []byte(data)) }
	oci := layout(t, "amd64")
	tests := []struct{ arg, want string }{
		{save(t, dockerArchive(t, false, a)), "docker-archive"},
		{save(t, dockerArchive(t, true, a)), "docker-archive"},
		{save(t, gzipped(t, dockerArchive(t, true, a))), "docker-archive"},
		{save(t, tarOf(t, oci...)), "oci-archive"},
		{save(t, tarOf(t, append(oci, part{name: "manifest.json", content: "[]"})...)), "docker-archive"},
		{unpack(t, oci), "oci-dir"},
		{t.TempDir(), "dir"},
		{save(t, a), "tar"},
		{save(t, gzipped(t, a)), "tar"},
		{write(` {"bomFormat":"CycloneDX"}`), "sbom"},
		{write("\uFEFF<?xml?><bom/>"), "sbom"},
		{"alpine:3.20", "registry"},
		{"ghcr.io/a/b@sha256:" + strings.Repeat("a", 64), "registry"},
	}
	for _, tt := range tests {
		if got, err := image.Guess(tt.arg); err != nil || got != tt.want+":"+tt.arg {
			t.Errorf("%s: got %s, %v, want %s", tt.arg, got, err, tt.want)
		}
	}
	for _, arg := range []string{"./absent", "/absent", "absent.tar", "Not A Reference", write("neither of all, but long enough " + strings.Repeat("x", 600))} {
		if got, err := image.Guess(arg); err == nil {
			t.Errorf("%s: guessed %s", arg, got)
		}
	}
}
