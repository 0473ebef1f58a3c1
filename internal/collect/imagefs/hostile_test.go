package imagefs_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"patrol/internal/collect/imagefs"
)

// raw is a header block made by hand, with contents as they are.
type raw struct {
	name, link, size, prefix, magic string // size: the field's bytes
	kind                            byte
	content                         string
	change                          func(block []byte) // before the checksum
	checksum                        func(sum int64) int64
}

func (r raw) bytes() []byte {
	b := make([]byte, 512)
	copy(b, r.name)
	copy(b[100:], "0000644\x00")
	size := r.size
	if size == "" {
		size = fmt.Sprintf("%011o", len(r.content))
	}
	copy(b[124:136], size)
	b[156] = r.kind
	copy(b[157:257], r.link)
	magic := r.magic
	if magic == "" {
		magic = "ustar\x0000"
	}
	copy(b[257:], magic)
	copy(b[345:500], r.prefix)
	if r.change != nil {
		r.change(b)
	}
	sum := int64(0)
	for i, c := range b {
		if 148 <= i && i < 156 {
			c = ' '
		}
		sum += int64(c)
	}
	if r.checksum != nil {
		sum = r.checksum(sum)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	b = append(b, r.content...)
	return append(b, make([]byte, -len(b)&511)...)
}

// rawArchive ends as archives should.
func rawArchive(entries ...raw) (data []byte) {
	for _, r := range entries {
		data = append(data, r.bytes()...)
	}
	return append(data, make([]byte, 1024)...)
}

// record is a PAX record: its length counts itself.
func record(key, value string) string {
	rest := len(key) + len(value) + 3
	n := rest + len(strconv.Itoa(rest))
	n = rest + len(strconv.Itoa(n))
	return fmt.Sprintf("%d %s=%s\n", n, key, value)
}

func TestHeaders(t *testing.T) {
	long := strings.Repeat("long/", 60) + "name"
	inLong := []string{}
	for i := range 60 {
		inLong = append(inLong, strings.Repeat("long/", i+1))
	}
	tests := []struct {
		name    string
		entries []raw
		want    []string
		warned  []string
	}{
		{"ustar prefix", []raw{{name: "name", prefix: "pre/fix", kind: '0', content: "1"}}, []string{"pre/", "pre/fix/", "pre/fix/name=1 0"}, nil},
		{"GNU has no prefix", []raw{{name: "name", prefix: "times", magic: "ustar  \x00", kind: '0', content: "1"}}, []string{"name=1 0"}, nil},
		{"no magic at all", []raw{{name: "name", prefix: "x", magic: "\x00", kind: 0, content: "1"}}, []string{"name=1 0"}, nil},
		{"an old directory", []raw{{name: "d/", kind: 0}}, []string{"d/"}, nil},
		{"contiguous", []raw{{name: "a", kind: '7', content: "1"}}, []string{"a=1 0"}, nil},
		{"the name fills its field", []raw{{name: strings.Repeat("n", 100), kind: '0', content: "1"}}, []string{strings.Repeat("n", 100) + "=1 0"}, nil},
		{"GNU long name", []raw{{name: "././@LongLink", kind: 'L', content: long + "\x00"}, {name: "short", kind: '0', content: "1"}}, append(slices.Clone(inLong), long+"=1 0"), nil},
		{
			"GNU long link",
			[]raw{
				{name: "a", kind: '0', content: "1"}, {name: "././@LongLink", kind: 'K', content: strings.Repeat("./", 80) + "a\x00"}, {name: "l", kind: '1', link: "short"},
			},
			[]string{"a=1 0", "l=1 0"},
			nil,
		},
		{"PAX path", []raw{{kind: 'x', content: record("path", long)}, {name: "short", kind: '0', content: "1"}}, append(slices.Clone(inLong), long+"=1 0"), nil},
		{
			"PAX linkpath",
			[]raw{{name: "a", kind: '0', content: "1"}, {kind: 'x', content: record("linkpath", "./a")}, {name: "l", kind: '1', link: "short"}},
			[]string{"a=1 0", "l=1 0"},
			nil,
		},
		{"PAX size", []raw{{kind: 'x', content: record("size", "3")}, {name: "a", size: "00000000000", kind: '0', content: "123"}, {name: "b", kind: '0', content: "1"}}, []string{"a=123 0", "b=1 0"}, nil},
		{"PAX of other things", []raw{{kind: 'x', content: record("mtime", "1.5") + record("SCHILY.xattr.user.x", "\x00\n=")}, {name: "a", kind: '0', content: "1"}}, []string{"a=1 0"}, nil},
		{"PAX for one entry only", []raw{{kind: 'x', content: record("path", "x")}, {name: "a", kind: '0', content: "1"}, {name: "b", kind: '0', content: "1"}}, []string{"b=1 0", "x=1 0"}, nil},
		{"PAX for all", []raw{{kind: 'g', content: record("path", "x") + record("size", "9")}, {name: "a", kind: '0', content: "1"}}, []string{"a=1 0"}, nil},
		{"base-256", []raw{{name: "a", size: "\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03", kind: '0', content: "123"}}, []string{"a=123 0"}, nil},
		{"signed checksum", []raw{{name: "\xe9", kind: '0', content: "1", checksum: func(sum int64) int64 { return sum - 256 }}}, []string{"\xe9=1 0"}, nil},
		{"sizes of what has no contents", []raw{{name: "d/", size: "00000007777", kind: '5'}, {name: "l", size: "00000001000", kind: '2', link: "a"}, {name: "a", kind: '0', content: "1"}}, []string{"a=1 0", "d/", "l@"}, nil},

		{
			"GNU sparse",
			[]raw{{name: "a", kind: 'S', content: "data", magic: "ustar  \x00"}, {name: "b", kind: '0', content: "1"}},
			[]string{"b=1 0"},
			[]string{"a: layer sha256:"},
		},
		{
			"GNU sparse with a longer map",
			[]raw{
				{name: "a", kind: 'S', size: "00000000004", magic: "ustar  \x00", change: func(b []byte) { b[482] = 1 }, content: strings.Repeat("\x01", 512) + strings.Repeat("\x00", 512) + "data"},
				{name: "b", kind: '0', content: "1"},
			},
			[]string{"b=1 0"},
			[]string{"a: layer sha256:"},
		},
		{
			"PAX sparse",
			[]raw{
				{kind: 'x', content: record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0") + record("GNU.sparse.name", "real") + record("GNU.sparse.realsize", "99999999999")},
				{name: "GNUSparseFile.0/real", kind: '0', content: "1\n0\n1\n"},
				{name: "b", kind: '0', content: "1"},
			},
			[]string{"b=1 0"},
			[]string{"real: layer sha256:"},
		},
		{"an unknown type", []raw{{name: "a", kind: 'V', content: "volume"}, {name: "b", kind: '0', content: "1"}}, []string{"b=1 0"}, []string{"a: "}},
		{
			"a path longer than any",
			[]raw{{kind: 'x', content: record("path", strings.Repeat("p/", 2100))}, {name: "a", kind: '0', content: "1"}, {name: "b", kind: '0', content: "1"}},
			[]string{"b=1 0"},
			[]string{"4096 bytes"},
		},

		// What comes before the damage counts.
		{"a wrong checksum", []raw{{name: "a", kind: '0', content: "1"}, {name: "b", kind: '0', checksum: func(sum int64) int64 { return sum + 1 }}}, []string{"a=1 0"}, []string{"at offset 1024: not a tar header"}},
		{"a negative size", []raw{{name: "a", kind: '0', content: "1"}, {name: "b", kind: '0', size: strings.Repeat("\xff", 12)}}, []string{"a=1 0"}, []string{"at offset 1024: size: negative"}},
		{"a negative octal size", []raw{{name: "b", kind: '0', size: "-0000000001"}}, []string{}, []string{"at offset 0: size: malformed"}},
		{"a huge size", []raw{{name: "b", kind: '0', size: "\x80" + strings.Repeat("\xff", 11)}}, []string{}, []string{"at offset 0: size: malformed"}},
		{"an absurd size", []raw{{name: "b", kind: '0', size: "\x80\x00\x00\x00\x7f" + strings.Repeat("\xff", 7)}}, []string{}, []string{"at offset 0: size: "}},
		{"a size of 2^40 bytes", []raw{{name: "a", kind: '0', content: "1"}, {name: "b", kind: '0', size: "\x80\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00"}}, []string{"a=1 0"}, []string{"at offset 1536: b: "}},
		{"a PAX size of 2^40 bytes", []raw{{kind: 'x', content: record("size", "1099511627776")}, {name: "b", kind: '0'}}, []string{}, []string{"at offset 1536: b: "}},
		{"a sparse file of 2^40 bytes", []raw{{name: "b", kind: 'S', magic: "ustar  \x00", size: "\x80\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00"}}, []string{}, []string{"b: layer sha256:", "at offset 512: b: unexpected EOF"}},
		{
			"a sparse map that takes what follows",
			[]raw{{name: "a", kind: '0', content: "1"}, {name: "b", kind: 'S', magic: "ustar  \x00", change: func(b []byte) { b[482] = 1 }, size: "00000000000"}, {name: strings.Repeat("\x01", 100), kind: '0', content: strings.Repeat("\x01", 64<<10), change: func(b []byte) { b[504] = 1 }}},
			[]string{"a=1 0"},
			[]string{"b: layer sha256:"},
		},
		{"a size beyond the end", []raw{{name: "b", kind: '0', size: "00077777777"}}, []string{}, []string{"at offset 512: b: unexpected EOF"}},
		{"a negative PAX size", []raw{{kind: 'x', content: record("size", "-1")}, {name: "a", kind: '0'}}, []string{}, []string{"at offset 0: size: negative"}},
		{"malformed PAX", []raw{{kind: 'x', content: "99 path=x\n"}, {name: "a", kind: '0'}}, []string{}, []string{"malformed PAX"}},
		{"PAX with NUL", []raw{{kind: 'x', content: record("path", "a\x00b")}, {name: "a", kind: '0'}}, []string{}, []string{"malformed PAX"}},
		{"a PAX header of 2 MiB", []raw{{kind: 'x', content: record("comment", strings.Repeat("c", 2<<20))}, {name: "a", kind: '0'}}, []string{}, []string{"more than 1048576"}},
		{"a PAX header that says 1 TB", []raw{{kind: 'x', size: "\x80\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00"}}, []string{}, []string{"more than 1048576"}},
		{"extended headers without end", slices.Repeat([]raw{{kind: 'L', content: "x"}}, 40), []string{}, []string{"an extended header"}},
		{"an extended header of nothing", []raw{{name: "a", kind: '0', content: "1"}, {kind: 'x', content: record("path", "b")}}, []string{"a=1 0"}, nil},
	}
	for _, tt := range tests {
		for name, compress := range map[string]func(testing.TB, []byte) []byte{"in place": uncompressed, "gzip": gzipped} {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				var w warnings
				f := open(t, stored(t, compress, rawArchive(tt.entries...)), imagefs.Options{Warn: w.add})
				if got := listing(t, f); !slices.Equal(got, slices.Sorted(slices.Values(tt.want))) {
					t.Errorf("got  %q\nwant %q", got, tt.want)
				}
				w.expect(t, tt.warned...)
			})
		}
	}
}

