package fleet_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
	"patrol/internal/sbom"
	"patrol/internal/wire"
)

func TestRegister(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		out := h.register("web-1")
		n := h.node(out.Node)
		want := fleet.Node{
			ID: out.Node, Kind: fleet.Host, Name: "web-1", State: fleet.Active, MachineID: "m-web-1",
			Distribution: facts("").Distribution, Architecture: "amd64", Kernel: "6.1", AgentVersion: "1.0",
			Labels: map[string]string{"env": "production"}, LabelOrigins: map[string]string{"env": fleet.FromAgent}, FirstSeen: noon, LastSeen: noon,
			Runtimes: []wire.Runtime{}, NotAssessed: n.NotAssessed,
		}
		if !reflect.DeepEqual(n, want) || len(n.NotAssessed) != 0 || n.NotAssessed == nil {
			t.Errorf("node = %+v\nwant   %+v", n, want)
		}
		p, known, err := h.auth.Identify(t.Context(), out.Credential)
		if err != nil || !known || p.Node != out.Node {
			t.Errorf("the credential belongs to %+v, %v, %v", p, known, err)
		}
	})
}

// The answer to the first registration was lost: the agent asks again.
func TestRegisterAgain(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		lost := h.register("web-1")
		h.clock.Advance(time.Minute)
		again := h.register("web-1")
		if again.Node != lost.Node {
			t.Fatalf("the same key gave the nodes %s and %s", lost.Node, again.Node)
		}
		for credential, want := range map[string]bool{lost.Credential: false, again.Credential: true} {
			if _, known, err := h.auth.Identify(t.Context(), credential); known != want || err != nil {
				t.Errorf("credential is good: %v, %v; want %v", known, err, want)
			}
		}
		if n := h.node(again.Node); !n.FirstSeen.Equal(noon) || !n.LastSeen.Equal(noon.Add(time.Minute)) {
			t.Errorf("first seen %v, last seen %v", n.FirstSeen, n.LastSeen)
		}
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM node`); n != 1 {
			t.Errorf("%d nodes; want 1", n)
		}
	})
}

// Host names and machine ids repeat: clones have both in common.
func TestClonesAreNodesOfTheirOwn(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		first := h.register("web-1")
		second, err := h.Register(t.Context(), wire.RegisterRequest{Key: "key of the clone of web-1", Facts: facts("web-1")})
		if err != nil || first.Node == second.Node {
			t.Errorf("the clone got %+v, %v; the original is %s", second, err, first.Node)
		}
	})
}

func TestRegisterRefuses(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		newer := facts("web-1")
		newer.Protocol = wire.Version + 1
		_, err := h.Register(t.Context(), wire.RegisterRequest{Key: "a key that is long enough", Facts: newer})
		wantProblem(t, err, problem.KindConflict)
		if err != nil && !strings.Contains(err.Error(), "install") {
			t.Errorf("error %v does not say what to do", err)
		}
		_, err = h.Register(t.Context(), wire.RegisterRequest{Key: "short", Facts: facts("web-1")})
		wantProblem(t, err, problem.KindInvalid)
		_, err = h.Register(t.Context(), wire.RegisterRequest{Key: "a key that is long enough", Facts: facts("")})
		wantProblem(t, err, problem.KindInvalid)
		if n := dbtest.Count(t, h.db.Read(), `SELECT (SELECT count(*) FROM node) + (SELECT count(*) FROM credential) + (SELECT count(*) FROM event)`); n != 0 {
			t.Errorf("what was refused left %d rows", n)
		}
	})
}

func TestHeartbeat(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		id := h.register("web-1").Node
		h.clock.Advance(time.Hour)
		if n := h.node(id); n.State != fleet.Inactive {
			t.Errorf("state = %s after an hour of silence", n.State)
		}
		now := facts("web-renamed")
		now.Labels, now.Kernel = nil, "6.12"
		now.Distribution = sbom.Distribution{ID: "debian", Version: "13"}
		if _, err := h.Heartbeat(t.Context(), id, now); err != nil {
			t.Fatal(err)
		}
		n := h.node(id)
		if n.State != fleet.Active || n.Name != "web-renamed" || n.Kernel != "6.12" || n.Distribution.Version != "13" ||
			n.Labels == nil || len(n.Labels) != 0 || !n.FirstSeen.Equal(noon) || !n.LastSeen.Equal(noon.Add(time.Hour)) {
			t.Errorf("node = %+v", n)
		}
	})
}

func TestState(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		id := h.register("web-1").Node
		for silent, want := range map[time.Duration]string{
			0:                             fleet.Active,
			3 * fleet.HeartbeatInterval:   fleet.Active,
			3*fleet.HeartbeatInterval + 1: fleet.Inactive,
			365 * 24 * time.Hour:          fleet.Inactive,
		} {
			h.clock.Set(noon.Add(silent))
			if n := h.node(id); n.State != want {
				t.Errorf("after %v: %s; want %s", silent, n.State, want)
			}
		}
	})
}

func TestGetUnknownNode(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		_, err := h.Get(t.Context(), "no-such-node")
		wantProblem(t, err, problem.KindNotFound)
	})
}

// list reads all pages of a list and returns the names in it.
func (h house) list(q fleet.Query, limit int) []string {
	h.t.Helper()
	names := []string{}
	for cursor := ""; ; {
		page, err := h.List(h.t.Context(), q, rest.Paging{Limit: limit, Cursor: cursor})
		if err != nil {
			h.t.Fatal(err)
		}
		if page.Items == nil || len(page.Items) > limit {
			h.t.Fatalf("page = %+v", page)
		}
		for _, n := range page.Items {
			names = append(names, n.Name)
		}
		if cursor = page.Next; cursor == "" {
			return names
		}
	}
}

func TestList(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		want := []string{}
		for i := range 7 {
			want = append(want, fmt.Sprintf("web-%d", i))
			h.register(want[i])
		}
		for _, limit := range []int{1, 3, 7, 100} {
			if got := h.list(fleet.Query{}, limit); !slices.Equal(got, want) {
				t.Errorf("pages of %d: %q; want %q", limit, got, want)
			}
		}
		h.clock.Advance(time.Hour)
		h.register("web-2")
		others := slices.DeleteFunc(slices.Clone(want), func(name string) bool { return name == "web-2" })
		for _, c := range []struct {
			q    fleet.Query
			want []string
		}{
			{fleet.Query{State: fleet.Active}, []string{"web-2"}},
			{fleet.Query{State: fleet.Inactive}, others},
			{fleet.Query{Kind: fleet.Host}, want},
			{fleet.Query{Kind: fleet.Host, State: fleet.Active}, []string{"web-2"}},
			{fleet.Query{Kind: fleet.Container}, []string{}},
		} {
			if got := h.list(c.q, 2); !slices.Equal(got, c.want) {
				t.Errorf("%+v: %q; want %q", c.q, got, c.want)
			}
		}
		_, err := h.List(t.Context(), fleet.Query{}, rest.Paging{Limit: 1, Cursor: "made up"})
		wantProblem(t, err, problem.KindInvalid)
	})
}

func TestSelect(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		ids := map[string]string{}
		for _, name := range []string{"web-1", "web-2", "db-1"} {
			ids[name] = h.register(name).Node
		}
		h.clock.Advance(time.Hour)
		labelled := facts("db-1")
		labelled.Labels = map[string]string{"env": "test", "tier": "data"}
		if _, err := h.Heartbeat(t.Context(), ids["db-1"], labelled); err != nil {
			t.Fatal(err)
		}
		for selector, want := range map[string][]string{
			`true`:                                               {ids["web-1"], ids["web-2"], ids["db-1"]},
			`node.kind == "container"`:                           {},
			`node.name.startsWith("web-")`:                       {ids["web-1"], ids["web-2"]},
			`node.labels["env"] == "production"`:                 {ids["web-1"], ids["web-2"]},
			`node.labels["tier"] == "data"`:                      {ids["db-1"]},
			`node.labels["absent"] == "x"`:                       {},
			`node.state == "active"`:                             {ids["db-1"]},
			`node.distribution.id == "debian"`:                   {ids["web-1"], ids["web-2"], ids["db-1"]},
			`node.id == "` + ids["web-2"] + `"`:                  {ids["web-2"]},
			`node.last_seen - node.first_seen > duration("30m")`: {ids["db-1"]},
		} {
			if got, err := h.Select(t.Context(), h.db.Read(), selector); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %q, %v; want %q", selector, got, err, want)
			}
		}
		for selector, says := range map[string]string{
			`node.kind ==`:                          "1:13",
			`node.kin == "host"`:                    "undefined field",
			`node.name`:                             "true or false",
			`1 / (size(node.labels) - 2) > 0`:       "db-1", // wrong on that node alone
			`[1, 2, 3].all(a, a > 0 && a / 0 == 1)`: "division by zero",
		} {
			_, err := h.Select(t.Context(), h.db.Read(), selector)
			wantProblem(t, err, problem.KindInvalid)
			if err != nil && !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v; want it to say %q", selector, err, says)
			}
		}
	})
}
