package rpmdb

import (
	"io"
	"io/fs"
	"time"
)

const databaseName = "rpmdb.sqlite"

// oneFile is a file system with nothing but the database.
type oneFile struct{ file *sqliteFile }

// Open opens the database; SQLite asks for other files too, such as journals.
func (o oneFile) Open(name string) (fs.File, error) {
	if name != databaseName {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &openDatabase{io.NewSectionReader(o.file, 0, o.file.size), o.file}, nil
}

// sqliteFile is the database with the pages that its log has newer.
type sqliteFile struct {
	database *io.SectionReader
	log      *pageLog // may be nil
	size     int64
}

// ReadAt reads a page, or a part of one, as SQLite does.
func (f *sqliteFile) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		at := off + int64(n)
		if f.log == nil || f.log.pageSize == 0 {
			m, err := f.database.ReadAt(p[n:], at)
			n += m
			f.withoutLog(p[:n], off)
			return n, err
		}
		within := at % f.log.pageSize
		part := p[n:min(int64(len(p)), int64(n)+f.log.pageSize-within)]
		var m int
		if frame, ok := f.log.pages[at/f.log.pageSize+1]; ok {
			m, err = f.log.file.ReadAt(part, frame+within)
		} else {
			m, err = f.database.ReadAt(part, at)
		}
		n += m
		if m < len(part) {
			break
		}
		err = nil
	}
	f.withoutLog(p[:n], off)
	return n, err
}

// withoutLog tells SQLite that there is no log, which it would look for: bytes 18
// and 19 are 2 with one, and 1 without (SQLite's file format, 1.3).
func (f *sqliteFile) withoutLog(p []byte, off int64) {
	for at := int64(18); at < 20; at++ {
		if i := at - off; 0 <= i && i < int64(len(p)) && p[i] == 2 {
			p[i] = 1
		}
	}
}

// openDatabase is the database as an open file.
type openDatabase struct {
	*io.SectionReader
	file *sqliteFile
}

func (o *openDatabase) Stat() (fs.FileInfo, error) { return databaseInfo(o.file.size), nil }
func (*openDatabase) Close() error                 { return nil }

type databaseInfo int64

func (i databaseInfo) Name() string     { return databaseName }
func (i databaseInfo) Size() int64      { return int64(i) }
func (databaseInfo) Mode() fs.FileMode  { return 0o444 }
func (databaseInfo) ModTime() time.Time { return time.Time{} }
func (databaseInfo) IsDir() bool        { return false }
func (databaseInfo) Sys() any           { return nil }
