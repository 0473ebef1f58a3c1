package fleet

import (
	"io"
	"net/http"
	"time"

	"patrol/internal/platform/access"
	"patrol/internal/wire"
)

// stream tells the agent whenever there may be something to claim. On HTTP/1.1 the
// connection is taken over from the server: an agent that waits costs no goroutine
// then, of which the server needs several. On HTTP/2, as some balancers speak it,
// there is no taking over.
func (s *Service) stream(w http.ResponseWriter, r *http.Request) {
	if !wire.Allow(w, r, "agent") {
		return
	}
	node := access.From(r.Context()).Node
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	if s.lines.take(w, func(wake func()) (stop func()) { return s.signals.Call(CommandTopic(node), wake) }) {
		return
	}
	s.streams.Add(1)
	defer s.streams.Add(-1)
	woken, stop := s.signals.Wait(CommandTopic(node))
	defer stop()
	ping := time.NewTicker(wire.PingInterval)
	defer ping.Stop()
	out := http.NewResponseController(w)
	say := func(line string) bool {
		// A reader that takes nothing for so long is gone.
		_ = out.SetWriteDeadline(time.Now().Add(wire.PingInterval))
		_, err := io.WriteString(w, line+"\n\n")
		if err != nil || out.Flush() != nil {
			return false
		}
		// A deadline that passes while nothing is sent would end the stream on HTTP/2.
		return out.SetWriteDeadline(time.Time{}) == nil
	}
	// What was asked before the agent listened is claimed now.
	for ok := say("event: wake"); ok; {
		select {
		case <-r.Context().Done():
			return
		case <-woken:
			ok = say("event: wake")
		case <-ping.C:
			ok = say(": ping")
		}
	}
}

// Listening is how many agents listen at this console.
func (s *Service) Listening() int { return s.lines.count() + int(s.streams.Load()) }
