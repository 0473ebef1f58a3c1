package feed_test

import (
	"archive/zip"
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"patrol/internal/feed"
)

const record = `{
	"id": "GO-2024-0001", "modified": "2024-03-01T00:00:00Z", "aliases": ["CVE-2024-1001"],
	"summary": "The decoder loops on an empty list",
	"affected": [{
		"package": {"ecosystem": "Go", "name": "example.org/decoder"},
		"ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.4.0"}]}]
	}]
}`

// A feed in a directory is compiled, installed and asked about a package.
func Example() {
	dir, err := os.MkdirTemp("", "feed")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	publish(filepath.Join(dir, "osv", "Go"), record)

	store, err := feed.Open(filepath.Join(dir, "data"))
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	ctx := context.Background()
	outcome, err := store.Update(ctx, feed.Options{URL: filepath.Join(dir, "osv")})
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range outcome.Sources {
		fmt.Println(s.Name, s.Records, "record as of", s.AsOf.Format("2006-01-02"))
	}

	known, err := store.Current(ctx)
	if err != nil {
		log.Fatal(err)
	}
	affected, err := known.Affected("Go", "example.org/decoder")
	if err != nil {
		log.Fatal(err)
	}
	for _, a := range affected {
		names, err := known.Names(a.Record)
		if err != nil {
			log.Fatal(err)
		}
		for _, e := range a.Ranges[0].Events {
			fmt.Printf("%s %v %c %s\n", a.Record, names, e.Kind, e.Version)
		}
	}
	fmt.Println("Debian 12 is covered:", known.Covers("Debian:12"))
	// Output:
	// osv/Go 1 record as of 2024-03-01
	// GO-2024-0001 [CVE-2024-1001] i 0
	// GO-2024-0001 [CVE-2024-1001] f 1.4.0
	// Debian 12 is covered: false
}

func publish(dir, record string) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		log.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "all.zip"))
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	archive := zip.NewWriter(f)
	defer archive.Close()
	entry, err := archive.Create("record.json")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := entry.Write([]byte(record)); err != nil {
		log.Fatal(err)
	}
}
