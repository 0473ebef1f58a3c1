package notify

import (
	"context"
	"fmt"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
)

// RulePreview is what a rule would have told of the last events.
type RulePreview struct {
	Events        int            `json:"events" doc:"How many were looked at: the last ones."`
	Matters       int            `json:"matters" doc:"How many notifications they would have made, without limit and digest."`
	Notifications []Notification `json:"notifications" doc:"The newest of them; where there are none, an example in the rule's words."`
	Example       bool           `json:"example" doc:"It is made up: nothing of the kind has happened."`
	Error         string         `json:"error,omitempty" doc:"Why the condition or a template failed on one of the events."`
}

const (
	// previewed is how many events of the log a preview looks back over, shown how
	// many notifications it returns.
	previewed = 500
	shown     = 5
)

// PreviewRule shows what a rule would have told of what happened last.
func (s *Service) PreviewRule(ctx context.Context, d RuleDefinition) (RulePreview, error) {
	q := s.db.Read()
	if d.Name == "" {
		d.Name = "Preview"
	}
	c, err := s.checkRule(ctx, q, d)
	if err != nil {
		return RulePreview{}, err
	}
	a, err := s.asker(ctx, q, Rule{ID: "preview", RuleDefinition: c.RuleDefinition}, s.lookup(q))
	if err != nil {
		return RulePreview{}, err
	}
	up := make(map[string]time.Time) // what would be raised
	a.raised = func(context.Context, []string) (map[string]time.Time, error) { return up, nil }
	p := RulePreview{Notifications: []Notification{}}
	all, err := s.lookBack(ctx, q, a, &p, up)
	if err != nil {
		return p, err
	}
	p.Matters = len(all)
	for i := len(all) - 1; i >= max(0, len(all)-shown); i-- {
		p.Notifications = append(p.Notifications, all[i])
	}
	for _, fault := range a.faults {
		p.Error = fault.Error()
	}
	if len(all) == 0 {
		p.Example = true
		n := c.examples()[len(c.examples())-1]
		n.Title, n.Text, n.Time = "An example", "Nothing of the kind has happened.", s.now()
		if err := a.reword(&n); err != nil {
			p.Error = err.Error()
		}
		p.Notifications = append(p.Notifications, n)
	}
	return p, nil
}

// lookBack returns what a rule would have told of the last events, and notes in up what
// would have been raised by each.
func (s *Service) lookBack(ctx context.Context, q db.Querier, a *asker, p *RulePreview, up map[string]time.Time) ([]Notification, error) {
	var last int64
	if err := q.QueryRowContext(ctx, `SELECT `+newest).Scan(&last); err != nil {
		return nil, err
	}
	events, err := event.After(ctx, q, max(0, last-previewed), previewed)
	if err != nil {
		return nil, err
	}
	p.Events = len(events)
	var all []Notification
	for _, e := range events {
		happenings, err := s.relevant(ctx, q, []*asker{a}, e)
		if err != nil {
			return nil, fmt.Errorf("preview: %w", err)
		}
		for _, h := range happenings {
			told := make(map[string][]telling)
			if err := a.tell(ctx, h, told); err != nil {
				return nil, err
			}
			for _, t := range told[a.id] {
				_, is := up[t.key]
				as, tells := t.step(a.GroupBy, is)
				if !tells {
					continue
				}
				switch t.Notification.Action = as; as {
				case Opened:
					up[t.key] = e.Time
				case Resolved:
					delete(up, t.key)
				}
				all = append(all, t.Notification)
			}
		}
	}
	return all, nil
}
