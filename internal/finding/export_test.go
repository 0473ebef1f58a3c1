package finding

import (
	"context"
	"time"
)

// Attend does what Run does each time, and returns when to look again.
func (s *Service) Attend(ctx context.Context, ahead time.Duration) (time.Duration, error) {
	return s.attend(ctx, func(context.Context) (time.Duration, error) { return ahead, nil })
}

// ReadVEX reads a document as Import does before it asks the database anything.
func ReadVEX(data []byte) error {
	doc, err := parseVEX(data)
	if err == nil {
		_, err = doc.assertions(VEXScope{})
	}
	return err
}
