// Package rpmdb reads the database of installed rpm packages in any of its three
// formats: Berkeley DB's hash (until RHEL 8), rpm's own ndb (SUSE) and SQLite.
//
// Each is a container of one header for each package. The databases scanned are
// other people's, and the library that SCALIBR uses brings the process down on a
// malformed one: it indexes out of range in a goroutine of its own, follows
// cycles of pages, and allocates what a field says. Here every offset and length
// is checked against the file, and one package is in memory at a time.
package rpmdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// maxHeader is the size in bytes of the largest header read. Those of packages
// with a hundred thousand files have about 20 MiB.
const maxHeader = 64 << 20

// ErrFormat is returned for a file that is none of the three formats.
var ErrFormat = errors.New("not an rpm database")

// Read calls visit for each package in the database. A malformed package is left
// out, and named in the error once the others were visited.
//
// wal is SQLite's write-ahead log beside the database; nil if there is none.
func Read(ctx context.Context, database *io.SectionReader, wal io.Reader, visit func(*Package)) error {
	var malformed error
	blobs, err := container(database)
	if err != nil {
		return err
	}
	err = blobs(ctx, database, wal, func(blob []byte) {
		p, err := parseHeader(blob)
		if err != nil {
			if malformed == nil {
				malformed = fmt.Errorf("a package is malformed: %w", err)
			}
			return
		}
		visit(p)
	})
	return errors.Join(err, malformed)
}

// reader yields the headers in one format. A blob is valid until yield returns.
type reader func(ctx context.Context, database *io.SectionReader, wal io.Reader, yield func(blob []byte)) error

func container(database io.ReaderAt) (reader, error) {
	var start [16]byte
	if _, err := database.ReadAt(start[:], 0); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	switch {
	case string(start[:]) == "SQLite format 3\x00":
		return readSQLite, nil
	case string(start[:4]) == "RpmP":
		return readNDB, nil
	case binary.LittleEndian.Uint32(start[12:]) == hashMagic, binary.BigEndian.Uint32(start[12:]) == hashMagic:
		return readBDB, nil
	}
	return nil, ErrFormat
}
