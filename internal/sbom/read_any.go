package sbom

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// ReadAny reads what [Read] does, and documents of this package besides, which
// need be in no order. Its errors say where a document is malformed.
func ReadAny(data []byte) (*ReadDocument, error) {
	read, err := Read(data)
	if errors.Is(err, errNoFormat) && isOurs(data) {
		read, err = readOurs(data)
	}
	if err != nil {
		return nil, placed(data, err)
	}
	return read, nil
}

func isOurs(data []byte) bool {
	var mark struct {
		Components []json.RawMessage `json:"components"`
	}
	return json.Unmarshal(data, &mark) == nil && mark.Components != nil
}

func readOurs(data []byte) (*ReadDocument, error) {
	var doc Document
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("reading Patrol's JSON: %w", err)
	}
	for i, c := range doc.Components {
		if c.Ecosystem == "" || c.Name == "" {
			return nil, fmt.Errorf("reading Patrol's JSON: components[%d] lacks an ecosystem or a name", i)
		}
	}
	doc.Normalize()
	return &ReadDocument{Format: "Patrol", Document: &doc}, nil
}

// placed adds the line and the column to what encoding/json says is wrong.
func placed(data []byte, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	var offset int64
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	default:
		return err
	}
	before := data[:min(max(offset, 0), int64(len(data)))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := len(before) - (bytes.LastIndexByte(before, '\n') + 1)
	return fmt.Errorf("line %d, column %d: %w", line, column, err)
}
