package rpmdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
)

// Berkeley DB's hash access method (libdb: src/dbinc/db_page.h). The headers of
// packages are values too large for a page: a hash page points to the first of a
// chain of overflow pages.
const (
	hashMagic = 0x061561

	pageHeader   = 26
	pageMinimum  = 512
	pageMaximum  = 65536
	offPageBytes = 12 // type, padding, page, length

	kindHashUnsorted = 2
	kindOverflow     = 7
	kindHash         = 13
	kindOffPage      = 3 // of an item in a hash page
)

type bdb struct {
	file  *io.SectionReader
	order binary.ByteOrder
	size  int // of a page
	pages uint32
}

func readBDB(ctx context.Context, database *io.SectionReader, _ io.Reader, yield func([]byte)) error {
	db, err := openBDB(database)
	if err != nil {
		return err
	}
	page := make([]byte, db.size)
	for n := range db.pages {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := db.read(n, page); err != nil {
			return err
		}
		if kind := page[25]; kind != kindHash && kind != kindHashUnsorted {
			continue
		}
		if err := db.values(ctx, page, yield); err != nil {
			return fmt.Errorf("berkeley db: page %d: %w", n, err)
		}
	}
	return nil
}

func openBDB(database *io.SectionReader) (*bdb, error) {
	var meta [72]byte
	if _, err := database.ReadAt(meta[:], 0); err != nil {
		return nil, fmt.Errorf("berkeley db: reading the first page: %w", err)
	}
	db := &bdb{file: database, order: binary.LittleEndian}
	if db.order.Uint32(meta[12:]) != hashMagic {
		db.order = binary.BigEndian
	}
	size := db.order.Uint32(meta[20:])
	if size < pageMinimum || size > pageMaximum || bits.OnesCount32(size) != 1 {
		return nil, fmt.Errorf("berkeley db: pages of %d bytes", size)
	}
	if meta[24] != 0 {
		return nil, errors.New("berkeley db: encrypted")
	}
	db.size = int(size)
	// The file decides how many pages there are, whatever the first one says.
	db.pages = uint32(min(database.Size()/int64(size), int64(db.order.Uint32(meta[32:]))+1))
	return db, nil
}

func (db *bdb) read(n uint32, page []byte) error {
	if n >= db.pages {
		return fmt.Errorf("berkeley db: page %d of %d", n, db.pages)
	}
	if _, err := db.file.ReadAt(page, int64(n)*int64(db.size)); err != nil {
		return fmt.Errorf("berkeley db: reading page %d: %w", n, err)
	}
	return nil
}

// values yields the large values of a hash page. Its index has an offset for each
// key and value, in turn.
func (db *bdb) values(ctx context.Context, page []byte, yield func([]byte)) error {
	items := int(db.order.Uint16(page[20:]))
	if items%2 != 0 || pageHeader+2*items > len(page) {
		return fmt.Errorf("%d items", items)
	}
	for i := 1; i < items; i += 2 {
		offset := int(db.order.Uint16(page[pageHeader+2*i:]))
		if offset >= len(page) {
			return fmt.Errorf("an item at %d", offset)
		}
		if page[offset] != kindOffPage {
			continue
		}
		if offset+offPageBytes > len(page) {
			return fmt.Errorf("an item at %d", offset)
		}
		blob, err := db.chain(ctx, db.order.Uint32(page[offset+4:]), db.order.Uint32(page[offset+8:]))
		if err != nil {
			return err
		}
		yield(blob)
	}
	return nil
}

// chain puts together a value from overflow pages. Each but the last is full, so
// the length says how many there can be and a cycle ends.
func (db *bdb) chain(ctx context.Context, first, length uint32) ([]byte, error) {
	if length > maxHeader || int64(length) > db.file.Size() {
		return nil, fmt.Errorf("a value of %d bytes", length)
	}
	blob := make([]byte, 0, length)
	page := make([]byte, db.size)
	for n := first; n != 0 && len(blob) < int(length); n = db.order.Uint32(page[16:]) {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err := db.read(n, page); err != nil {
			return nil, err
		}
		if page[25] != kindOverflow {
			return nil, fmt.Errorf("page %d in a value is of kind %d", n, page[25])
		}
		content := page[pageHeader:]
		blob = append(blob, content[:min(len(content), int(length)-len(blob))]...)
	}
	if len(blob) < int(length) {
		return nil, fmt.Errorf("a value ends after %d of %d bytes", len(blob), length)
	}
	return blob, nil
}
