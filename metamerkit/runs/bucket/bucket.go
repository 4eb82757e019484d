// Package bucket opens stores in object stores: s3://bucket/prefix at Amazon, MinIO,
// Ceph, R2 and others that speak Amazon's protocol, gs://bucket/prefix at Google Cloud
// Storage by the same, azblob://container/prefix at Azure. Import it for that:
//
//	import _ "github.com/ensemble-metamers/metamers/metamerkit/runs/bucket"
//
// Of s3 and gs the server and region stand in the URL, ?endpoint=https://host:port&region=…, or in
// the environment: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION,
// AWS_DEFAULT_REGION. Keys are looked for as Amazon's tools do: AWS_ACCESS_KEY_ID and
// AWS_SECRET_ACCESS_KEY, ~/.aws/credentials (AWS_PROFILE), a Kubernetes service
// account's web identity, the machine's own role; without any the bucket is read as
// anybody. Google's are HMAC keys in the same variables.
//
// Of azblob the account stands in the URL, ?account=name, or in AZURE_STORAGE_ACCOUNT,
// another server in ?endpoint=https://host/path; the key in AZURE_STORAGE_KEY, or a
// shared access signature in AZURE_STORAGE_SAS_TOKEN, or all of it in
// AZURE_STORAGE_CONNECTION_STRING; without any the container is read as anybody.
package bucket

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

func init() {
	runs.Register("s3", open)
	runs.Register("gs", open)
}

type bucket struct {
	client *minio.Client
	name   string
	prefix string // "" or with a slash at its end
	// unconditional servers do not know "only if there is none".
	unconditional bool
}

func open(ctx context.Context, where string) (runs.Bucket, error) {
	u, prefix, err := address(where, "endpoint", "region")
	if err != nil {
		return nil, err
	}
	q := u.Query()
	preset := "https://s3.amazonaws.com"
	if u.Scheme == "gs" {
		preset = "https://storage.googleapis.com"
	}
	endpoint := cmp.Or(q.Get("endpoint"), os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL"), preset)
	if u.Scheme == "gs" {
		endpoint = cmp.Or(q.Get("endpoint"), preset)
	}
	e, err := endpointURL(endpoint)
	if err != nil {
		return nil, err
	}
	c, err := minio.New(e.Host, &minio.Options{
		Creds:      keys(),
		Secure:     e.Scheme == "https",
		Region:     cmp.Or(q.Get("region"), os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION")),
		MaxRetries: 5,
	})
	if err != nil {
		return nil, err
	}
	b := &bucket{client: c, name: u.Host, prefix: prefix, unconditional: u.Scheme == "gs"}
	there, err := c.BucketExists(ctx, b.name)
	if err != nil && code(err) != "AccessDenied" { // who may read objects need not list buckets
		return nil, err
	}
	if err == nil && !there {
		return nil, fmt.Errorf("bucket %q does not exist at %s: create it first", b.name, endpoint)
	}
	return b, nil
}

// keys looks where Amazon's tools look.
func keys() *credentials.Credentials {
	from := []credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}}
	if os.Getenv("AWS_EC2_METADATA_DISABLED") != "true" {
		from = append(from, &credentials.IAM{Client: &http.Client{Timeout: 2 * time.Second}})
	}
	return credentials.NewChainCredentials(from)
}

func code(err error) string { return minio.ToErrorResponse(err).Code }

// plain gives the errors that package runs branches on.
func plain(err error) error {
	switch c := code(err); {
	case err == nil:
		return nil
	case c == "NoSuchKey" || c == "NotFound":
		return fmt.Errorf("%w (%v)", fs.ErrNotExist, err)
	case c == "PreconditionFailed" || c == "ConditionalRequestConflict":
		return fmt.Errorf("%w (%v)", fs.ErrExist, err)
	}
	return err
}

// Get implements runs.Bucket.
func (b *bucket) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	o, err := b.client.GetObject(ctx, b.name, b.prefix+key, minio.GetObjectOptions{})
	if err != nil {
		return nil, plain(err)
	}
	if _, err := o.Stat(); err != nil { // the request itself
		o.Close()
		return nil, plain(err)
	}
	return o, nil
}

// Put implements runs.Bucket.
func (b *bucket) Put(ctx context.Context, key string, f *os.File, onlyNew bool) error {
	if onlyNew { // spares the transfer, and is all there is where a server knows no conditions
		if err := absent(ctx, b, key); err != nil {
			return err
		}
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	o := minio.PutObjectOptions{ContentType: contentType(key), DisableMultipart: info.Size() <= whole, PartSize: piece, SendContentMd5: true}
	if onlyNew && !b.unconditional {
		o.SetMatchETagExcept("*")
	}
	_, err = b.client.PutObject(ctx, b.name, b.prefix+key, f, info.Size(), o)
	if onlyNew && !b.unconditional && code(err) == "NotImplemented" {
		b.unconditional = true
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		return b.Put(ctx, key, f, onlyNew)
	}
	return plain(err)
}

// Stat implements runs.Bucket.
func (b *bucket) Stat(ctx context.Context, key string) (runs.Object, error) {
	o, err := b.client.StatObject(ctx, b.name, b.prefix+key, minio.StatObjectOptions{})
	if err != nil {
		return runs.Object{}, plain(err)
	}
	return runs.Object{Key: key, Size: o.Size, Modified: o.LastModified}, nil
}

// List implements runs.Bucket.
func (b *bucket) List(ctx context.Context, prefix string) (out []runs.Object, err error) {
	for o := range b.client.ListObjectsIter(ctx, b.name, minio.ListObjectsOptions{Prefix: b.prefix + prefix}) {
		if o.Err != nil {
			return nil, plain(o.Err)
		}
		if !strings.HasSuffix(o.Key, "/") { // a common prefix
			out = append(out, runs.Object{Key: strings.TrimPrefix(o.Key, b.prefix), Size: o.Size, Modified: o.LastModified})
		}
	}
	return out, nil
}

// Delete implements runs.Bucket.
func (b *bucket) Delete(ctx context.Context, key string) error {
	return deleted(plain(b.client.RemoveObject(ctx, b.name, b.prefix+key, minio.RemoveObjectOptions{})))
}
