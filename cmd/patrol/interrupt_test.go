package main_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestInterrupted ends a scan while it keeps files of a compressed layer, in three
// ways: nothing of it is left, neither there nor where its report was to go.
func TestInterrupted(t *testing.T) {
	layer := gzipped(t, startOf(t, "srv/app.jar", "", 4_000_000_000), 4_000_000_000)
	targets := map[string]string{
		"archive":  "docker-archive:" + dockerArchive(t, []string{"layer"}, map[string][]byte{"layer": layer}),
		"registry": "registry:" + stallingRegistry(t, layer) + "/shop:1",
	}
	data := t.TempDir()
	if _, errs, code := run(t, "feed", "status", "--data-dir", data); code != 0 {
		t.Fatal(errs)
	}
	for name, target := range targets {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
			t.Run(name+", "+signal.String(), func(t *testing.T) { interrupt(t, target, data, signal, holds) })
		}
	}
	// The first scan makes the feed's index before it looks at its target.
	t.Run("feed, interrupt", func(t *testing.T) {
		data := t.TempDir()
		interrupt(t, targets["registry"], data, syscall.SIGINT, func(int, string) bool {
			_, err := os.Stat(filepath.Join(data, "feed", "revisions"))
			return err == nil
		})
	})
}

// interrupt scans until it has begun with what it is to be interrupted at.
func interrupt(t *testing.T, target, data string, signal syscall.Signal, begun func(pid int, temporary string) bool) {
	temporary, reports := t.TempDir(), t.TempDir()
	cmd := exec.Command(binary(t), "scan", target, "--data-dir", data, "--output", "json="+filepath.Join(reports, "report.json"))
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the instant", func() bool { return begun(cmd.Process.Pid, temporary) })
	if err := cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); err == nil || signal != syscall.SIGKILL && (code != 1 || !strings.Contains(errs.String(), "interrupted before the scan was complete")) {
		t.Errorf("%v: %s", err, errs.String())
	}
	for _, dir := range []string{temporary, reports} {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

// holds tells whether a process has a file of the directory open, be it one without
// a name.
func holds(pid int, dir string) bool {
	open, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, fd := range open {
		if file, err := os.Readlink(fd); err == nil && strings.HasPrefix(file, dir+"/") {
			return true
		}
	}
	return false
}

// stallingRegistry has an image whose layer never comes to its end.
func stallingRegistry(t *testing.T, layer []byte) (host string) {
	t.Helper()
	toJSON := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	type object = map[string]any
	digest := func(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }
	config := toJSON(object{"architecture": "amd64", "os": "linux", "rootfs": object{"diff_ids": []string{layerDigest("layer")}}})
	manifest := toJSON(object{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": object{"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest([]byte(config)), "size": len(config)},
		"layers": []object{{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest(layer), "size": len(layer)}},
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "/manifests/"):
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			_, _ = io.WriteString(w, manifest) // the client has gone if it fails
		case strings.HasSuffix(r.URL.Path, digest([]byte(config))):
			_, _ = io.WriteString(w, config)
		case strings.HasSuffix(r.URL.Path, digest(layer)):
			_, _ = w.Write(layer[:len(layer)/2])
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}
