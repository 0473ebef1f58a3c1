package collect_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/tools/txtar"

	"patrol/internal/collect"
	"patrol/internal/sbom"
)

// unpack makes a directory tree of an archive in testdata.
func unpack(tb testing.TB, archive string) (root string) {
	tb.Helper()
	files, err := txtar.ParseFile(filepath.Join("testdata", archive))
	if err != nil {
		tb.Fatal(err)
	}
	root = tb.TempDir()
	for _, f := range files.Files {
		write(tb, root, f.Name, f.Data)
	}
	return root
}

// write puts a file into the tree.
func write(tb testing.TB, root, name string, content []byte) {
	tb.Helper()
	file := filepath.Join(root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o644); err != nil {
		tb.Fatal(err)
	}
}

// listing is every path in the tree with its size.
func listing(t *testing.T, root string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		found = append(found, fmt.Sprint(file, " ", info.Size(), " ", info.ModTime().UnixNano()))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func dir(t *testing.T, root string) *collect.Result {
	t.Helper()
	result, err := collect.Dir(t.Context(), collect.Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// names are the components as "ecosystem name version".
func names(d *sbom.Document) []string {
	list := []string{}
	for _, c := range d.Components {
		list = append(list, c.Ecosystem+" "+c.Name+" "+c.Version)
	}
	return list
}

func find(t *testing.T, d *sbom.Document, name string) sbom.Component {
	t.Helper()
	for _, c := range d.Components {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("none of %d components is %s", len(d.Components), name)
	return sbom.Component{}
}
