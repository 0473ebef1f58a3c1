// Package s3 keeps notifications as objects in a bucket, for data lakes and for those
// who must show later what was told. It speaks the protocol of Amazon S3 (Amazon
// Simple Storage Service API Reference, PutObject), which many other stores take.
//
// An object's key is made of the notification's time, type and ID, so sending one
// again writes the same bytes to the same place: by key, each is there exactly once.
package s3

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"
	"github.com/minio/minio-go/v7/pkg/s3utils"

	"patrol/internal/notify"
	"patrol/internal/platform/outgoing"
)

// amazon stands for Amazon's own service; which of its hosts is asked follows from
// the region.
const amazon = "https://s3.amazonaws.com"

// Kind is Amazon S3 and what speaks its protocol.
func Kind() notify.Kind {
	return notify.Kind{
		Name: "s3", Title: "Amazon S3", Records: true,
		Fields: []notify.Field{
			{Name: "bucket", Label: "Bucket", Help: "The name alone; the bucket must be there.", Example: "acme-patrol", Required: true},
			{Name: "prefix", Label: "Prefix", Help: "What the keys of all objects begin with.", Example: "security/patrol", Default: "patrol"},
			{Name: "region", Label: "Region", Help: "That of the bucket, as its properties show it.", Example: "eu-central-1", Default: "us-east-1"},
			{Name: "endpoint", Label: "Endpoint", Help: "For stores other than Amazon's: the address of its S3 API, without a path.", Example: "https://minio.example:9000", Default: amazon},
			{Name: "access_key_id", Label: "Access key ID", Help: "That of an IAM user who may put objects there, or of the store's own account.", Example: "AKIAIOSFODNN7EXAMPLE", Required: true},
			{Name: "secret_access_key", Label: "Secret access key", Help: "Shown once, where the access key was created.", Required: true, Secret: true},
			{Name: "path_style", Label: "Bucket in the path", Help: "Whether the bucket stands in the URL's path rather than its host; auto does what the store usually takes.", Default: "auto", Choices: []string{"auto", "true", "false"}},
			{Name: "encryption", Label: "Encryption", Help: "What to ask for, where the bucket's policy demands that; bucket is what the bucket does by itself.", Default: "bucket", Choices: []string{"bucket", "AES256", "aws:kms"}},
			{Name: "kms_key_id", Label: "KMS key", Help: "With aws:kms, the ARN of the key; without it that of the account.", Example: "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"},
			notify.CA,
		},
		Open: open,
	}
}

func open(s notify.Settings, guard *outgoing.Guard) (notify.Sender, error) {
	if err := s3utils.CheckValidBucketName(s.Get("bucket")); err != nil {
		return nil, notify.Invalid("bucket", "cannot be the name of one: %v", err)
	}
	prefix := strings.Trim(s.Get("prefix"), "/")
	// A key has at most 1024 bytes, and what comes after needs its share.
	if !utf8.ValidString(prefix) || len(prefix) > 512 || strings.ContainsFunc(prefix, unicode.IsControl) || path.Join("/", prefix) != "/"+prefix {
		return nil, notify.Invalid("prefix", "is no beginning of a key such as security/patrol")
	}
	endpoint, err := s.URL("endpoint")
	if err != nil {
		return nil, err
	}
	if strings.Trim(endpoint.Path, "/") != "" || endpoint.RawQuery != "" {
		return nil, notify.Invalid("endpoint", "has a path; the bucket stands in a field of its own")
	}
	sse, err := encryption(s.Get("encryption"), s.Get("kms_key_id"))
	if err != nil {
		return nil, err
	}
	web, err := notify.HTTPClient(guard, s.Get(notify.CA.Name))
	if err != nil {
		return nil, err
	}
	client, err := minio.New(endpoint.Host, &minio.Options{
		Creds:        credentials.NewStaticV4(s.Get("access_key_id"), s.Get("secret_access_key"), ""),
		Secure:       endpoint.Scheme == "https",
		Region:       s.Get("region"), // with one named, it is never looked up
		BucketLookup: lookup(s.Get("path_style")),
		Transport:    asking{web.Transport},
		MaxRetries:   1, // a delivery is tried again by its own schedule
	})
	if err != nil {
		return nil, notify.Invalid("endpoint", "cannot be used: %v", err)
	}
	return sender{client, s.Get("bucket"), prefix, sse, web.Timeout}, nil
}

func lookup(pathStyle string) minio.BucketLookupType {
	switch pathStyle {
	case "true":
		return minio.BucketLookupPath
	case "false":
		return minio.BucketLookupDNS
	}
	return minio.BucketLookupAuto
}

func encryption(name, key string) (encrypt.ServerSide, error) {
	switch {
	case name == "aws:kms":
		return encrypt.NewSSEKMS(key, nil)
	case key != "":
		return nil, notify.Invalid("kms_key_id", "has a meaning only with aws:kms as the encryption")
	case name == "AES256":
		return encrypt.NewSSE(), nil
	}
	return nil, nil
}

type sender struct {
	client         *minio.Client
	bucket, prefix string
	sse            encrypt.ServerSide
	timeout        time.Duration
}

// Send implements notify.Sender. What it returns is the object's key.
func (s sender) Send(ctx context.Context, n notify.Notification) (string, error) {
	body, err := json.Marshal(n)
	if err != nil {
		return "", err
	}
	key := path.Join(s.prefix, n.Time.UTC().Format("2006/01/02"), n.Type, n.ID+".json")
	var after time.Duration
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, afterKey{}, &after), s.timeout)
	defer cancel()
	notify.Note(ctx, string(body), "") // the client sends it in a form that cannot be read twice
	_, err = s.client.PutObject(ctx, s.bucket, key, bytes.NewReader(body), int64(len(body)), minio.PutObjectOptions{
		ContentType:          "application/json",
		ServerSideEncryption: s.sse,
		SendContentMd5:       true, // buckets with Object Lock take nothing without
		DisableMultipart:     true,
	})
	var answer minio.ErrorResponse
	if errors.As(err, &answer) && answer.StatusCode != 0 {
		return "", refused(answer, after)
	}
	if err != nil {
		return "", err
	}
	return key, nil
}

// refused says what the store did. Only what is said of the object itself is final;
// all else lies with keys, policies and buckets, which people mend.
func refused(answer minio.ErrorResponse, after time.Duration) error {
	f := &notify.Failure{Said: fmt.Sprintf("%d %s", answer.StatusCode, answer.Code), After: after}
	if answer.Code == "" || strings.HasPrefix(answer.Code, strconv.Itoa(answer.StatusCode)) {
		f.Said = strings.TrimSpace(fmt.Sprintf("%d %s", answer.StatusCode, http.StatusText(answer.StatusCode)))
	}
	if answer.Message != "" {
		f.Said += ": " + strings.Join(strings.Fields(answer.Message), " ")
	}
	switch answer.Code {
	case "EntityTooLarge", "KeyTooLongError":
		f.Rejected = true
	}
	return f
}

// asking remembers for how long a store asks to be left alone, which the client does
// not tell: Amazon's says SlowDown and no more, MinIO's adds Retry-After in seconds.
type asking struct{ next http.RoundTripper }

type afterKey struct{}

// RoundTrip implements http.RoundTripper.
func (a asking) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := a.next.RoundTrip(r)
	if after, ok := r.Context().Value(afterKey{}).(*time.Duration); ok && err == nil {
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // none, or a date, which none of them sends
		*after = time.Duration(max(0, min(seconds, 24*60*60))) * time.Second
	}
	return resp, err
}
