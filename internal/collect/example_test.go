package collect_test

import (
	"context"
	"fmt"
	"log"

	"patrol/internal/collect"
)

func ExampleDir() {
	result, err := collect.Dir(context.Background(), collect.Options{Root: "testdata/debian12"})
	if err != nil {
		log.Fatal(err)
	}
	d := result.Document
	fmt.Println(d.Distribution.Name, "has", len(d.Components), "components")
	for _, c := range d.Components[:3] {
		fmt.Println(c.Ecosystem, c.Name, c.Version)
	}
	// Output:
	// Debian GNU/Linux 12 (bookworm) has 345 components
	// Debian:12 apt 2.6.1
	// Debian:12 bash 5.2.15-2+b13
	// Debian:12 bsdutils 1:2.38.1-5+deb12u3
}
