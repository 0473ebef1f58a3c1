package feed

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"aead.dev/minisign"
)

// exported returns a store with a feed and intelligence, and a bundle of it.
func exported(t testing.TB) (*Store, string) {
	t.Helper()
	_, addresses := intelligencePublisher(t)
	s := openStore(t)
	mustUpdate(t, s, Options{URL: everything(t)})
	mustUpdateIntelligence(t, s, addresses)
	path := filepath.Join(t.TempDir(), "feed.bundle")
	if _, err := s.Export(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	return s, path
}

func TestBundle(t *testing.T) {
	from, path := exported(t)
	to := openStore(t)
	b, err := to.Import(t.Context(), path, ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want, got := mustCurrent(t, from), mustCurrent(t, to)
	if got.ID() != want.ID() || b.Revision != want.ID() || !reflect.DeepEqual(got.Sources(), want.Sources()) || len(b.Sources) != 7 {
		t.Errorf("imported %s %+v of %s", got.ID(), b, want.ID())
	}
	if list, err := got.Affected("Go", "example.org/decoder"); err != nil || len(list) != 3 {
		t.Errorf("%+v, %v", list, err)
	}
	if a, b := knownOf(t, from, "CVE-2024-1001"), knownOf(t, to, "CVE-2024-1001"); !reflect.DeepEqual(a, b) || a.KEV == nil {
		t.Errorf("%+v and %+v", a, b)
	}
	status, err := to.Status(t.Context())
	if err != nil || status.LastAttempt.URL != path || status.LastAttempt.Error != "" || status.Sources[4].State != SourceOK {
		t.Errorf("%+v, %v", status, err)
	}
	// The same again is no older; and an update goes on from there.
	if _, err := to.Import(t.Context(), path, ImportOptions{}); err != nil {
		t.Error(err)
	}
	if outcome := mustUpdate(t, to, Options{URL: everything(t)}); outcome.Changed {
		t.Errorf("%+v", outcome)
	}
	if _, err := openStore(t).Export(t.Context(), path); err == nil {
		t.Error("the sample is exported")
	}
}

func TestBundleRefused(t *testing.T) {
	_, path := exported(t)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"truncated": good[:len(good)-100], "half": good[:len(good)/2], "empty": nil, "no bundle": []byte("<html>"),
		"damaged": flipped(good, len(good)/2), "damaged at the end": flipped(good, len(good)-300),
	} {
		t.Run(name, func(t *testing.T) {
			bad := filepath.Join(t.TempDir(), "bad")
			if err := os.WriteFile(bad, data, 0o644); err != nil {
				t.Fatal(err)
			}
			s := openStore(t)
			before := mustUpdate(t, s, Options{URL: goFeed(t, "01")})
			_, err := s.Import(t.Context(), bad, ImportOptions{})
			wantError(t, err, bad, "revision "+before.Revision+" stays")
			if mustCurrent(t, s).ID() != before.Revision {
				t.Error("it was installed")
			}
			if left, err := filepath.Glob(s.path(temporaryPrefix + "*")); err != nil || len(left) != 0 {
				t.Errorf("left behind %v, %v", left, err)
			}
		})
	}
}

func flipped(data []byte, at int) []byte {
	data = bytes.Clone(data)
	data[at] ^= 0xff
	return data
}

func TestOlderBundle(t *testing.T) {
	from, path := exported(t)
	newer := openStore(t)
	p, addresses := intelligencePublisher(t)
	p.put("/kev.json", bumped(kevFile))
	mustUpdate(t, newer, Options{URL: everything(t)})
	mustUpdateIntelligence(t, newer, addresses)
	before, err := newer.Intelligence(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = newer.Import(t.Context(), path, ImportOptions{})
	wantError(t, err, "source kev is older", "--allow-older")
	if after, err := newer.Intelligence(t.Context()); err != nil || after != before {
		t.Errorf("it was installed: %v", err)
	}
	if _, err := newer.Import(t.Context(), path, ImportOptions{AllowOlder: true}); err != nil {
		t.Error(err)
	}
	if a, b := knownOf(t, newer, "CVE-2024-1001"), knownOf(t, from, "CVE-2024-1001"); !reflect.DeepEqual(a, b) {
		t.Errorf("%+v and %+v", a, b)
	}
	// A bundle without intelligence leaves what there is.
	plain := openStore(t)
	mustUpdate(t, plain, Options{URL: everything(t)})
	if _, err := plain.Export(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if _, err := newer.Import(t.Context(), path, ImportOptions{}); err != nil || knownOf(t, newer, "CVE-2024-1001").KEV == nil {
		t.Errorf("%v", err)
	}
}

func bumped(kev string) string {
	return string(bytes.ReplaceAll([]byte(kev), []byte("2024-06-01T"), []byte("2024-06-09T")))
}

func TestSignature(t *testing.T) {
	_, path := exported(t)
	bundle, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	// minisign, with the file's name and .minisig
	public, private, err := minisign.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := minisign.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text := func(k minisign.PublicKey) []byte {
		data, err := k.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	reader := minisign.NewReader(bytes.NewReader(bundle))
	if _, err := reader.Read(make([]byte, len(bundle))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".minisig", reader.Sign(private), 0o644); err != nil {
		t.Fatal(err)
	}
	// cosign, with .sig
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(bundle)
	raw, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".sig", []byte(base64.StdEncoding.EncodeToString(raw)+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cosign := func(k *ecdsa.PrivateKey) []byte {
		der, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	}
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		o    ImportOptions
		says string // empty if it is accepted
	}{
		{"minisign", ImportOptions{PublicKey: write("a.pub", text(public))}, ""},
		{"minisign, named", ImportOptions{PublicKey: write("b.pub", text(public)), Signature: path + ".minisig"}, ""},
		{"minisign, wrong key", ImportOptions{PublicKey: write("c.pub", text(other))}, "has not signed"},
		{"minisign, no signature", ImportOptions{PublicKey: write("d.pub", text(public)), Signature: dir + "/none"}, "no such file"},
		{"minisign, of another file", ImportOptions{PublicKey: write("e.pub", text(public)), Signature: write("e.minisig", minisign.Sign(private, []byte("x")))}, "signature"},
		{"minisign, cosign's signature", ImportOptions{PublicKey: write("f.pub", text(public)), Signature: path + ".sig"}, "not a minisign signature"},
		{"no key", ImportOptions{PublicKey: write("g.pub", []byte("hello"))}, "not a minisign public key"},
		{"cosign", ImportOptions{PublicKey: write("h.pub", cosign(key))}, ""},
		{"cosign, wrong key", ImportOptions{PublicKey: write("i.pub", cosign(stranger))}, "has not signed"},
		{"cosign, minisign's signature", ImportOptions{PublicKey: write("j.pub", cosign(key)), Signature: path + ".minisig"}, "base64"},
	} {
		s := openStore(t)
		_, err := s.Import(context.Background(), path, test.o)
		if (err == nil) != (test.says == "") {
			t.Errorf("%s: %v", test.name, err)
		} else if err != nil {
			wantError(t, err, test.says)
		}
	}
}

// FuzzUnpackBundle: what is no bundle is an error, and nothing is written but
// under the names of a bundle's files.
func FuzzUnpackBundle(f *testing.F) {
	_, path := exported(f)
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:200])
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if b, err := unpackBundle(t.Context(), bytes.NewReader(data), dir); err == nil && b.check() != nil {
			t.Error("a bundle that is none")
		}
		entries, err := os.ReadDir(dir)
		for _, e := range entries {
			if err != nil || e.Name() != indexFile && e.Name() != knownFile {
				t.Errorf("wrote %s, %v", e.Name(), err)
			}
		}
	})
}

// FuzzReadDump: a dump is refused, or compiled to something that can be read.
func FuzzReadDump(f *testing.F) {
	f.Add([]byte("\x08manifest\x01\x08manifest\x02{}"))
	f.Add([]byte("\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "x.db")
		if readDump(t.Context(), bytes.NewReader(data), path) != nil {
			return
		}
		if _, err := verifyIntelligence(path); err == nil && len(data) < 64 {
			t.Error("verified")
		}
	})
}
