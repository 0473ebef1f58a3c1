package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patrol/internal/fleet"
	"patrol/internal/scan"
)

func TestUploadAnSBOM(t *testing.T) {
	dir := t.TempDir()
	_, c := console(t, filepath.Join(dir, "console"), "../../internal/feed/sample", "127.0.0.1:0")
	token, err := c.CreateToken(t.Context(), "ci", "test")
	if err != nil {
		t.Fatal(err)
	}
	api, err := c.CreateToken(t.Context(), "api", "test")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "sbom.cdx.json")
	if _, errs, code := run(t, "scan", "dir:"+fixture, "--data-dir", t.TempDir(), "--output", "cyclonedx="+file); code != 0 {
		t.Fatal(errs)
	}
	args := func(more ...string) []string {
		return append(more, "--console", c.Console.String(), "--token", token.Token)
	}
	out, errs, code := run(t, args("sboms", "upload", file, "--name", "registry.example/web:1", "--label", "team=web", "--wait", "--output", "json")...)
	if code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	s := decode[scan.Scan](t, out)
	if s.State != scan.Complete || s.Components != 345 || s.Counts.Unknown != fixturePairs {
		t.Errorf("scan = %+v", s)
	}
	nodes := all[fleet.Node](t, c, "nodes", nil)
	if len(nodes) != 1 || nodes[0].Kind != fleet.Image || nodes[0].Labels["team"] != "web" || !nodes[0].Uploaded {
		t.Fatalf("nodes = %+v", nodes)
	}
	if out, errs, code := run(t, args("sboms", "upload", file, "--name", "registry.example/web:1")...); code != 0 || !strings.Contains(out, "345 components") {
		t.Errorf("exit %d: %q %s", code, out, errs)
	}
	wrong := filepath.Join(dir, "wrong.json")
	if err := os.WriteFile(wrong, []byte("{\n\"bomFormat\": \"CycloneDX\",\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for says, mistake := range map[string][]string{
		"line ":    args("sboms", "upload", wrong, "--name", "x"),
		"name":     args("sboms", "upload", file),
		"kind":     args("sboms", "upload", file, "--name", "x", "--kind", "ship"),
		"operator": args("nodes", "retire", nodes[0].ID), // not with a pipeline's token
		"NAME-":    args("nodes", "label", nodes[0].ID, "x"),
	} {
		if _, errs, code := run(t, mistake...); code != 1 || !strings.Contains(errs, says) {
			t.Errorf("%v: exit %d, %q; want 1 and %q", mistake, code, errs, says)
		}
	}
	for _, change := range [][]string{{"nodes", "label", nodes[0].ID, "team=other", "env=test"}, {"nodes", "label", nodes[0].ID, "env-"}, {"nodes", "retire", nodes[0].ID}} {
		if _, errs, code := run(t, append(change, "--console", c.Console.String(), "--token", api.Token)...); code != 0 {
			t.Errorf("%v: exit %d: %s", change, code, errs)
		}
	}
	retired := all[fleet.Node](t, c, "nodes", map[string][]string{"state": {fleet.Retired}})
	if len(retired) != 1 || retired[0].Labels["team"] != "other" || len(retired[0].Labels) != 1 || retired[0].Counts.Unknown != 0 {
		t.Errorf("retired = %+v", retired)
	}
}
