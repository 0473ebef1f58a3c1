package notify_test

import (
	"context"
	"strings"
	"sync"

	"patrol/internal/notify"
	"patrol/internal/platform/outgoing"
)

// sent is what arrived at the far sides of kinds that speak no protocol: a chat, which
// is told and forgets; a tracker, which keeps one thing for each key; a store, which
// keeps all.
type sent struct {
	mu   sync.Mutex
	list []arrival
	// fails are the errors with which the next attempts end, by the name of the place;
	// nil for one that goes well.
	fails map[string][]error
	// before is called with every attempt, if it is set.
	before func(ctx context.Context, to string, n notify.Notification) error
	opened int
}

type arrival struct {
	to string
	notify.Notification
}

func (s *sent) kind(name string) notify.Kind {
	return notify.Kind{
		Name: name, Title: name, Tracks: name == "tracker", Records: name == "store",
		Fields: []notify.Field{
			{Name: "place", Required: true},
			{Name: "host", Default: "example.com"},
			{Name: "token", Secret: true},
			{Name: "headers", Secret: true, Multiline: true},
		},
		Open: func(set notify.Settings, _ *outgoing.Guard) (notify.Sender, error) {
			if strings.Contains(set.Get("place"), " ") {
				return nil, notify.Invalid("place", "has a space")
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.opened++
			return sender{s, set}, nil
		},
	}
}

type sender struct {
	sent *sent
	set  notify.Settings
}

func (s sender) Send(ctx context.Context, n notify.Notification) (string, error) {
	to := s.set.Get("place")
	if s.sent.before != nil {
		if err := s.sent.before(ctx, to, n); err != nil {
			return "", err
		}
	}
	s.sent.mu.Lock()
	defer s.sent.mu.Unlock()
	notify.Note(ctx, "to "+to+" with "+s.set.Get("token")+": "+n.Title, "thanks, "+s.set.Get("token"))
	if fails := s.sent.fails[to]; len(fails) > 0 {
		s.sent.fails[to] = fails[1:]
		if fails[0] != nil {
			return "", fails[0]
		}
	}
	s.sent.list = append(s.sent.list, arrival{to, n})
	return "made-" + n.Key[strings.IndexByte(n.Key, '/')+1:], nil
}

// fail has the next attempts at a place end so.
func (s *sent) fail(place string, with ...error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails[place] = with
}

// got returns what arrived since the last time, in the order of arrival.
func (s *sent) got() []arrival {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.list
	s.list = nil
	return list
}
