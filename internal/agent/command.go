package agent

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"time"

	"patrol/internal/collect"
	"patrol/internal/sbom"
	"patrol/internal/wire"
)

// do carries out one command, and keeps its lease while it works. A command that
// is lost meanwhile is dropped: it was cancelled, or will be given out again.
func (a *Agent) do(ctx context.Context, command wire.Command) {
	outer := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		a.keep(ctx, command, cancel)
	}()
	err := a.scan(ctx, command)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	ending := outer.Err() != nil
	cancel(nil)
	<-kept
	switch {
	case errors.Is(err, wire.ErrLost), ending:
		slog.Info("command dropped", "scan", command.Scan, "reason", err)
	case err != nil:
		slog.Error("command failed", "scan", command.Scan, "error", err)
	}
	if a.options.Machine == nil {
		debug.FreeOSMemory() // a scan needs much for a short while; the machine has other work
	}
}

// keep extends the lease thrice in its time, and cancels the work once the
// command is lost. A console that is away loses nothing: the work goes on.
func (a *Agent) keep(ctx context.Context, command wire.Command, cancel context.CancelCauseFunc) {
	for {
		pause(ctx, time.Duration(command.LeaseSeconds)*time.Second/3)
		if ctx.Err() != nil {
			return
		}
		if err := a.client.Extend(ctx, command); errors.Is(err, wire.ErrLost) || errors.Is(err, wire.ErrUnknown) {
			cancel(err)
		}
	}
}

// scan collects and reports; a collection that fails is reported too.
func (a *Agent) scan(ctx context.Context, command wire.Command) error {
	started := time.Now()
	slog.Info("scan begins", "scan", command.Scan, "of", about(command))
	var finish wire.FinishRequest
	var encoded []byte
	state := a.packages.before(ctx, a, command.Target)
	result, err := a.collect(ctx, command)
	if err == nil {
		encoded, err = result.Document.Encode()
	}
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		finish.Error = err.Error()
	} else {
		finish.DocumentDigest, finish.Warnings = sbom.Digest(encoded), result.Warnings
		slog.Info("collected", "scan", command.Scan, "components", len(result.Document.Components),
			"files", result.Files, "warnings", len(result.Warnings), "took", time.Since(started).Round(time.Millisecond))
	}
	err = again(ctx, "report the scan", func() error {
		out, err := a.client.Finish(ctx, command, finish)
		if err != nil || !out.Send {
			return err
		}
		err = a.client.Send(ctx, finish.DocumentDigest, encoded)
		if errors.Is(err, wire.ErrRefused) {
			finish = wire.FinishRequest{Error: err.Error()} // sending it again would not help
		} else if err != nil {
			return err
		}
		_, err = a.client.Finish(ctx, command, finish)
		return err
	})
	if err == nil && ctx.Err() == nil && finish.Error == "" {
		a.packages.scanned(command.Target, state)
	}
	return err
}

// collect reads the host, or what the command is about.
func (a *Agent) collect(ctx context.Context, command wire.Command) (*collect.Result, error) {
	if command.Target != nil {
		return a.children.collect(ctx, *command.Target)
	}
	if a.options.Machine != nil {
		return a.options.Machine.Collect(ctx)
	}
	return collect.Dir(ctx, collect.Options{Root: a.options.Root, Exclude: a.children.storage(ctx, a.options.Root)})
}

func about(command wire.Command) string {
	if command.Target != nil {
		return command.Target.Kind + " " + command.Target.Key
	}
	return "host"
}
