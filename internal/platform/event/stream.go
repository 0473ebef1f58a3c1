package event

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"patrol/internal/platform/access"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
)

// StreamPath is where the stream is; a connection there lasts.
const StreamPath = "/api/v1/events"

// batch is how many events a stream reads at once. Nothing else is buffered for a
// reader: one that is slow holds up its own reading, and nobody's writing.
const batch = 200

type follow struct {
	After       string   `query:"after" doc:"The number of the last event seen; without it the stream begins with what happens next. 0 is the beginning."`
	LastEventID string   `header:"Last-Event-ID" doc:"The same, as browsers send it when they reconnect; it goes before after."`
	Type        []string `query:"type" doc:"Types such as scan.completed, or patterns such as node.*, separated by commas."`
}

// Routes adds the stream and the list.
func (l *Log) Routes(api huma.API) {
	rest.Handle(api, access.Viewer, rest.Scoped(huma.Operation{
		OperationID: "follow-events", Method: http.MethodGet, Path: StreamPath, Summary: "Follow events as they happen (server-sent events)", Tags: []string{"events"},
		Responses: map[string]*huma.Response{"200": {
			Description: "Server-sent events. Each has a CloudEvent as its data and the sequence number as its id. An id without data says how far the log was read.",
			Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
		}},
	}), func(ctx context.Context, in *follow) (*huma.StreamResponse, error) {
		of, err := parseTypes(in.Type)
		if err != nil {
			return nil, err
		}
		seen, err := l.begin(ctx, in)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			r, w := humago.Unwrap(ctx)
			l.stream(r.Context(), w, seen, of)
		}}, nil
	})
	rest.Handle(api, access.Viewer, rest.Scoped(huma.Operation{
		OperationID: "list-events", Method: http.MethodGet, Path: StreamPath + "/log", Summary: "List events", Tags: []string{"events"},
	}), func(ctx context.Context, in *struct {
		Query
		rest.Paging
	},
	) (*rest.Body[rest.Page[CloudEvent]], error) {
		return rest.JSON(l.List(ctx, in.Query, in.Paging))
	})
}

// begin returns the number of the last event that the reader has seen.
func (l *Log) begin(ctx context.Context, in *follow) (int64, error) {
	b, err := l.bounds(ctx)
	if err != nil {
		return 0, err
	}
	field, text := "Last-Event-ID", in.LastEventID
	if text == "" {
		field, text = "after", in.After
	}
	if text == "" {
		return b.newest, nil
	}
	seen, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seen < 0 {
		return 0, problem.Invalid(field, "is the number of an event")
	}
	if field == "after" && seen == 0 {
		return b.swept, nil // who has seen nothing misses nothing
	}
	return seen, b.holds(seen)
}

// stream sends what follows a number until the request ends, the reader takes
// nothing for too long or may not read it any more, or the log cannot be read. The reader comes back with the
// last id that it saw, so ending is always safe.
func (l *Log) stream(ctx context.Context, w http.ResponseWriter, seen int64, of types) {
	l.streams.Add(1)
	defer l.streams.Add(-1)
	ctx, leave := l.whileUnchanged(ctx)
	defer leave()
	woken, stop := l.signals.Wait(Topic)
	defer stop()
	poll, heartbeat := time.NewTicker(l.pace.poll), time.NewTicker(l.pace.heartbeat)
	defer poll.Stop()
	defer heartbeat.Stop()

	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold events back
	out := sender{w, http.NewResponseController(w), l.pace.patience}
	text := position(nil, seen)
	for {
		began := time.Now()
		if err := out.send(text); err != nil {
			if time.Since(began) >= l.pace.patience {
				l.dropped.Add(1)
				slog.WarnContext(ctx, "reader of the event stream dropped: it took nothing for too long; it may resume", "seen", seen)
			}
			return
		}
		events, upTo, err := l.next(ctx, seen, of, batch)
		if err != nil {
			if ctx.Err() == nil {
				slog.ErrorContext(ctx, "event stream ends", "error", err)
			}
			return
		}
		seen, text = upTo, nil
		for _, e := range events {
			if text, err = encode(text, e); err != nil {
				slog.ErrorContext(ctx, "event stream ends", "error", err)
				return
			}
		}
		if len(events) > 0 {
			continue // there may be more
		}
		select {
		case <-ctx.Done():
			return
		case <-woken:
		case <-poll.C:
		case <-heartbeat.C:
			// The position as well: who follows a rare type resumes from here.
			text = position(nil, seen)
		}
	}
}

// position is a comment, and an id without data: browsers remember that and tell
// nobody (HTML, section 9.2.6).
func position(text []byte, seen int64) []byte {
	return fmt.Appendf(text, ": heartbeat\nid: %d\n\n", seen)
}

func encode(text []byte, e Event) ([]byte, error) {
	data, err := json.Marshal(e.cloudEvent())
	if err != nil {
		return nil, fmt.Errorf("encode event %d: %w", e.ID, err)
	}
	return fmt.Appendf(text, "id: %d\ndata: %s\n\n", e.ID, bytes.TrimSpace(data)), nil
}

// sender writes with a deadline of its own: the stream outlives those of the
// server, and a reader that takes nothing does not outlive this one.
type sender struct {
	w        http.ResponseWriter
	out      *http.ResponseController
	patience time.Duration
}

func (s sender) send(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	if err := s.out.SetWriteDeadline(time.Now().Add(s.patience)); err != nil {
		return err
	}
	if _, err := s.w.Write(text); err != nil {
		return err
	}
	if err := s.out.Flush(); err != nil {
		return err
	}
	// A deadline that passes while nothing is sent would end the stream on HTTP/2.
	return s.out.SetWriteDeadline(time.Time{})
}