// However short a layer is cut, it is either whole up to there, or a warning that
// names it and the place; the layers around it count.
func TestTruncated(t *testing.T) {
	data := archive(t, file("a", "1"), file("long", strings.Repeat("x", 2000)), file("c", "3"))
	for name, compress := range map[string]func(testing.TB, []byte) []byte{"in place": uncompressed, "gzip": gzipped, "zstd": zstandard} {
		t.Run(name, func(t *testing.T) {
			blob := compress(t, data)
			for n := 0; n < len(blob); n += 7 {
				layers := stored(t, uncompressed, archive(t, file("below", "0")), blob[:n], archive(t, file("above", "2")))
				layers[1].Digest = digest(data)
				var w warnings
				f := open(t, layers, imagefs.Options{Warn: w.add})
				if read(t, f, "below") != "0" || read(t, f, "above") != "2" {
					t.Fatalf("%d bytes: the other layers are not there", n)
				}
				for _, warning := range w.list {
					if !strings.Contains(warning, digest(data)) {
						t.Fatalf("%d bytes: %s", n, warning)
					}
				}
				if _, err := f.Stat("c"); err != nil && len(w.list) == 0 && n > 0 && !(name == "in place" && wholeEntries(blob[:n])) {
					t.Fatalf("%d bytes: no c, and no warning", n)
				}
				if n > 0 && len(w.list) > 0 {
					if _, err := imagefs.Open(t.Context(), layers, imagefs.Options{Verify: true}); err == nil {
						t.Fatalf("%d bytes: verified", n)
					}
				}
			}
		})
	}
}

