package feed

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"hash/crc32"
	"net/http"
	"strings"
)

// sums computes the checksums that a server has announced of an answer.
type sums []announced

type announced struct {
	name string
	want string // base64
	hash hash.Hash
}

// announcedSums reads what the header says of the content: the digest fields of
// RFC 9530, and what Google's object storage, where OSV publishes, sends instead
// (x-goog-hash: crc32c=…, md5=…). MD5 is no protection against whoever runs the
// server, only against damage.
func announcedSums(header http.Header) (all sums) {
	add := func(name, want string) {
		var h hash.Hash
		switch name {
		case "sha-256":
			h = sha256.New()
		case "md5":
			h = md5.New()
		case "crc32c":
			h = crc32.New(crc32.MakeTable(crc32.Castagnoli))
		default:
			return
		}
		all = append(all, announced{name, want, h})
	}
	for _, field := range []string{"Repr-Digest", "Content-Digest", "X-Goog-Hash"} {
		for part := range strings.SplitSeq(strings.Join(header.Values(field), ","), ",") {
			name, want, _ := strings.Cut(strings.TrimSpace(part), "=")
			add(strings.ToLower(name), strings.Trim(want, ":"))
		}
	}
	return all
}

func (all sums) Write(p []byte) (int, error) {
	for _, a := range all {
		a.hash.Write(p)
	}
	return len(p), nil
}

func (all sums) verify() error {
	for _, a := range all {
		if got := base64.StdEncoding.EncodeToString(a.hash.Sum(nil)); got != a.want {
			return fmt.Errorf("the content's %s is %s where the server announced %s", a.name, got, a.want)
		}
	}
	return nil
}
