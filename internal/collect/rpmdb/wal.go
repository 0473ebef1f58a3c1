package rpmdb

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"

	"patrol/internal/collect/imagefs"
)

// pageLog is a write-ahead log up to its last commit (SQLite's file format, 4):
// for each page that it has, where its newest contents are.
type pageLog struct {
	file     *os.File        // a copy without a name: the log itself is a stream
	pages    map[int64]int64 // page number, from 1, to offset in file
	pageSize int64           // in bytes; 0 if nothing was committed
	size     int64           // of the database, in bytes
}

// Close gives the copy up.
func (l *pageLog) Close() error { return l.file.Close() }

// Sizes in bytes of the log's header, and of that of each frame.
const (
	logHeader   = 32
	frameHeader = 24
)

var errLog = errors.New("not a write-ahead log")

// readLog reads to the first frame that is not valid. That is the log's end: a
// log is written over from its start, and what is behind is older.
func readLog(ctx context.Context, wal io.Reader) (*pageLog, error) {
	file, err := imagefs.TempFile()
	if err != nil {
		return nil, err
	}
	l := &pageLog{file: file, pages: map[int64]int64{}}
	if err := l.read(ctx, bufio.NewReaderSize(wal, 64<<10)); err != nil {
		file.Close()
		return nil, err
	}
	return l, nil
}

func (l *pageLog) read(ctx context.Context, wal io.Reader) error {
	header := make([]byte, logHeader)
	if _, err := io.ReadFull(wal, header); err != nil {
		if errors.Is(err, io.EOF) { // as it is left after a checkpoint
			return nil
		}
		return err
	}
	sum, ok := newLogSum(binary.BigEndian.Uint32(header))
	pageSize := int64(binary.BigEndian.Uint32(header[8:]))
	if !ok || pageSize < 512 || pageSize > 65536 || pageSize&(pageSize-1) != 0 {
		return errLog
	}
	sum.add(header[:24])
	if !sum.equals(header[24:]) {
		return nil // not written to its end: nothing was committed
	}
	frame := make([]byte, frameHeader+pageSize)
	pending := map[int64]int64{}
	for written := int64(0); ctx.Err() == nil; written += pageSize {
		if _, err := io.ReadFull(wal, frame); err != nil {
			return ignoreEnd(err)
		}
		sum.add(frame[:8])
		sum.add(frame[frameHeader:])
		if string(frame[8:16]) != string(header[16:24]) || !sum.equals(frame[16:]) {
			return nil
		}
		if _, err := l.file.Write(frame[frameHeader:]); err != nil {
			return err
		}
		pending[int64(binary.BigEndian.Uint32(frame))] = written
		if pages := int64(binary.BigEndian.Uint32(frame[4:])); pages > 0 { // a commit
			for page, at := range pending {
				l.pages[page] = at
			}
			clear(pending)
			l.pageSize, l.size = pageSize, pages*pageSize
		}
	}
	return ctx.Err()
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// logSum is the running checksum, in the byte order that the magic tells.
type logSum struct {
	order  binary.ByteOrder
	s0, s1 uint32
}

func newLogSum(magic uint32) (*logSum, bool) {
	switch magic {
	case 0x377f0682:
		return &logSum{order: binary.LittleEndian}, true
	case 0x377f0683:
		return &logSum{order: binary.BigEndian}, true
	}
	return nil, false
}

func (s *logSum) add(data []byte) {
	for ; len(data) >= 8; data = data[8:] {
		s.s0 += s.order.Uint32(data) + s.s1
		s.s1 += s.order.Uint32(data[4:]) + s.s0
	}
}

// equals compares with a stored checksum, which is big endian always.
func (s *logSum) equals(stored []byte) bool {
	return binary.BigEndian.Uint32(stored) == s.s0 && binary.BigEndian.Uint32(stored[4:]) == s.s1
}