// wholeEntries tells whether archive/tar finds nothing wrong: an archive may end
// after any entry, with or without what marks its end.
func wholeEntries(data []byte) bool {
	r := tar.NewReader(bytes.NewReader(data))
	for {
		if _, err := r.Next(); err != nil {
			return err == io.EOF
		}
	}
}

// TestKilled kills a process in the middle of a scan of a compressed layer:
// nothing is left behind.
func TestKilled(t *testing.T) {
	const variable = "PATROL_TEST_KILLED"
	if os.Getenv(variable) != "" {
		killed(t)
		return
	}
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), variable+"=1", "TMPDIR="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(out, make([]byte, len(keeping))); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Error("it ended by itself")
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%v leaves %v, %v", signal, left, err)
		}
	}
}

const keeping = "keeping\n"

// killed keeps a file, says so, and waits for the rest of the layer for ever.
func killed(t *testing.T) {
	start := append(raw{name: "kept", kind: '0', content: strings.Repeat("x", 1<<20)}.bytes(), raw{name: "more", kind: '0', size: "00000004000"}.bytes()...)
	_, err := imagefs.Open(context.Background(), []imagefs.Layer{{Fetch: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(bytes.NewReader(start), waiting{})), nil
	}}}, imagefs.Options{})
	t.Fatal("came to an end: ", err)
}

type waiting struct{}

func (waiting) Read([]byte) (int, error) {
	fmt.Print(keeping)
	select {}
}
