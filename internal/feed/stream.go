package feed

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxElement is how many bytes one element of a streamed list may have. The
// largest records that anybody publishes have a few MiB.
const maxElement = 64 << 20

// stream reads a large JSON object member by member, and a list in it element by
// element, so that never more than one element is in memory.
type stream struct {
	*json.Decoder
	source *allowance
}

// allowance is a reader that gives no more than left bytes, until that is set anew.
type allowance struct {
	io.Reader
	left int64
}

var errLarge = fmt.Errorf("one element has more than %d bytes", maxElement)

func (a *allowance) Read(p []byte) (int, error) {
	if a.left <= 0 {
		return 0, errLarge
	}
	n, err := a.Reader.Read(p[:min(int64(len(p)), a.left)])
	a.left -= int64(n)
	return n, err
}

// readObject reads the one object that r has, to its very end, where compressed
// content is verified. member is called with the name of each of its members and
// reads the value.
func readObject(r io.Reader, member func(name string, s *stream) error) error {
	source := &allowance{r, maxElement}
	s := &stream{json.NewDecoder(source), source}
	if err := s.expect('{'); err != nil {
		return err
	}
	for s.More() {
		name, err := s.Token()
		if err != nil {
			return err
		}
		text, ok := name.(string)
		if !ok {
			return fmt.Errorf("%v where the name of a member was expected", name)
		}
		if err := member(text, s); err != nil {
			return err
		}
	}
	if err := s.expect('}'); err != nil {
		return err
	}
	source.left = maxElement
	switch _, err := s.Token(); {
	case err == nil:
		return errors.New("more after the end of the object")
	case !errors.Is(err, io.EOF):
		return err
	}
	return nil
}

// each calls element for every element of a list, which decodes it.
func (s *stream) each(element func() error) error {
	if err := s.expect('['); err != nil {
		return err
	}
	for s.More() {
		s.source.left = maxElement
		if err := element(); err != nil {
			return err
		}
	}
	s.source.left = maxElement
	return s.expect(']')
}

// skip reads a value of no interest.
func (s *stream) skip() error {
	s.source.left = maxElement
	var value json.RawMessage
	return s.Decode(&value)
}

func (s *stream) expect(want json.Delim) error {
	token, err := s.Token()
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	if token != want {
		return fmt.Errorf("%v where %v was expected", token, want)
	}
	return nil
}
