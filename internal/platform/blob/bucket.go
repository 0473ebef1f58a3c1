package blob

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// bucket is one of S3, or of a server that speaks its protocol.
type bucket struct {
	client       *minio.Client
	name, prefix string
}

// partSize bounds the memory of an upload, whose length is not known.
const partSize = 16 << 20

func openBucket(u *url.URL) (place, error) {
	query := u.Query()
	endpoint, err := url.Parse(cmp.Or(query.Get("endpoint"), "https://s3.amazonaws.com"))
	if err != nil || endpoint.Host == "" {
		return nil, errors.New("endpoint is no URL such as https://minio.example:9000")
	}
	// In this order: the environment, the file of Amazon's tools, and what a
	// machine, a container or a Kubernetes service account is given.
	chain := credentials.NewChainCredentials([]credentials.Provider{
		&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{Client: http.DefaultClient},
	})
	client, err := minio.New(endpoint.Host, &minio.Options{Creds: chain, Secure: endpoint.Scheme == "https", Region: query.Get("region")})
	if err != nil {
		return nil, err
	}
	return bucket{client, u.Host, strings.Trim(u.Path, "/")}, nil
}

func (b bucket) put(ctx context.Context, key string, from io.Reader, first bool) error {
	options := minio.PutObjectOptions{PartSize: partSize}
	if first {
		options.SetMatchETagExcept("*")
	}
	_, err := b.client.PutObject(ctx, b.name, path.Join(b.prefix, key), from, -1, options)
	if first && minio.ToErrorResponse(err).StatusCode == http.StatusPreconditionFailed {
		return nil // somebody else was
	}
	return err
}

func (b bucket) get(ctx context.Context, key string) (io.ReadCloser, error) {
	object, err := b.client.GetObject(ctx, b.name, path.Join(b.prefix, key), minio.GetObjectOptions{})
	if err != nil {
		return nil, err
	}
	// Nothing was asked yet.
	if _, err := object.Stat(); err != nil {
		if minio.ToErrorResponse(err).StatusCode == http.StatusNotFound {
			err = ErrNotFound
		}
		return nil, errors.Join(err, object.Close())
	}
	return object, nil
}

func (b bucket) remove(ctx context.Context, key string) error {
	return b.client.RemoveObject(ctx, b.name, path.Join(b.prefix, key), minio.RemoveObjectOptions{})
}
