package main_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/zlib"
	"database/sql"
	endian "encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // writes a database under test

	"patrol/internal/collect"
	"patrol/internal/report"
)

// What a scan may cost, whatever its target holds. Tests of single rooms say what
// is found and what is warned of; here it is the built binary that is measured.
const (
	hostileMemory = 512 << 20
	hostileTime   = time.Minute // of a processor: the machine may have other things to do
)

// scanHostile scans, and checks what it cost and that nothing is left behind.
func scanHostile(t *testing.T, target string) report.Report {
	t.Helper()
	temporary := t.TempDir()
	cmd := exec.CommandContext(t.Context(), binary(t), "scan", target, "--output", "json", "--data-dir", t.TempDir())
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	used, err := watchMemory(cmd.Process.Pid, ended)
	if err != nil {
		t.Fatalf("%v\n%.2000s", err, errs.String())
	}
	took := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	t.Logf("%d MiB, %v", used>>20, took)
	if used == 0 || used > hostileMemory || took > hostileTime {
		t.Errorf("it took %d MiB and %v, more than %d MiB or %v", used>>20, took, hostileMemory>>20, hostileTime)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	return decode[report.Report](t, out.String())
}

// watchMemory returns the most memory that a process has had, in bytes, once it has
// ended. What rusage would say begins with what this process had, race detector and
// all.
func watchMemory(pid int, ended <-chan error) (peak int, err error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return peak, err
		case <-tick.C:
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // it may just have ended
			var used int
			_, line, _ := strings.Cut(string(status), "VmHWM:")
			if n, _ := fmt.Sscan(line, &used); n == 1 {
				peak = used << 10
			}
		}
	}
}

// expectWarnings checks that there is one for each of the texts, "path: what", and
// no other.
func expectWarnings(t *testing.T, r report.Report, texts ...string) {
	t.Helper()
	for _, text := range texts {
		place, what, _ := strings.Cut(text, ": ")
		if !slices.ContainsFunc(r.Warnings, func(w collect.Warning) bool { return w.Path == place && strings.Contains(w.Message, what) }) {
			t.Errorf("no warning %q", text)
		}
	}
	if len(r.Warnings) != len(texts) || t.Failed() {
		t.Errorf("%d warnings, want %d: %.3000v", len(r.Warnings), len(texts), r.Warnings)
	}
}

const mib = 1 << 20

// fill repeats text up to the size.
func fill(start, text, end string, size int) []byte {
	return []byte(start + strings.Repeat(text, (size-len(start)-len(end))/len(text)) + end)
}

// TestHostileTree scans a tree in which every file would take gigabytes or minutes,
// or end the process, if its readers trusted it.
func TestHostileTree(t *testing.T) {
	root := t.TempDir()
	put := func(name string, content []byte) string {
		t.Helper()
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, content, 0o755); err != nil {
			t.Fatal(err)
		}
		return file
	}
	hole := func(name string, content []byte, size int64) {
		t.Helper()
		if err := os.Truncate(put(name, content), size); err != nil {
			t.Fatal(err)
		}
	}
	put("etc/os-release", []byte("ID=debian\nVERSION_ID=12\n"))
	put("srv/node_modules/good/package.json", []byte(`{"name":"good","version":"1.0.0"}`))

	var status bytes.Buffer
	for i := range 110_000 {
		fmt.Fprintf(&status, "Package: a%d\nStatus: install ok installed\nVersion: 1\n\n", i)
	}
	put("var/lib/dpkg/status", status.Bytes())
	hole("usr/lib/opkg/status", []byte("Package: large\nStatus: install ok installed\nVersion: 1\nDescription: "), 1_000_000_000)
	endlessRPM(t, filepath.Dir(put("var/lib/rpm/.keep", nil)))

	put("srv/Cargo.lock", fill("x = ", "[", "", 4*mib))
	put("srv/poetry.lock", fill("x = ", "{a=", "", 4*mib))
	put("srv/pnpm-lock.yaml", fill("lockfileVersion: '6.0'\nx: [", "a,", "a]\n", 3*mib))
	put("srv/a.deps.json", fill(`{"libraries":{},"x":[`, `{"":0},`, "0]}", 4*mib))
	put("srv/vendor/composer/installed.json", fill(`{"packages":[`, "{},", "{}]}", 4*mib))
	put("srv/requirements.txt", fill("", "\\\n", "", 2*mib))

	put("srv/described.jar", zipped(t, "META-INF/MANIFEST.MF", 16*mib))
	put("srv/entries.jar", emptyEntries(t, 200_001))
	put("srv/within.jar", jarsWithin(t, 65))
	put("srv/a.egg", zipped(t, "EGG-INFO/PKG-INFO", 16*mib))

	put("usr/bin/built-in", elf(1, zlibZeros(t, 16*mib), 0))
	put("usr/bin/sections", elf(15*mib/64, nil, 0))
	hole("usr/bin/names", elf(1, nil, 1<<39), 1<<40)

	empty := put("var/spool/0", nil)
	for i := range 5_000 {
		if err := os.Link(empty, fmt.Sprint(filepath.Dir(empty), "/", i+1)); err != nil {
			t.Fatal(err)
		}
	}

	r := scanHostile(t, "dir:"+root)
	expectWarnings(t, r,
		"var/lib/dpkg/status: more than 100000 packages", "usr/lib/opkg/status: not read: 953 MiB", "var/lib/rpm/rpmdb.sqlite: more than 100000 packages",
		"srv/Cargo.lock: nested", "srv/poetry.lock: nested", "srv/a.deps.json: no libraries",
		"srv/described.jar: MANIFEST.MF: more than 8 MiB", "srv/entries.jar: more than 200000 entries", "srv/within.jar: more than 2048 MiB",
		"usr/bin/built-in: more than 8 MiB",
	)
	// Those of dpkg, the one that rpm has again and again, and the good one.
	if got, want := r.SBOM.Components, 100_002; got != want {
		t.Errorf("%d components, want %d", got, want)
	}
}

