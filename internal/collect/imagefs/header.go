package imagefs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"strings"
)

// blockSize is the unit of a tar archive: headers are one, contents are padded.
const blockSize = 512

const (
	// maxRecords is the size in bytes of the largest PAX header or GNU long name
	// that is read: as much as archive/tar reads.
	maxRecords = 1 << 20
	// maxPath is Linux's PATH_MAX: no runtime could create a longer path.
	maxPath = 4096
	// maxSize keeps sums of offsets far from overflowing.
	maxSize = 1 << 50
)

// Type flags of POSIX.1-2017, pax(1), and of GNU tar.
const (
	typeRegular    = '0'
	typeOldRegular = 0
	typeHardLink   = '1'
	typeSymlink    = '2'
	typeCharDevice = '3'
	typeBlock      = '4'
	typeDirectory  = '5'
	typeFIFO       = '6'
	typeContiguous = '7'
	typePAX        = 'x'
	typePAXGlobal  = 'g'
	typeGNUName    = 'L'
	typeGNULink    = 'K'
	typeGNUSparse  = 'S'
)

var (
	errChecksum = errors.New("not a tar header: its checksum is wrong")
	errNumber   = errors.New("malformed number")
	errNegative = errors.New("negative number")
	errPAX      = errors.New("malformed PAX header")
)

// header is one entry as its header, and those before it that extend it, tell.
type header struct {
	name, link []byte // valid until the next header is read
	kind       byte
	size       int64 // in the archive; 0 for what has no contents
	mode       fs.FileMode
	sparse     bool
}

// parse reads a header block (pax(1), "ustar Interchange Format").
func (h *header) parse(b []byte) error {
	if err := checksum(b); err != nil {
		return err
	}
	size, err := number(b[124:136])
	if err != nil {
		return fmt.Errorf("size: %w", err)
	}
	mode, err := number(b[100:108])
	if err != nil {
		return fmt.Errorf("mode: %w", err)
	}
	h.kind, h.size, h.mode = b[156], size, fs.FileMode(mode)&fs.ModePerm
	h.name = append(h.name[:0], ustarPrefix(b)...)
	if len(h.name) > 0 {
		h.name = append(h.name, '/')
	}
	h.name = append(h.name, untilNUL(b[:100])...)
	h.link = append(h.link[:0], untilNUL(b[157:257])...)
	h.sparse = h.kind == typeGNUSparse
	return nil
}

// ustarPrefix is what goes before the name. GNU's own format keeps other things
// there, and is told by its magic; star's has a shorter one.
func ustarPrefix(b []byte) []byte {
	switch {
	case string(b[257:263]) != "ustar\x00":
		return nil
	case string(b[508:512]) == "tar\x00":
		return untilNUL(b[345:476])
	default:
		return untilNUL(b[345:500])
	}
}

// finish settles what extending headers may have changed.
func (h *header) finish() error {
	if h.kind == typeOldRegular {
		h.kind = typeRegular
		if bytes.HasSuffix(h.name, []byte("/")) { // as before there was a type
			h.kind = typeDirectory
		}
	}
	switch h.kind {
	case typeHardLink, typeSymlink, typeCharDevice, typeBlock, typeDirectory, typeFIFO:
		h.size = 0 // whatever the field says, no contents follow
	}
	if h.size > maxSize {
		return fmt.Errorf("size: %d bytes", h.size)
	}
	return nil
}

// checksum compares the sum of all bytes, the field itself taken as spaces. Old
// tars summed signed bytes.
func checksum(b []byte) error {
	want, err := number(b[148:156])
	if err != nil {
		return errChecksum
	}
	var unsigned, signed int64
	for i, c := range b[:blockSize] {
		if 148 <= i && i < 156 {
			c = ' '
		}
		unsigned += int64(c)
		signed += int64(int8(c))
	}
	if want != unsigned && want != signed {
		return errChecksum
	}
	return nil
}

// number reads octal digits, or GNU's base-256: the first bit set, then a big
// endian number in two's complement.
func number(field []byte) (int64, error) {
	if field[0]&0x80 != 0 {
		return base256(field)
	}
	digits := untilNUL(bytes.Trim(field, " \x00"))
	if len(digits) == 0 {
		return 0, nil
	}
	var n uint64
	for _, c := range digits {
		if c < '0' || c > '7' || n > math.MaxInt64>>3 {
			return 0, errNumber
		}
		n = n<<3 | uint64(c-'0')
	}
	return int64(n), nil
}

func base256(field []byte) (int64, error) {
	if field[0]&0x40 != 0 {
		return 0, errNegative
	}
	n := uint64(field[0] & 0x3f)
	for _, c := range field[1:] {
		if n > math.MaxInt64>>8 {
			return 0, errNumber
		}
		n = n<<8 | uint64(c)
	}
	return int64(n), nil
}

func untilNUL(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}

// records are what a PAX header says that matters here.
type records struct {
	path, link string
	size       int64 // -1 without one
	sparse     bool
}

// parseRecords reads "length key=value\n" again and again (pax(1), "pax Extended
// Header"); an empty value takes back an earlier one.
func parseRecords(data []byte) (records, error) {
	r := records{size: -1}
	text := string(data)
	for text != "" {
		digits, _, ok := strings.Cut(text, " ")
		length, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || length > uint64(len(text)) || length < uint64(len(digits))+2 || text[length-1] != '\n' {
			return r, errPAX
		}
		key, value, ok := strings.Cut(text[len(digits)+1:length-1], "=")
		if !ok || key == "" {
			return r, errPAX
		}
		if err := r.set(key, value); err != nil {
			return r, err
		}
		text = text[length:]
	}
	return r, nil
}

func (r *records) set(key, value string) error {
	switch key {
	case "path", "linkpath":
		if strings.ContainsRune(value, 0) {
			return errPAX
		}
		if key == "path" {
			r.path = value
		} else {
			r.link = value
		}
	case "size":
		if value == "" {
			r.size = -1
			return nil
		}
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return fmt.Errorf("%w: size %.30q", errPAX, value)
		}
		if n < 0 {
			return fmt.Errorf("size: %w", errNegative)
		}
		r.size = n
	case "GNU.sparse.name":
		r.path, r.sparse = value, true
	default:
		r.sparse = r.sparse || strings.HasPrefix(key, "GNU.sparse.")
	}
	return nil
}

// extend applies the records to the header that they come before.
func (r *records) extend(h *header) {
	if r.path != "" {
		h.name = append(h.name[:0], r.path...)
	}
	if r.link != "" {
		h.link = append(h.link[:0], r.link...)
	}
	if r.size >= 0 {
		h.size = r.size
	}
	h.sparse = h.sparse || r.sparse
}
