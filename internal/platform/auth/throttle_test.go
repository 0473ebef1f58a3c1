package auth_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"patrol/internal/platform/access"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/problem"
)

func from(t *testing.T, address string) context.Context {
	return access.WithAddress(t.Context(), address)
}

// try signs in as admin and returns how long to wait, and whether it was let in.
func (h house) try(ctx context.Context, username, password string) (after time.Duration, in bool) {
	h.t.Helper()
	_, _, err := h.SignIn(ctx, username, password)
	var p *problem.Error
	if err != nil && !errors.As(err, &p) {
		h.t.Fatal(err)
	}
	if err != nil && (p.After > 0) != (p.Kind == problem.KindTooSoon) {
		h.t.Errorf("a problem of kind %d says to wait %s", p.Kind, p.After)
	}
	if err != nil {
		return p.After, false
	}
	return 0, true
}

func TestWaitGrows(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.firstAdmin(password)
		ctx := from(t, "192.0.2.7")
		for n := 1; n <= 16; n++ {
			if after, _ := h.try(ctx, "admin", "wrong"); after != 0 {
				t.Fatalf("try %d is not looked at: wait %s", n, after)
			}
			want := time.Duration(0)
			if n >= 5 {
				want = min(time.Second<<(n-5), 15*time.Minute)
			}
			if want == 0 {
				continue
			}
			// The right password is not looked at either.
			if after, in := h.try(ctx, "admin", password); in || after != want {
				t.Errorf("after %d failures: in %v, wait %s; want %s", n, in, after, want)
			}
			h.clock.Advance(want - time.Microsecond)
			if after, in := h.try(ctx, "admin", password); in || after != time.Microsecond {
				t.Errorf("after %d failures, at the end of the wait: in %v, wait %s", n, in, after)
			}
			h.clock.Advance(time.Microsecond)
		}
		if _, in := h.try(ctx, "admin", password); !in {
			t.Error("the right password is refused after the wait")
		}
		for range 4 {
			if after, _ := h.try(ctx, "admin", "wrong"); after != 0 {
				t.Error("failures from before a sign-in count")
			}
		}
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM audit WHERE action = 'session.refused'`); n != 20 {
			t.Errorf("%d sign-ins that failed are audited; want 20: those that were not looked at are none", n)
		}
	})
}

func TestWaitIsForOneNameFromOnePlace(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.firstAdmin(password)
		h.invite("bob", access.Viewer)
		for range 5 {
			h.try(from(t, "2001:db8:0:1::1"), "admin", "wrong")
			h.try(from(t, "2001:db8:0:1::1"), "nobody", "wrong")
		}
		for _, test := range []struct {
			address, name string
			wait          bool
		}{
			{"2001:db8:0:1::1", "admin", true},
			{"2001:db8:0:1:ffff::2", "admin", true}, // one network has many addresses
			{"2001:db8:0:2::1", "admin", false},
			{"192.0.2.7", "admin", false},
			{"2001:db8:0:1::1", "bob", false},
			{"2001:db8:0:1::1", "nobody", true}, // the wait does not tell which names exist
		} {
			if after, in := h.try(from(t, test.address), test.name, password); (after > 0) != test.wait || in == test.wait {
				t.Errorf("%s from %s: in %v, wait %s", test.name, test.address, in, after)
			}
		}
	})
}

// Consoles that share a database share the wait.
func TestConsolesShareTheWait(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.firstAdmin(password)
		other := newHouse(t, h.db)
		for i := range 5 {
			[]house{h, other}[i%2].try(from(t, "192.0.2.7"), "admin", "wrong")
		}
		for _, console := range []house{h, other} {
			if after, in := console.try(from(t, "192.0.2.7"), "admin", password); in || after != time.Second {
				t.Errorf("in %v, wait %s; want 1s", in, after)
			}
		}
	})
}

// Many tries at once are not a way to have many looked at.
func TestTriesAtOnceAreCounted(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.firstAdmin(password)
		var mu sync.Mutex
		looked := 0
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if after, _ := h.try(from(t, "192.0.2.7"), "admin", "wrong"); after == 0 {
					mu.Lock()
					looked++
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if looked != 5 {
			t.Errorf("%d of 20 tries at once were looked at; want 5", looked)
		}
	})
}

func TestFailuresAreForgotten(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.firstAdmin(password)
		for range 5 {
			h.try(from(t, "192.0.2.7"), "admin", "wrong")
			h.try(from(t, "192.0.2.8"), "admin", "wrong")
		}
		h.clock.Advance(24 * time.Hour)
		for range 4 {
			if after, _ := h.try(from(t, "192.0.2.7"), "admin", "wrong"); after != 0 {
				t.Error("failures of yesterday count")
			}
		}
		if _, in := h.try(from(t, "192.0.2.9"), "admin", password); !in {
			t.Fatal("the right password is refused")
		}
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM sign_in_failure`); n != 1 {
			t.Errorf("%d counts are kept; want that of today alone", n)
		}
	})
}

// A person who types a password into the field of the name has not told it to
// everybody who reads the audit log.
func TestUnknownNamesAreNotKept(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.firstAdmin(password)
		h.try(from(t, "192.0.2.7"), password, "x")
		for _, column := range []string{"SELECT count(*) FROM audit WHERE subject = $1", "SELECT count(*) FROM sign_in_failure WHERE name = $1"} {
			if n := dbtest.Count(t, h.db.Read(), column, password); n != 0 {
				t.Errorf("%s: %d", column, n)
			}
		}
		if got := h.actions(); got[len(got)-1] != "session.refused " {
			t.Errorf("actions = %q", got)
		}
	})
}
