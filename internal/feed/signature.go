package feed

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"

	"aead.dev/minisign"
)

// A bundle is signed as any file is:
//
//	minisign -S -s minisign.key -m BUNDLE                       makes BUNDLE.minisig
//	cosign sign-blob --key cosign.key --output-signature BUNDLE.sig BUNDLE
//
// Which of the two it is shows in the public key: cosign's is PEM.

// verifySignature tells whether the key has signed what the file holds.
func verifySignature(ctx context.Context, file io.Reader, path string, o ImportOptions) error {
	key, err := readSmall(o.PublicKey)
	if err != nil {
		return fmt.Errorf("public key: %w", err)
	}
	verify, suffix := verifyMinisign, ".minisig"
	if bytes.Contains(key, []byte("-----BEGIN ")) {
		verify, suffix = verifyCosign, ".sig"
	}
	if o.Signature == "" {
		o.Signature = path + suffix
	}
	signature, err := readSmall(o.Signature)
	if err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	if err := verify(cancellable{ctx, file}, key, signature); err != nil {
		return fmt.Errorf("signature %s with key %s: %w", o.Signature, o.PublicKey, err)
	}
	return nil
}

var errNotSigned = errors.New("this key has not signed this file")

func verifyMinisign(file io.Reader, key, signature []byte) error {
	var public minisign.PublicKey
	if err := public.UnmarshalText(bytes.TrimSpace(key)); err != nil {
		return fmt.Errorf("not a minisign public key: %w", err)
	}
	var parsed minisign.Signature
	if err := parsed.UnmarshalText(signature); err != nil {
		return fmt.Errorf("not a minisign signature: %w", err)
	}
	if parsed.Algorithm != minisign.HashEdDSA {
		return errors.New("a signature of minisign's legacy kind; sign with minisign 0.10 or newer, or -H")
	}
	reader := minisign.NewReader(file)
	if _, err := io.Copy(io.Discard, reader); err != nil {
		return err
	}
	if !reader.Verify(public, signature) {
		return errNotSigned
	}
	return nil
}

// verifyCosign verifies what cosign's sign-blob makes with a key pair of its own:
// an ECDSA signature over the SHA-256, in base64.
func verifyCosign(file io.Reader, key, signature []byte) error {
	block, _ := pem.Decode(key)
	if block == nil {
		return errors.New("not a public key in PEM")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return fmt.Errorf("not a public key: %w", err)
	}
	public, ok := parsed.(*ecdsa.PublicKey)
	if !ok {
		return fmt.Errorf("a public key of type %T where cosign makes ECDSA", parsed)
	}
	raw, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(signature)))
	if err != nil {
		return fmt.Errorf("not a signature in base64: %w", err)
	}
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return err
	}
	if !ecdsa.VerifyASN1(public, h.Sum(nil), raw) {
		return errNotSigned
	}
	return nil
}

// readSmall reads a key or a signature.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const limit = 64 << 10
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && len(data) > limit {
		err = fmt.Errorf("%s has more than %d bytes", path, limit)
	}
	return data, err
}