// endlessRPM has the same package again and again, for as long as one reads.
func endlessRPM(t *testing.T, dir string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "rpmdb.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const entries = "000003e8 00000006 00000000 00000001 000003e9 00000006 00000002 00000001" // name, version
	header := "00000002 00000004" + entries + hex.EncodeToString([]byte("a\x001\x00"))
	if _, err := db.Exec("CREATE VIEW Packages AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT x'" + strings.ReplaceAll(header, " ", "") + "' AS blob FROM n"); err != nil {
		t.Fatal(err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// zipped has one file, of zeros.
func zipped(t *testing.T, name string, size int64) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(f, zeros{}, size); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func emptyEntries(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for range n {
		if _, err := w.CreateHeader(&zip.FileHeader{Name: "a"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// jarsWithin has n archives of 32 MiB each, which it takes few bytes to write.
func jarsWithin(t *testing.T, n int) []byte {
	t.Helper()
	inner := zipped(t, "a", 0)
	content := append(make([]byte, 32*mib-len(inner)), inner...)
	var small, b bytes.Buffer
	deflate, err := flate.NewWriter(&small, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := deflate.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := deflate.Close(); err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(&b)
	for i := range n {
		entry, err := w.CreateRaw(&zip.FileHeader{
			Name: fmt.Sprint(i, ".jar"), Method: zip.Deflate, CRC32: crc32.ChecksumIEEE(content),
			UncompressedSize64: uint64(len(content)), CompressedSize64: uint64(small.Len()),
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := entry.Write(small.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zlibZeros(t *testing.T, size int64) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if _, err := io.CopyN(w, zeros{}, size); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// elf is an executable (ELF, 64 bits, little-endian) with a section that has the
// names of sections, as large as it is said to be, and others: .dep-v0 where there
// is an audit, or else such of no kind.
func elf(others int, audit []byte, namesSize uint64) []byte {
	const names = "\x00.dep-v0\x00.shstrtab\x00"
	n, le := 2+others, endian.LittleEndian
	h, sections := make([]byte, 64), make([]byte, 64*n)
	copy(h, "\x7fELF\x02\x01\x01")
	le.PutUint16(h[16:], 2)  // executable
	le.PutUint16(h[18:], 62) // x86-64
	le.PutUint32(h[20:], 1)
	le.PutUint64(h[40:], 64) // where sections are
	le.PutUint16(h[52:], 64)
	le.PutUint16(h[58:], 64)
	le.PutUint16(h[62:], 1)
	if n < 0xff00 {
		le.PutUint16(h[60:], uint16(n))
	} else { // where the header's field is too small
		le.PutUint64(sections[32:], uint64(n))
	}
	section := func(i int, name, kind uint32, offset, size uint64) {
		s := sections[64*i:]
		le.PutUint32(s, name)
		le.PutUint32(s[4:], kind)
		le.PutUint64(s[24:], offset)
		le.PutUint64(s[32:], size)
	}
	start := uint64(64 + len(sections))
	section(1, 9, 3, start, max(namesSize, uint64(len(names))))
	if audit != nil {
		section(2, 1, 1, start+uint64(len(names)), uint64(len(audit)))
	}
	return slices.Concat(h, sections, []byte(names), audit)
}
