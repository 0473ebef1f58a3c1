package report

import (
	"encoding/json"
	"io"
)

// jsonFormat writes the report as one indented object.
type jsonFormat struct {
	w io.Writer
	r Report
}

func newJSON(w io.Writer, _ Options) Format {
	return &jsonFormat{w: w, r: Report{Findings: []Finding{}}}
}

func (j *jsonFormat) Begin(h *Head) error {
	j.r.Head = *h
	return nil
}

func (j *jsonFormat) Finding(f *Finding) error {
	j.r.Findings = append(j.r.Findings, *f)
	return nil
}

func (j *jsonFormat) End(t *Tail) error {
	j.r.Tail = *t
	if t.Ignored == nil {
		j.r.Ignored = []Ignored{}
	}
	return writeJSON(j.w, &j.r)
}

// writeJSON writes a value, indented, as every JSON format here is.
func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}
