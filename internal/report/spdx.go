package report

import "io"

// spdx writes SPDX 2.3: the SBOM alone, since SPDX 2.3 has no vulnerabilities.
type spdx struct {
	w    io.Writer
	head *Head
}

func newSPDX(w io.Writer, _ Options) Format { return &spdx{w: w} }

func (s *spdx) Begin(h *Head) error {
	s.head = h
	return nil
}

func (s *spdx) Finding(*Finding) error { return nil }

func (s *spdx) End(*Tail) error {
	doc, err := documentOf(s.head).SPDX(about(s.head))
	if err != nil {
		return err
	}
	return writeJSON(s.w, doc)
}
