package policy

// SelectorLimit is how many are remembered.
const SelectorLimit = selectorLimit

// Remembered returns how many are.
func (s *Selectors) Remembered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.compiled)
}
