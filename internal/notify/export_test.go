package notify

import "time"

// SetPatience says how long a far side may take.
func (s *Service) SetPatience(d time.Duration) { s.patience = d }

// GivenUpAfter is how long a notification is tried.
const GivenUpAfter = givenUpAfter

// Check is what saving a rule refuses of its definition alone.
func (d RuleDefinition) Check() error {
	_, err := d.complete().check()
	return err
}

// Words makes those of a template for a notification.
func Words(text string, n Notification) (string, error) {
	w, err := parseWords("text", text, nil)
	if err != nil {
		return "", err
	}
	return w.of(n)
}

// Loud is when a notification of a moment is sent.
func Loud(all []Quiet, zone *time.Location, at time.Time) (time.Time, error) {
	var parsed []quiet
	for _, q := range all {
		p, err := q.parse("quiet")
		if err != nil {
			return at, err
		}
		parsed = append(parsed, p)
	}
	return loud(parsed, zone, at), nil
}
