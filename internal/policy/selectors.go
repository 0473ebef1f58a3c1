package policy

import "sync"

// selectorLimit is how many compiled selectors are remembered: some 65 KiB each.
const selectorLimit = 256

// Selectors remembers selectors by their text, since to compile one takes as
// long as to ask it about two hundred nodes. The zero value is ready; it may be used by
// several at once.
type Selectors struct {
	mu       sync.Mutex
	compiled map[string]*Selector
}

// Compile is [Compile] for a text that comes again and again. What is refused is
// not remembered.
func (s *Selectors) Compile(expression string) (*Selector, error) {
	if selector := s.known(expression); selector != nil {
		return selector, nil
	}
	selector, err := Compile(expression)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.compiled == nil {
		s.compiled = make(map[string]*Selector)
	}
	for some := range s.compiled {
		if len(s.compiled) < selectorLimit {
			break
		}
		delete(s.compiled, some)
	}
	s.compiled[expression] = selector
	return selector, nil
}

func (s *Selectors) known(expression string) *Selector {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.compiled[expression]
}
