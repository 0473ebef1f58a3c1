package main

import (
	"errors"
	"testing"
	"time"
)

func TestSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{
		512 * time.Microsecond: "0.51 ms", 3 * time.Millisecond: "3 ms", 42 * time.Millisecond: "42 ms",
		412 * time.Millisecond: "0.41 s", 4518 * time.Millisecond: "4.52 s", 12345 * time.Millisecond: "12.3 s",
	} {
		if got := seconds(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestBound(t *testing.T) {
	for _, test := range []struct {
		used  usage
		bound bound
		want  string
	}{
		{usage{400 * time.Millisecond, 90e6}, bound{500 * time.Millisecond, 100e6}, "0.5 s, 100 MB"},
		{usage{600 * time.Millisecond, 90e6}, bound{500 * time.Millisecond, 100e6}, "0.5 s, 100 MB **missed**"},
		{usage{400 * time.Millisecond, 101e6}, bound{500 * time.Millisecond, 100e6}, "0.5 s, 100 MB **missed**"},
		{usage{wall: 4 * time.Millisecond}, bound{wall: 5 * time.Millisecond}, "5 ms"},
	} {
		if got := test.bound.cell(test.used); got != test.want {
			t.Errorf("%v: %q, want %q", test.used, got, test.want)
		}
	}
}

// TestInTurn: the first round counts for none, and the medians are each one's
// own.
func TestInTurn(t *testing.T) {
	var order string
	contestant := func(name string, first time.Duration) func(int) (usage, error) {
		return func(i int) (usage, error) {
			order += name
			if i == 0 {
				return usage{time.Hour, 1e12}, nil
			}
			return usage{first + time.Duration(i), int64(i)}, nil
		}
	}
	used, err := inTurn(contestant("a", 0), contestant("b", 100))
	if err != nil || used[0] != (usage{3, 3}) || used[1] != (usage{103, 3}) || order != "abababababab" {
		t.Errorf("%v, %v, %s", used, err, order)
	}
	broken := errors.New("broken")
	if _, err := inTurn(func(int) (usage, error) { return usage{}, broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
}
