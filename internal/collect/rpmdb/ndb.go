package rpmdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The ndb format (rpm: lib/backend/ndb/rpmpkg.c): a header, pages of slots, and
// the headers of packages at multiples of 16 bytes. Numbers are little-endian.
const (
	ndbHeader    = 32
	ndbSlot      = 16 // magic, package, block, blocks
	ndbPage      = 4096
	ndbMaxPages  = 2048 // half a million packages
	ndbBlobStart = 16   // magic, package, checksum, length
)

func readNDB(ctx context.Context, database *io.SectionReader, _ io.Reader, yield func([]byte)) error {
	var intro [ndbHeader]byte
	if _, err := database.ReadAt(intro[:], 0); err != nil {
		return fmt.Errorf("ndb: reading the header: %w", err)
	}
	pages := binary.LittleEndian.Uint32(intro[12:])
	if pages == 0 || pages > ndbMaxPages {
		return fmt.Errorf("ndb: %d pages of slots, more than %d", pages, ndbMaxPages)
	}
	slots := make([]byte, int(pages)*ndbPage-ndbHeader)
	if _, err := database.ReadAt(slots, ndbHeader); err != nil {
		return fmt.Errorf("ndb: reading the slots: %w", err)
	}
	for ; len(slots) >= ndbSlot; slots = slots[ndbSlot:] {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if string(slots[:4]) != "Slot" {
			return errors.New("ndb: malformed slot")
		}
		if binary.LittleEndian.Uint32(slots[4:]) == 0 {
			continue // free
		}
		blob, err := ndbBlob(database, int64(binary.LittleEndian.Uint32(slots[8:]))*ndbBlobStart)
		if err != nil {
			return err
		}
		yield(blob)
	}
	return nil
}

func ndbBlob(database *io.SectionReader, offset int64) ([]byte, error) {
	var intro [ndbBlobStart]byte
	if _, err := database.ReadAt(intro[:], offset); err != nil {
		return nil, fmt.Errorf("ndb: reading a package: %w", err)
	}
	length := int64(binary.LittleEndian.Uint32(intro[12:]))
	if string(intro[:4]) != "BlbS" || length > maxHeader || length > database.Size()-offset {
		return nil, errors.New("ndb: malformed package")
	}
	blob := make([]byte, length)
	if _, err := database.ReadAt(blob, offset+ndbBlobStart); err != nil {
		return nil, fmt.Errorf("ndb: reading a package: %w", err)
	}
	return blob, nil
}
