package collect_test

import (
	"archive/tar"
	"bytes"
	"database/sql"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // writes the databases under test

	"patrol/internal/collect/imagefs"
)

// rpmHeader is a header as rpm's database has it (rpm: docs/manual/format_header.md).
type rpmHeader struct{ index, data []byte }

func (h *rpmHeader) add(tag, kind, count uint32, value []byte) {
	for len(h.data)%4 != 0 {
		h.data = append(h.data, 0)
	}
	for _, n := range []uint32{tag, kind, uint32(len(h.data)), count} {
		h.index = binary.BigEndian.AppendUint32(h.index, n)
	}
	h.data = append(h.data, value...)
}

// rpmPackage is the header of a package of AlmaLinux with these files.
func rpmPackage(name string, dirs, bases []string) []byte {
	var h rpmHeader
	for tag, text := range map[uint32]string{1000: name, 1001: "1", 1002: "1.el9", 1011: "AlmaLinux", 1022: "noarch", 1044: name + ".src.rpm"} {
		h.add(tag, 6, 1, append([]byte(text), 0))
	}
	var numbers []byte
	for i := range bases {
		numbers = binary.BigEndian.AppendUint32(numbers, uint32(i%len(dirs)))
	}
	h.add(1116, 4, uint32(len(bases)), numbers)
	h.add(1117, 8, uint32(len(bases)), append([]byte(strings.Join(bases, "\x00")), 0))
	h.add(1118, 8, uint32(len(dirs)), append([]byte(strings.Join(dirs, "\x00")), 0))
	intro := binary.BigEndian.AppendUint32(nil, uint32(len(h.index)/16))
	return slices.Concat(binary.BigEndian.AppendUint32(intro, uint32(len(h.data))), h.index, h.data)
}

func sqliteDatabase(t *testing.T, packages ...[]byte) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rpmdb.sqlite")
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	for _, p := range packages {
		if _, err := db.Exec("INSERT INTO Packages (blob) VALUES (?)", p); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// berkeleyDatabase has a page of its own for each package, after the first page and
// one with where they are (libdb: src/dbinc/db_page.h).
func berkeleyDatabase(_ *testing.T, packages ...[]byte) []byte {
	const page = 4096
	le := binary.LittleEndian
	meta, hash := make([]byte, page), make([]byte, page)
	le.PutUint32(meta[12:], 0x061561)
	le.PutUint32(meta[20:], page)
	le.PutUint32(meta[32:], uint32(1+len(packages)))
	le.PutUint16(hash[20:], uint16(2*len(packages)))
	hash[25] = 13
	pages := slices.Concat(meta, hash)
	for i, p := range packages {
		at := page - 12*(i+1)
		le.PutUint16(hash[26+4*i+2:], uint16(at))
		hash[at] = 3
		le.PutUint32(hash[at+4:], uint32(2+i))
		le.PutUint32(hash[at+8:], uint32(len(p)))
		content := make([]byte, page)
		content[25] = 7
		copy(content[26:], p)
		pages = append(pages, content...)
	}
	copy(pages[page:], hash)
	return pages
}

// ndbDatabase has a page of slots, and the packages after it (rpm: rpmpkg.c).
func ndbDatabase(_ *testing.T, packages ...[]byte) []byte {
	le := binary.LittleEndian
	database := append([]byte("RpmP"), make([]byte, 4096-4)...)
	le.PutUint32(database[12:], 1)
	for i := 32; i < 4096; i += 16 {
		copy(database[i:], "Slot")
	}
	for i, p := range packages {
		slot := database[32+16*i:]
		le.PutUint32(slot[4:], uint32(i+1))
		le.PutUint32(slot[8:], uint32(len(database)/16))
		intro := append([]byte("BlbS"), make([]byte, 12)...)
		le.PutUint32(intro[12:], uint32(len(p)))
		database = slices.Concat(database, intro, p)
		database = append(database, make([]byte, -len(database)&15)...)
	}
	return database
}

// An rpm database names packages and files; whatever those names are, nothing is
// written under them, nor anywhere else (CVE-2021-3762). The same holds for names
// that lead out of a layer.
func TestRPMWritesNothing(t *testing.T) {
	outside, temporary := t.TempDir(), t.TempDir()
	up := strings.Repeat("../", 40) + outside[1:] + "/"
	packages := [][]byte{
		rpmPackage("whole", []string{"/usr/bin/"}, []string{"whole"}),
		rpmPackage(up+"name", []string{up, outside + "/", "/etc/cron.d/"}, []string{"base", up + "base", outside + "/absolute", "x", ".", ".."}),
	}
	want := []string{"AlmaLinux:9 " + up + "name 1-1.el9", "AlmaLinux:9 whole 1-1.el9"}
	t.Setenv("TMPDIR", temporary)
	for file, database := range map[string][]byte{
		"rpmdb.sqlite": sqliteDatabase(t, packages...), "Packages": berkeleyDatabase(t, packages...), "Packages.db": ndbDatabase(t, packages...),
	} {
		root := t.TempDir()
		write(t, root, "etc/os-release", []byte("ID=almalinux\nVERSION_ID=9.4\n"))
		write(t, root, "var/lib/rpm/"+file, database)
		before := listing(t, root)
		tree := dir(t, root)
		if after := listing(t, root); !slices.Equal(before, after) {
			t.Errorf("%s: the tree was written to: %q, before %q", file, after, before)
		}
		image := collectImage(t, pack(t, root, true), layerOut(t, up, outside, database))
		for where, got := range map[string][]string{"tree": names(tree.Document), "image": names(image.Document)} {
			if !slices.Equal(got, want) || len(tree.Warnings)+len(image.Warnings) > 0 {
				t.Errorf("%s, %s: got %q, %v, %v, want %q", file, where, got, tree.Warnings, image.Warnings, want)
			}
		}
		for _, place := range []string{outside, temporary} {
			if left, err := os.ReadDir(place); err != nil || len(left) > 0 {
				t.Errorf("%s: written: %v, %v", file, left, err)
			}
		}
	}
}

// layerOut has databases under names that lead out of it, by themselves and by links.
func layerOut(t *testing.T, up, outside string, database []byte) imagefs.Layer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []tar.Header{
		{Name: "var/lib/rpm/" + up + "a", Typeflag: tar.TypeReg},
		{Name: outside + "/b", Typeflag: tar.TypeReg},
		{Name: "link", Typeflag: tar.TypeSymlink, Linkname: outside},
		{Name: "link/c", Typeflag: tar.TypeReg},
		{Name: "usr/share/rpm", Typeflag: tar.TypeSymlink, Linkname: up},
		{Name: "usr/share/rpm/rpmdb.sqlite", Typeflag: tar.TypeReg},
		{Name: "device", Typeflag: tar.TypeBlock, Devmajor: 8},
	} {
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(database))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(database[:h.Size]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return imagefs.Layer{File: io.NewSectionReader(bytes.NewReader(b.Bytes()), 0, int64(b.Len()))}
}
