package imagefs

import (
	"fmt"
	"io"
)

// archive yields the entries of a tar archive, one by one.
type archive struct {
	in input
	h  header
}

// FormatError says where in an archive reading had to end.
type FormatError struct {
	Offset int64 // in bytes, in the inflated archive
	Err    error
}

func (e *FormatError) Error() string { return fmt.Sprintf("at offset %d: %v", e.Offset, e.Err) }
func (e *FormatError) Unwrap() error { return e.Err }

// next returns the next entry, with the input at its contents; io.EOF after the
// last. The header is valid until the next call.
func (a *archive) next() (*header, error) {
	offset := a.in.at()
	h, err := a.entry()
	if err != nil && err != io.EOF {
		return nil, &FormatError{offset, err}
	}
	return h, err
}

func (a *archive) entry() (*header, error) {
	var (
		extended         records
		longName         []byte
		longLink         []byte
		extensions, sums = 0, int64(0)
	)
	extended.size = -1
	for {
		b, err := a.in.block()
		if err != nil {
			if err == io.EOF && extensions > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if isZero(b) {
			return nil, a.end()
		}
		if err := a.h.parse(b); err != nil {
			return nil, err
		}
		if sparseExtended := b[482]; a.h.kind == typeGNUSparse && sparseExtended != 0 {
			if err := a.skipSparseMap(); err != nil {
				return nil, err
			}
		}
		switch a.h.kind {
		case typePAX, typePAXGlobal, typeGNUName, typeGNULink:
		default:
			extended.extend(&a.h)
			if longName != nil {
				a.h.name = append(a.h.name[:0], longName...)
			}
			if longLink != nil {
				a.h.link = append(a.h.link[:0], longLink...)
			}
			return &a.h, a.h.finish()
		}
		// Several extensions may come before one entry; all of them are one's.
		if extensions, sums = extensions+1, sums+a.h.size; a.h.size > maxRecords || sums > 2*maxRecords || extensions > 16 {
			return nil, fmt.Errorf("an extended header of %d bytes, more than %d", sums, maxRecords)
		}
		data, err := payload(a.in, a.h.size)
		if err != nil {
			return nil, err
		}
		switch a.h.kind {
		case typePAX:
			if extended, err = parseRecords(data); err != nil {
				return nil, err
			}
		case typeGNUName:
			longName = untilNUL(data)
		case typeGNULink:
			longLink = untilNUL(data)
		}
		// What is global is about comments and times: archive/tar, and so the
		// runtimes, do not apply it either.
	}
}

// end is io.EOF after the second of two zero blocks, or if there is none.
func (a *archive) end() error {
	b, err := a.in.block()
	if err == nil && !isZero(b) {
		return errChecksum
	}
	if err == nil {
		err = io.EOF
	}
	return err
}

// skipSparseMap passes over the blocks that go on describing a sparse file in
// GNU's old format; the byte at 504 tells whether there is one more.
func (a *archive) skipSparseMap() error {
	for {
		b, err := a.in.block()
		if err != nil {
			return noEOF(err)
		}
		if b[504] == 0 {
			return nil
		}
	}
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// Names calls yield with the cleaned name of each entry of a tar archive,
// compressed or not, until it returns false.
func Names(file *io.SectionReader, yield func(name string) bool) error {
	compressed, err := Compressed(file)
	if err != nil {
		return err
	}
	a := archive{in: &inPlace{r: file, size: file.Size()}}
	if compressed {
		inflated, err := Inflate(file)
		if err != nil {
			return err
		}
		defer inflated.Close()
		a.in = newStream(io.LimitReader(inflated, max(DefaultLimits.Free, DefaultLimits.Ratio*file.Size())))
	}
	for range DefaultLimits.Entries {
		h, err := a.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if !yield(clean(string(h.name))) {
			return nil
		}
		if err := a.in.skip(padded(h.size)); err != nil {
			return &FormatError{a.in.at(), err}
		}
	}
	return fmt.Errorf("%w: entries, the limit is %d", ErrLimit, DefaultLimits.Entries)
}
