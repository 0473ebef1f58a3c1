// Command serve runs a command with a PostgreSQL server for its tests, which is
// made for it and thrown away after it: `go run ./internal/platform/db/dbtest/serve
// go test ./...` starts one for all packages instead of one for each.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"patrol/internal/platform/db/dbtest"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: serve COMMAND [ARGUMENT...]")
		os.Exit(1)
	}
	err := dbtest.Serve(context.Background(), os.Args[1], os.Args[2:]...)
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended):
		os.Exit(max(ended.ExitCode(), 1))
	case err != nil:
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}
