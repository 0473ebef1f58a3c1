package policy_test

import (
	"fmt"
	"sync"
	"testing"

	"patrol/internal/policy"
)

func TestSelectorsAreCompiledOnce(t *testing.T) {
	var selectors policy.Selectors
	first, err := selectors.Compile(`node.kind == "host"`)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := selectors.Compile(`node.kind == "host"`); again != first || err != nil {
		t.Errorf("compiled again: %v", err)
	}
	if _, err := selectors.Compile(`node.kind ==`); err == nil || selectors.Remembered() != 1 {
		t.Errorf("what is no selector: %v, %d remembered", err, selectors.Remembered())
	}
}

func TestSelectorsAreBounded(t *testing.T) {
	var selectors policy.Selectors
	for i := range policy.SelectorLimit + 20 {
		if _, err := selectors.Compile(fmt.Sprintf(`node.name == "web-%d"`, i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := selectors.Remembered(); n != policy.SelectorLimit {
		t.Errorf("%d are remembered; want %d", n, policy.SelectorLimit)
	}
}

// Several ask one compiled selector at a time; each is told of its own node.
func TestSelectorsAtOnce(t *testing.T) {
	var selectors policy.Selectors
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			name := fmt.Sprint("web-", i%2)
			for range 50 {
				selector, err := selectors.Compile(`node.name == "web-0"`)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := selector.Selects(policy.Node{Name: name}, policy.Moment{}); got != (i%2 == 0) || err != nil {
					t.Errorf("%s: %v, %v", name, got, err)
				}
			}
		})
	}
	all.Wait()
}
