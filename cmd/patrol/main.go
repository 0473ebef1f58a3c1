// Command patrol is the console, the agent and the command line of Patrol.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // schedules have zones on machines without a zone database, too

	"patrol/internal/report"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := root().ExecuteContext(ctx)
	if err == nil || (errors.Is(err, context.Canceled) && ctx.Err() != nil) {
		return
	}
	fmt.Fprintln(os.Stderr, "patrol:", err)
	if report.IsFailure(err) {
		os.Exit(2)
	}
	os.Exit(1)
}
