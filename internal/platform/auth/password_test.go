package auth

import (
	"encoding/base64"
	"regexp"
	"testing"

	"golang.org/x/crypto/argon2"
)

// The PHC string format, https://github.com/P-H-C/phc-string-format, with the
// parameters that OWASP names.
var phc = regexp.MustCompile(`^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`)

func TestHashPassword(t *testing.T) {
	first, second := hashPassword("secret"), hashPassword("secret")
	if first == second {
		t.Error("two hashes of one password are equal: there is no salt")
	}
	for _, hash := range []string{first, second, nobody} {
		if !phc.MatchString(hash) {
			t.Errorf("hash %q is no PHC string with the recommended parameters", hash)
		}
	}
	if !checkPassword("secret", first) || checkPassword("Secret", first) || checkPassword("", first) {
		t.Error("a hash opens to its password and to nothing else")
	}
}

// A hash that was made with other parameters is checked with its own.
func TestCheckPassword(t *testing.T) {
	encode := base64.RawStdEncoding.EncodeToString
	older := "$argon2id$v=19$m=64,t=1,p=2$" + encode([]byte("salt")) + "$" + encode(argon2.IDKey([]byte("password"), []byte("salt"), 1, 64, 2, 16))
	for hash, want := range map[string]bool{
		older:                              true,
		"":                                 false,
		nobody:                             false,
		"$argon2id$v=19$m=64$c29t$AAAA":    false,
		"$argon2id$v=19$m=64,t=1,p=1$?$?":  false,
		"plain text":                       false,
		"$argon2id$v=19$m=64,t=1,p=1$c29t": false,
	} {
		if got := checkPassword("password", hash); got != want {
			t.Errorf("checkPassword(%q) = %v; want %v", hash, got, want)
		}
	}
}
