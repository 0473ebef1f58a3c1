package scan_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"patrol/internal/collect"
	"patrol/internal/fleet"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/problem"
	"patrol/internal/scan"
	"patrol/internal/wire"
)

func TestStart(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		woken, stop := h.signals.Wait(fleet.CommandTopic(node))
		defer stop()
		id := h.start(node)
		<-woken
		s := h.wantState(id, scan.Queued)
		if s.Node.ID != node || s.Node.Name != "web-1" || s.Trigger != scan.OnDemand || !s.QueuedAt.Equal(noon) || s.Schedule != nil || s.Feed != nil ||
			s.Warnings == nil || s.NotAssessed == nil || s.Unread == nil {
			t.Errorf("scan = %+v", s)
		}
	})
}

func TestStartJoinsTheUnfinishedScan(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		first := h.start(node)
		if second := h.start(node); second != first {
			t.Error("a queued scan was not joined")
		}
		command := h.claim(node)
		if second := h.start(node); second != first {
			t.Error("a scan that is collecting was not joined")
		}
		_, err := h.Finish(t.Context(), node, command.ID, wire.FinishRequest{LeaseID: command.LeaseID, Error: "disk gone"})
		if err != nil {
			t.Fatal(err)
		}
		if second := h.start(node); second == first {
			t.Error("a failed scan was joined")
		}
	})
}

func TestStartIsAllOrNothing(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		_, err := h.StartOnDemand(t.Context(), []string{node, "no such node"})
		wantProblem(t, err, problem.KindInvalid)
		if out, err := h.Claim(t.Context(), node); err != nil || len(out.Commands) != 0 {
			t.Errorf("Claim = %+v, %v; want nothing to do", out, err)
		}
		// Asking for one node twice is one scan.
		if scans, err := h.StartOnDemand(t.Context(), []string{node, node}); err != nil || len(scans) != 1 {
			t.Errorf("StartOnDemand = %+v, %v; want one scan", scans, err)
		}
	})
}

func TestClaim(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node, other := h.node("web-1"), h.node("web-2")
		id := h.start(node)
		if out, err := h.Claim(t.Context(), other); err != nil || len(out.Commands) != 0 || out.Commands == nil {
			t.Errorf("another node's Claim = %+v, %v; want []", out, err)
		}
		h.clock.Advance(time.Second)
		command := h.claim(node)
		if command.Scan != id || command.Kind != "scan" || command.LeaseSeconds != int(lease.Duration/time.Second) {
			t.Errorf("command = %+v", command)
		}
		if s := h.wantState(id, scan.Collecting); !s.StartedAt.Equal(noon.Add(time.Second)) {
			t.Errorf("started at %v", s.StartedAt)
		}
		// An agent that was killed is told when its own lease will have ended.
		out, err := h.Claim(t.Context(), node)
		if seconds := int(lease.Duration / time.Second); err != nil || len(out.Commands) != 0 || out.RetrySeconds < seconds || out.RetrySeconds > seconds+1 {
			t.Errorf("a second Claim = %+v, %v; want nothing before %v", out, err, lease.Duration)
		}
	})
}

func TestExtend(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		h.start(node)
		command := h.claim(node)
		for range 5 {
			h.clock.Advance(lease.Duration - time.Second)
			if err := h.Extend(t.Context(), node, command.ID, wire.ExtendRequest{LeaseID: command.LeaseID}); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := h.Claim(t.Context(), node); err != nil || len(out.Commands) != 0 {
			t.Errorf("Claim = %+v, %v; the command is being worked on", out, err)
		}
	})
}

// The agent was killed and came back while its first life was still thought to
// work.
func TestLostLease(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		id := h.start(node)
		killed := h.claim(node)
		h.clock.Advance(lease.Duration)
		heir := h.claim(node)
		if heir.ID != killed.ID || heir.LeaseID == killed.LeaseID {
			t.Fatalf("commands = %+v, %+v", killed, heir)
		}
		digest, encoded := collected(t)
		if err := h.fleet.Put(t.Context(), digest, encoded); err != nil {
			t.Fatal(err)
		}
		if err := h.Extend(t.Context(), node, killed.ID, wire.ExtendRequest{LeaseID: killed.LeaseID}); !errors.Is(err, lease.ErrLost) {
			t.Errorf("Extend = %v; want ErrLost", err)
		}
		for _, finish := range []wire.FinishRequest{{DocumentDigest: digest}, {Error: "failed"}, {DocumentDigest: "sha256:unknown"}} {
			finish.LeaseID = killed.LeaseID
			if out, err := h.Finish(t.Context(), node, killed.ID, finish); !errors.Is(err, lease.ErrLost) {
				t.Errorf("Finish(%+v) = %+v, %v; want ErrLost", finish, out, err)
			}
		}
		h.wantState(id, scan.Collecting)
		if _, err := h.Finish(t.Context(), node, heir.ID, wire.FinishRequest{LeaseID: heir.LeaseID, DocumentDigest: digest}); err != nil {
			t.Errorf("Finish with the new lease = %v", err)
		}
		h.wantState(id, scan.Matching)
	})
}

