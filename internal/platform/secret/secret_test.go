package secret_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"

	"patrol/internal/platform/secret"
)

// keeper is one with a key file of its own.
func keeper(t *testing.T) (k *secret.Keeper, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "secrets.key")
	return reopen(t, path), path
}

func reopen(t *testing.T, path string) *secret.Keeper {
	t.Helper()
	k, err := secret.Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func seal(t *testing.T, k *secret.Keeper, plain string) string {
	t.Helper()
	sealed, err := k.Seal([]byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// opens wants a keeper to open a secret.
func opens(t *testing.T, k *secret.Keeper, sealed, plain string) {
	t.Helper()
	if got, err := k.Reveal(sealed); err != nil || string(got) != plain {
		t.Errorf("it opens as %.40q, %v; want %.40q", got, err, plain)
	}
}

func TestSeal(t *testing.T) {
	k, path := keeper(t)
	for _, plain := range []string{"", "x", "xoxb-17-secret", "pass:word\n", "\x00\xff\xfe", strings.Repeat("ä", 1<<19)} {
		sealed, again := seal(t, k, plain), seal(t, k, plain)
		if sealed == again {
			t.Errorf("%.20q is sealed the same twice", plain)
		}
		if len(plain) > 3 && strings.Contains(sealed, plain) {
			t.Errorf("%.20q stands in what is sealed", plain)
		}
		opens(t, k, sealed, plain)
		opens(t, reopen(t, path), again, plain)
		if k.Stale(sealed) {
			t.Errorf("%.20q is stale at once", plain)
		}
	}
}

// What is stored can be opened by age's own tools with the key file.
func TestSealedIsAge(t *testing.T) {
	k, path := keeper(t)
	sealed := seal(t, k, "hunter2")
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	identities, err := age.ParseIdentities(file)
	if err != nil || len(identities) != 1 {
		t.Fatalf("%d identities, %v", len(identities), err)
	}
	name, text, _ := strings.Cut(sealed, ":")
	if !strings.HasPrefix(k.Public(), "age1"+name) {
		t.Errorf("%s is no beginning of %s", name, k.Public())
	}
	r, err := age.Decrypt(base64.NewDecoder(base64.RawStdEncoding, strings.NewReader(text)), identities...)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(r); err != nil || string(plain) != "hunter2" {
		t.Errorf("%q, %v", plain, err)
	}
}

func TestRotate(t *testing.T) {
	k, path := keeper(t)
	old, public := seal(t, k, "old"), k.Public()
	if err := k.Rotate(); err != nil {
		t.Fatal(err)
	}
	if k.Public() == public {
		t.Fatal("the key is the same")
	}
	present := seal(t, k, "new")
	if !k.Stale(old) || k.Stale(present) {
		t.Errorf("stale: the old one %v, the new one %v", k.Stale(old), k.Stale(present))
	}
	for _, k := range []*secret.Keeper{k, reopen(t, path)} {
		opens(t, k, old, "old")
		opens(t, k, present, "new")
	}
	if err := k.Rotate(); err != nil { // again before the first was finished
		t.Fatal(err)
	}
	newest := seal(t, k, "newest")
	opens(t, reopen(t, path), old, "old")
	if err := k.Forget(); err != nil {
		t.Fatal(err)
	}
	for _, k := range []*secret.Keeper{k, reopen(t, path)} {
		opens(t, k, newest, "newest")
		for _, sealed := range []string{old, present} {
			if _, err := k.Reveal(sealed); !errors.Is(err, secret.ErrKey) {
				t.Errorf("forgotten: %v", err)
			}
		}
	}
	if err := k.Forget(); err != nil {
		t.Errorf("with nothing to forget: %v", err)
	}
	opens(t, k, newest, "newest")
}

// A secret of another console, or one whose key was lost, says which key it needs and
// what to do.
func TestErrKey(t *testing.T) {
	k, path := keeper(t)
	other, _ := keeper(t)
	sealed := seal(t, other, "x")
	_, err := k.Reveal(sealed)
	name, _, _ := strings.Cut(sealed, ":")
	for _, says := range []string{name, path, "put back the key", "set the secret anew"} {
		if !errors.Is(err, secret.ErrKey) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
	mine := seal(t, k, "mine")
	if err := os.Rename(path, path+".lost"); err != nil {
		t.Fatal(err)
	}
	if _, err := reopen(t, path).Reveal(mine); !errors.Is(err, secret.ErrKey) {
		t.Errorf("without its key: %v", err)
	}
	if err := os.Rename(path+".lost", path); err != nil {
		t.Fatal(err)
	}
	opens(t, reopen(t, path), mine, "mine")
}

// Whatever byte of a sealed secret changes, it does not open, least of all as another.
func TestDamaged(t *testing.T) {
	k, _ := keeper(t)
	sealed := seal(t, k, "hunter2")
	name, text, _ := strings.Cut(sealed, ":")
	file, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(changed, how string) {
		t.Helper()
		if plain, err := k.Reveal(changed); !errors.Is(err, secret.ErrDamaged) {
			t.Errorf("%s: %q, %v", how, plain, err)
		}
	}
	for i := range file {
		changed := bytes.Clone(file)
		changed[i] ^= 1
		refused(name+":"+base64.RawStdEncoding.EncodeToString(changed), fmt.Sprintf("byte %d", i))
	}
	for n := range file {
		refused(name+":"+base64.RawStdEncoding.EncodeToString(file[:n]), fmt.Sprintf("%d bytes", n))
	}
	refused("", "nothing")
	refused(name, "the id alone")
	refused(sealed+"AAAA", "a longer one")
	refused(name+":no base64!", "no base64")
	refused("hunter2", "what was never sealed")
	other, _ := keeper(t)
	_, foreign, _ := strings.Cut(seal(t, other, "x"), ":")
	refused(name+":"+foreign, "another's under this id")
}

func TestGiven(t *testing.T) {
	first, second := identity(t), identity(t)
	one := given(t, first.String())
	sealed := seal(t, one, "x")
	for _, text := range []string{
		second.String() + "," + first.String(),
		second.String() + "\n" + first.String() + "\n",
		" " + second.String() + " ,\r\n\r\n" + first.String() + ",",
		"# created: now, by me\n# public key: " + second.Recipient().String() + "\n" + second.String() + "\n# older\n" + first.String(),
	} {
		both := given(t, text)
		if both.Public() != second.Recipient().String() {
			t.Errorf("%s seals", both.Public())
		}
		opens(t, both, sealed, "x")
		opens(t, given(t, second.String()), seal(t, both, "y"), "y")
		if !both.Stale(sealed) {
			t.Error("what the second key sealed is not stale")
		}
		for _, err := range []error{both.Rotate(), both.Forget()} {
			if !errors.Is(err, secret.ErrGiven) {
				t.Error(err)
			}
		}
		opens(t, both, sealed, "x")
	}
	if _, err := given(t, second.String()).Reveal(sealed); !errors.Is(err, secret.ErrKey) || !strings.Contains(err.Error(), "the configuration has ") {
		t.Error(err)
	}
}

func identity(t *testing.T) *age.X25519Identity {
	t.Helper()
	made, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// given is a keeper of keys that the configuration gives; it makes no file.
func given(t *testing.T, keys string) *secret.Keeper {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secrets.key")
	k, err := secret.Open(path, keys)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("a key file: %v", err)
	}
	return k
}

// The error of a bad key tells where it is, not what it is.
func TestGivenIsRefused(t *testing.T) {
	good := identity(t).String()
	for text, says := range map[string]string{
		"hunter2":                               "line 1",
		good + "\n" + good[:70]:                 "line 2",
		good + "," + strings.ToLower(good[:40]): "line 1",
		"# only a comment":                      "there is no key",
		" , ":                                   "there is no key",
		good + good:                             "line 1",
		identity(t).Recipient().String():        "line 1",
	} {
		_, err := secret.Open("", text)
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "the configuration") {
			t.Errorf("%.10s…: %v", text, err)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), good[20:40])) {
			t.Errorf("%v quotes the key", err)
		}
	}
}

// However a keeper is printed, its keys are not.
func TestPrinted(t *testing.T) {
	k, path := keeper(t)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, key, _ := strings.Cut(string(text), "AGE-SECRET-KEY-1")
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for _, value := range []any{k, struct{ K *secret.Keeper }{k}, []*secret.Keeper{k}} {
			if printed := fmt.Sprintf(format, value); strings.Contains(strings.ToUpper(printed), key[:20]) {
				t.Errorf("%s prints %s", format, printed)
			}
		}
	}
}

// Many seal and open while keys change.
func TestConcurrent(t *testing.T) {
	k, path := keeper(t)
	var wg sync.WaitGroup
	sealed := make(chan string, 1000)
	for range 4 {
		wg.Go(func() {
			for range 20 {
				text := seal(t, k, "x")
				opens(t, k, text, "x")
				_ = k.Stale(text)
				sealed <- text
			}
		})
	}
	for range 5 {
		if err := k.Rotate(); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	close(sealed)
	again := reopen(t, path)
	for text := range sealed {
		opens(t, again, text, "x")
	}
}

// Of consoles that begin at once in a directory, all have the key that is in the file.
func TestFirstUseAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.key")
	keepers := make([]*secret.Keeper, 8)
	var wg sync.WaitGroup
	for i := range keepers {
		wg.Go(func() {
			var err error
			if keepers[i], err = secret.Open(path, ""); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	want := reopen(t, path).Public()
	for _, k := range keepers {
		if k != nil && k.Public() != want {
			t.Errorf("one has %s, the file %s", k.Public(), want)
		}
	}
	alone(t, path)
}
