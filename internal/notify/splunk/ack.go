package splunk

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"patrol/internal/notify"
	"patrol/internal/notify/document"
)

// Waits between questions: short at first, for an idle indexer is quick.
const (
	firstWait = 50 * time.Millisecond
	lastWait  = 5 * time.Second
	// patience is how long an indexer may take; Splunk calls for five minutes, but a
	// delivery that waits keeps others from being sent, and can be repeated.
	patience = 2 * time.Minute
)

// await asks until the indexer has all events of the channel, or until the context or
// patience ends. An acknowledgement is told once and forgotten, so only those that are
// missing are asked for again.
func (c *channel) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for wait := firstWait; len(c.pending) > 0; wait = min(2*wait, lastWait) {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("the collector took the events, but the indexer has not acknowledged them: %w", ctx.Err())
		case <-timer.C:
		}
		if err := c.ask(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *channel) ask(ctx context.Context) error {
	question, err := document.Line(map[string][]int64{"acks": c.pending})
	if err != nil {
		return err
	}
	answer, err := notify.Post(ctx, c.client, c.collector.JoinPath("services/collector/ack").String(), "application/json", question, c.header)
	if err != nil {
		return refusal(answer, err)
	}
	var said struct {
		Acks map[string]bool `json:"acks"`
	}
	if err := json.Unmarshal(answer, &said); err != nil || said.Acks == nil {
		return &notify.Failure{Said: "200 OK, but no acknowledgements"}
	}
	var missing []int64
	for _, id := range c.pending {
		if !said.Acks[strconv.FormatInt(id, 10)] {
			missing = append(missing, id)
		}
	}
	c.pending = missing
	return nil
}