func TestCommandsOfOthersAreNotFound(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node, other := h.node("web-1"), h.node("web-2")
		h.start(node)
		command := h.claim(node)
		for _, id := range []string{command.ID, "no such command"} {
			wantProblem(t, h.Extend(t.Context(), other, id, wire.ExtendRequest{LeaseID: command.LeaseID}), problem.KindNotFound)
			for _, finish := range []wire.FinishRequest{{Error: "x"}, {DocumentDigest: "sha256:unknown"}} {
				finish.LeaseID = command.LeaseID
				_, err := h.Finish(t.Context(), other, id, finish)
				wantProblem(t, err, problem.KindNotFound)
			}
		}
	})
}

func TestFinishAsksForAnUnknownDocument(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		id := h.start(node)
		command := h.claim(node)
		digest, encoded := collected(t)
		finish := wire.FinishRequest{
			LeaseID: command.LeaseID, DocumentDigest: digest,
			Warnings: []collect.Warning{{Path: "opt/app.jar", Message: "is damaged"}},
		}
		if out, err := h.Finish(t.Context(), node, command.ID, finish); err != nil || !out.Send {
			t.Fatalf("Finish = %+v, %v; want that the document is asked for", out, err)
		}
		h.wantState(id, scan.Collecting)
		if err := h.fleet.Put(t.Context(), digest, encoded); err != nil {
			t.Fatal(err)
		}
		// The answer may be lost: finishing again is fine.
		for range 2 {
			if out, err := h.Finish(t.Context(), node, command.ID, finish); err != nil || out.Send {
				t.Fatalf("Finish = %+v, %v", out, err)
			}
		}
		s := h.wantState(id, scan.Matching)
		if s.DocumentDigest != digest || s.Components != 2 || len(s.Warnings) != 1 || s.Warnings[0] != finish.Warnings[0] {
			t.Errorf("scan = %+v", s)
		}
		// Also when the scan has gone on.
		h.match()
		if _, err := h.Finish(t.Context(), node, command.ID, finish); err != nil {
			t.Errorf("Finish of a complete scan = %v", err)
		}
		h.wantState(id, scan.Complete)
	})
}

func TestCollectionThatFails(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		id := h.start(node)
		command := h.claim(node)
		for range 2 {
			if _, err := h.Finish(t.Context(), node, command.ID, wire.FinishRequest{LeaseID: command.LeaseID, Error: "the root cannot be read"}); err != nil {
				t.Fatal(err)
			}
		}
		s := h.wantState(id, scan.Failed)
		if s.Error != "the root cannot be read" || !s.FinishedAt.Equal(noon) || h.events("scan.failed", id) != 1 {
			t.Errorf("scan = %+v, with %d events", s, h.events("scan.failed", id))
		}
	})
}

func TestAgentThatNeverFinishes(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		id := h.start(node)
		for range 5 {
			h.claim(node)
			h.clock.Advance(lease.Duration)
		}
		h.wantState(id, scan.Collecting)
		for range 2 {
			if out, err := h.Claim(t.Context(), node); err != nil || len(out.Commands) != 0 {
				t.Errorf("a sixth Claim = %+v, %v; want nothing", out, err)
			}
		}
		s := h.wantState(id, scan.Failed)
		if !strings.Contains(s.Error, "5 times") || !strings.Contains(s.Error, "log") || h.events("scan.failed", id) != 1 {
			t.Errorf("error = %q, with %d events", s.Error, h.events("scan.failed", id))
		}
		if next := h.start(node); next == id {
			t.Error("the node cannot be scanned any more")
		}
	})
}

func TestCancel(t *testing.T) {
	for name, advance := range map[string]func(h house, node string) (id string, command wire.Command){
		scan.Queued: func(h house, node string) (string, wire.Command) { return h.start(node), wire.Command{} },
		scan.Collecting: func(h house, node string) (string, wire.Command) {
			id := h.start(node)
			return id, h.claim(node)
		},
		scan.Matching: func(h house, node string) (string, wire.Command) { return h.report(node), wire.Command{} },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, h house) {
				node := h.node("web-1")
				id, command := advance(h, node)
				h.wantState(id, name)
				s, err := h.Cancel(t.Context(), id)
				if err != nil || s.State != scan.Cancelled || !s.FinishedAt.Equal(noon) || h.events("scan.cancelled", id) != 1 {
					t.Fatalf("Cancel = %+v, %v", s, err)
				}
				if command.ID != "" {
					err := h.Extend(t.Context(), node, command.ID, wire.ExtendRequest{LeaseID: command.LeaseID})
					if !errors.Is(err, lease.ErrLost) {
						t.Errorf("Extend = %v; want ErrLost", err)
					}
				}
				if out, err := h.Claim(t.Context(), node); err != nil || len(out.Commands) != 0 {
					t.Errorf("Claim = %+v, %v; want nothing", out, err)
				}
				if h.match() {
					t.Error("a cancelled scan was matched")
				}
				_, err = h.Cancel(t.Context(), id)
				wantProblem(t, err, problem.KindConflict)
				h.wantState(id, scan.Cancelled)
			})
		})
	}
}

func TestCancelUnknown(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		_, err := h.Cancel(t.Context(), "no such scan")
		wantProblem(t, err, problem.KindNotFound)
		id := h.report(h.node("web-1"))
		h.match()
		_, err = h.Cancel(t.Context(), id)
		wantProblem(t, err, problem.KindConflict)
		h.wantState(id, scan.Complete)
	})
}
