package agent

import (
	"testing"

	"patrol/internal/wire"
)

// What the console is told, after what it knows.
func TestNews(t *testing.T) {
	const docker, cri = "docker:/d", "cri:/c"
	up, down := wire.Runtime{Name: docker}, wire.Runtime{Name: docker, Error: "refused"}
	child := func(key, name string) wire.Child {
		return wire.Child{Kind: wire.ContainerKind, Runtime: docker, Key: key, Name: name, Labels: map[string]string{}}
	}
	state := func(children ...wire.Child) map[wire.ChildKey]wire.Child {
		all := map[wire.ChildKey]wire.Child{}
		for _, c := range children {
			all[wire.ChildKey{Kind: c.Kind, Key: c.Key}] = c
		}
		return all
	}
	one, two := child("1", "one"), child("2", "two")
	tests := map[string]struct {
		knows    knowledge
		runtimes []wire.Runtime
		all      map[wire.ChildKey]wire.Child
		news     bool
		full     bool
		children int
		gone     int
	}{
		"nothing is known":    {knowledge{full: true}, nil, state(), true, true, 0, 0},
		"all is known":        {knowledge{false, []wire.Runtime{up}, state(one)}, []wire.Runtime{up}, state(one), false, false, 0, 0},
		"a start":             {knowledge{false, []wire.Runtime{up}, state(one)}, []wire.Runtime{up}, state(one, two), true, false, 1, 0},
		"a stop":              {knowledge{false, []wire.Runtime{up}, state(one, two)}, []wire.Runtime{up}, state(two), true, false, 0, 1},
		"a change of name":    {knowledge{false, []wire.Runtime{up}, state(one)}, []wire.Runtime{up}, state(child("1", "other")), true, false, 1, 0},
		"a runtime lost":      {knowledge{false, []wire.Runtime{up}, state(one)}, []wire.Runtime{down}, state(one), true, false, 0, 0},
		"a runtime back":      {knowledge{false, []wire.Runtime{down}, state(one)}, []wire.Runtime{up}, state(), true, true, 0, 0},
		"another runtime":     {knowledge{false, []wire.Runtime{up}, state(one)}, []wire.Runtime{{Name: cri}, up}, state(one, two), true, true, 2, 0},
		"time for everything": {knowledge{true, []wire.Runtime{up}, state(one, two)}, []wire.Runtime{up}, state(one), true, true, 1, 0},
	}
	for name, tt := range tests {
		out, news := tt.knows.news(tt.runtimes, tt.all)
		if news != tt.news || news && (out.Full != tt.full || len(out.Children) != tt.children || len(out.Gone) != tt.gone) {
			t.Errorf("%s: %v, %+v", name, news, out)
		}
	}
}
