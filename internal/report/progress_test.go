package report

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"patrol/internal/collect"
)

func TestProgress(t *testing.T) {
	var out bytes.Buffer
	at := time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	p := newProgress(&out, func() time.Time { return at })
	p.Phase("collecting")
	p.Collect(collect.Progress{Files: 1, Directory: "too/soon"})
	at = at.Add(1500 * time.Millisecond)
	p.Collect(collect.Progress{Files: 12, Directory: "usr/\x1b[2J" + strings.Repeat("x", 200)})
	p.Done()
	lines := strings.Split(out.String(), "\r\x1b[K")
	if len(lines) != 4 || lines[1] != " 0.0 s  collecting" || !strings.HasPrefix(lines[2], " 1.5 s  collecting: 12 files, usr/") || lines[3] != "" {
		t.Errorf("%q", lines)
	}
	if strings.Contains(lines[2], "\x1b") || len([]rune(lines[2])) > widest {
		t.Errorf("%q", lines[2])
	}
}

// An image is put together layer by layer, and then walked.
func TestProgressOfLayers(t *testing.T) {
	var out bytes.Buffer
	at := time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	p := newProgress(&out, func() time.Time { return at })
	p.Phase("collecting")
	for _, c := range []collect.Progress{
		{AllLayers: 3}, {Layers: 2, AllLayers: 3}, {Layers: 3, AllLayers: 3}, {Files: 12, Directory: "usr", Layers: 3, AllLayers: 3},
	} {
		at = at.Add(time.Second)
		p.Collect(c)
	}
	want := []string{
		"", " 0.0 s  collecting", " 1.0 s  collecting: layer 1 of 3", " 2.0 s  collecting: layer 3 of 3", " 3.0 s  collecting: layer 3 of 3",
		" 4.0 s  collecting: 12 files in 3 layers, usr",
	}
	if lines := strings.Split(out.String(), "\r\x1b[K"); !slices.Equal(lines, want) {
		t.Errorf("got %q, want %q", lines, want)
	}
}

// TestNoProgress: nothing is written where nobody looks.
func TestNoProgress(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if NewProgress(&bytes.Buffer{}) != nil || NewProgress(file) != nil || Colorful(file) {
		t.Error("a file is taken for a terminal")
	}
	var p *Progress
	p.Phase("collecting")
	p.Collect(collect.Progress{})
	p.Done()
}
