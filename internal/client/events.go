package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
)

// silence is how long a stream may say nothing: three of the console's heartbeats.
const silence = 45 * time.Second

// Follow reads events as they happen, those that follow the number after first
// ("" for none of them). A connection that breaks is made again where it was left,
// so nothing is skipped or repeated; broken, if not nil, is told of it. It ends
// with the context, or with an error that trying again would not mend.
func Follow(ctx context.Context, c *Client, after string, types []string, broken func(error)) iter.Seq2[event.CloudEvent, error] {
	return func(yield func(event.CloudEvent, error) bool) {
		seen := after
		for attempt := 1; ctx.Err() == nil; attempt++ {
			err := c.follow(ctx, &seen, types, func(e event.CloudEvent) bool {
				attempt = 0
				return yield(e, nil)
			})
			var refused *Refused
			switch {
			case err == nil: // the caller has enough
				return
			case ctx.Err() != nil:
			case errors.As(err, &refused) && refused.Status/100 == 4:
				yield(event.CloudEvent{}, err)
				return
			case broken != nil:
				broken(err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(min(lease.Backoff(attempt+1), 10*time.Second)):
			}
		}
		yield(event.CloudEvent{}, ctx.Err())
	}
}

// follow reads one connection, and keeps in seen how far it came. It returns nil
// if take has enough.
func (c *Client) follow(ctx context.Context, seen *string, types []string, take func(event.CloudEvent) bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := time.AfterFunc(silence, func() { cancel(errors.New("the console went silent")) })
	defer quiet.Stop()
	query := url.Values{}
	if len(types) > 0 {
		query.Set("type", strings.Join(types, ","))
	}
	if *seen != "" {
		query.Set("after", *seen)
	}
	resp, err := c.send(ctx, http.MethodGet, "events?"+query.Encode(), "application/json", nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewReader(resp.Body)
	id := ""
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return errors.Join(context.Cause(ctx), fmt.Errorf("the stream of events ended: %w", err))
		}
		quiet.Reset(silence)
		name, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			id = value
		case "data":
			var e event.CloudEvent
			if err := json.Unmarshal([]byte(value), &e); err != nil {
				return fmt.Errorf("read event %s: %w", id, err)
			}
			*seen = id
			if !take(e) {
				return nil
			}
		case "": // the end of an event, or a comment
			if id != "" {
				*seen = id
			}
		}
	}
}
