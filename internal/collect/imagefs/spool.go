package imagefs

import (
	"bufio"
	"io"
	"os"
)

// spool is the temporary file with what is kept of a compressed layer. It loses
// its name as soon as it is open, so that nothing is left behind, whatever ends
// the process.
type spool struct {
	file *os.File
	w    *bufio.Writer
	size int64
}

const spoolBuffer = 64 << 10

// append writes to the end, and returns where it began.
func (s *spool) append(write func(io.Writer) error) (offset int64, err error) {
	if s.file == nil {
		if s.file, err = TempFile(); err != nil {
			return 0, err
		}
		s.w = bufio.NewWriterSize(nil, spoolBuffer)
	}
	offset = s.size
	out := &counting{w: s.file}
	s.w.Reset(out)
	err = write(s.w)
	if err == nil {
		err = s.w.Flush()
	}
	s.size += out.n
	return offset, err
}

// ReadAt reads what was appended.
func (s *spool) ReadAt(p []byte, off int64) (int, error) {
	if s.file == nil {
		return 0, io.EOF
	}
	return s.file.ReadAt(p, off)
}

func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

type counting struct {
	w io.Writer
	n int64
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
