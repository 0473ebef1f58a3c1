package imagefs

import (
	"bufio"
	"io"
)

// input is a tar archive read from its start to its end.
type input interface {
	// block returns the next 512 bytes, valid until the next call; io.EOF at the
	// very end, io.ErrUnexpectedEOF within a block.
	block() ([]byte, error)
	// skip passes over n bytes.
	skip(n int64) error
	// at is how many bytes are behind.
	at() int64
}

// payload returns the next n bytes, and passes over their padding.
func payload(in input, n int64) ([]byte, error) {
	data := make([]byte, 0, n+blockSize)
	for int64(len(data)) < n {
		b, err := in.block()
		if err != nil {
			return nil, noEOF(err)
		}
		data = append(data, b...)
	}
	return data[:n], nil
}

// padded is the size of n bytes of contents with their padding.
func padded(n int64) int64 { return (n + blockSize - 1) &^ (blockSize - 1) }

// noEOF is for places where the end is one too early.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// inPlace reads headers out of a file and jumps over contents. The window is
// small: most files are, and then the next header or two are in it already.
type inPlace struct {
	r      io.ReaderAt
	size   int64
	pos    int64
	window []byte // from r at start
	start  int64
	buf    [windowSize]byte
}

const windowSize = 8 << 10

func (p *inPlace) at() int64 { return p.pos }

func (p *inPlace) block() ([]byte, error) {
	i := p.pos - p.start
	if i < 0 || i+blockSize > int64(len(p.window)) {
		if p.pos >= p.size {
			return nil, io.EOF
		}
		n, err := p.r.ReadAt(p.buf[:min(windowSize, p.size-p.pos)], p.pos)
		if n < blockSize {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		p.start, p.window, i = p.pos, p.buf[:n], 0
	}
	p.pos += blockSize
	return p.window[i : i+blockSize], nil
}

func (p *inPlace) skip(n int64) error {
	if n > p.size-p.pos {
		return io.ErrUnexpectedEOF
	}
	p.pos += n
	return nil
}

// stream reads what has to be inflated, front to back.
type stream struct {
	r   *bufio.Reader
	pos int64
	buf [blockSize]byte
}

func newStream(r io.Reader) *stream { return &stream{r: bufio.NewReaderSize(r, 128<<10)} }

func (s *stream) at() int64 { return s.pos }

func (s *stream) block() ([]byte, error) {
	n, err := io.ReadFull(s.r, s.buf[:])
	s.pos += int64(n)
	return s.buf[:], err
}

func (s *stream) skip(n int64) error {
	for n > 0 {
		// Discard takes an int, which may be smaller.
		d, err := s.r.Discard(int(min(n, 1<<30)))
		s.pos += int64(d)
		n -= int64(d)
		if err != nil {
			return noEOF(err)
		}
	}
	return nil
}

// peek returns the next n bytes, or fewer if there are no more.
func (s *stream) peek(n int) []byte {
	b, _ := s.r.Peek(n)
	return b
}

// copyTo writes the next n bytes to w.
func (s *stream) copyTo(w io.Writer, n int64) error {
	copied, err := io.CopyN(w, s.r, n)
	s.pos += copied
	return noEOF(err)
}
