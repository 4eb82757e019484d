package bucket

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

func init() { runs.Register("azblob", openAzure) }

// azure is a container of Azure Blob Storage.
type azure struct {
	client *container.Client
	prefix string // "" or with a slash at its end
	// Bytes that go in one request, and of the pieces of larger files.
	whole, piece int64
}

func openAzure(ctx context.Context, where string) (runs.Bucket, error) {
	u, prefix, err := address(where, "account", "endpoint")
	if err != nil {
		return nil, err
	}
	c, err := azureContainer(u.Host, u.Query().Get("account"), u.Query().Get("endpoint"))
	if err != nil {
		return nil, err
	}
	b := &azure{client: c, prefix: prefix, whole: whole, piece: piece}
	_, err = c.GetProperties(ctx, nil)
	var answer *azcore.ResponseError
	switch {
	case errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound:
		return nil, fmt.Errorf("container %q does not exist at %s: create it first", u.Host, bare(c.URL()))
	case errors.As(err, &answer) && answer.StatusCode == http.StatusForbidden && answer.ErrorCode == "AuthorizationPermissionMismatch":
		// who may use blobs need not be told of the container
	case err != nil:
		return nil, azurePlain(err)
	}
	return b, nil
}

// retry waits .2, .6, 1.4 and 3 seconds for a server that does not answer.
var retry = policy.RetryOptions{MaxRetries: 4, RetryDelay: 200 * time.Millisecond, MaxRetryDelay: 10 * time.Second}

// azureContainer looks for an account and its keys where Azure's command line does.
func azureContainer(name, account, endpoint string) (*container.Client, error) {
	o := &container.ClientOptions{ClientOptions: azcore.ClientOptions{
		Retry:     retry,
		Telemetry: policy.TelemetryOptions{ApplicationID: "metamers"},
	}}
	if s := os.Getenv("AZURE_STORAGE_CONNECTION_STRING"); s != "" && account == "" && endpoint == "" {
		return container.NewClientFromConnectionString(s, name, o)
	}
	account = cmp.Or(account, os.Getenv("AZURE_STORAGE_ACCOUNT"))
	if account == "" {
		return nil, errors.New("no storage account is named: ?account= in the URL, AZURE_STORAGE_ACCOUNT or AZURE_STORAGE_CONNECTION_STRING")
	}
	endpoint = cmp.Or(endpoint, "https://"+account+".blob.core.windows.net")
	if _, err := endpointURL(endpoint); err != nil {
		return nil, err
	}
	where := strings.TrimSuffix(endpoint, "/") + "/" + name
	if key := os.Getenv("AZURE_STORAGE_KEY"); key != "" {
		c, err := container.NewSharedKeyCredential(account, key)
		if err != nil {
			return nil, fmt.Errorf("AZURE_STORAGE_KEY is not an account key: %w", err)
		}
		return container.NewClientWithSharedKeyCredential(where, c, o)
	}
	if token := strings.TrimPrefix(os.Getenv("AZURE_STORAGE_SAS_TOKEN"), "?"); token != "" {
		return container.NewClientWithNoCredential(where+"?"+token, o)
	}
	return container.NewClientWithNoCredential(where, o)
}

// bare is an address without what may be a secret in it.
func bare(address string) string {
	address, _, _ = strings.Cut(address, "?")
	return address
}

// azurePlain gives the errors that package runs branches on, on one line and without
// the address, which a token may be part of.
func azurePlain(err error) error {
	var answer *azcore.ResponseError
	if !errors.As(err, &answer) {
		var u *url.Error
		if errors.As(err, &u) {
			return fmt.Errorf("%s %s: %w", u.Op, bare(u.URL), u.Err)
		}
		return err
	}
	text := fmt.Sprintf("the server answers %d %s", answer.StatusCode, answer.ErrorCode)
	switch {
	case answer.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%w (%s)", fs.ErrNotExist, text)
	case answer.StatusCode == http.StatusPreconditionFailed || answer.ErrorCode == "BlobAlreadyExists":
		return fmt.Errorf("%w (%s)", fs.ErrExist, text)
	}
	return errors.New(text)
}

// Get implements runs.Bucket.
func (b *azure) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := b.client.NewBlobClient(b.prefix+key).DownloadStream(ctx, nil)
	if err != nil {
		return nil, azurePlain(err)
	}
	return r.NewRetryReader(ctx, &blob.RetryReaderOptions{MaxRetries: 4}), nil
}

// Put implements runs.Bucket. The blocks of a large file have names of this Put's own,
// so that two writers do not mix theirs; only the list of them makes an object. (The
// library's UploadFile has no condition on that list.)
func (b *azure) Put(ctx context.Context, key string, f *os.File, onlyNew bool) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var when *blob.AccessConditions
	if onlyNew {
		if err := absent(ctx, b, key); err != nil { // spares the transfer
			return err
		}
		none := azcore.ETagAny
		when = &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: &none}}
	}
	c, kind := b.client.NewBlockBlobClient(b.prefix+key), contentType(key)
	headers := &blob.HTTPHeaders{BlobContentType: &kind}
	part := func(at, n int64) io.ReadSeekCloser { return streaming.NopCloser(io.NewSectionReader(f, at, n)) }
	if info.Size() <= b.whole {
		_, err = c.Upload(ctx, part(0, info.Size()), &blockblob.UploadOptions{HTTPHeaders: headers, AccessConditions: when})
		return azurePlain(err)
	}
	var names []string
	writer := rand.Text()
	for at := int64(0); at < info.Size(); at += b.piece {
		name := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s-%06d", writer, len(names)))
		if _, err := c.StageBlock(ctx, name, part(at, min(b.piece, info.Size()-at)), nil); err != nil {
			return azurePlain(err)
		}
		names = append(names, name)
	}
	_, err = c.CommitBlockList(ctx, names, &blockblob.CommitBlockListOptions{HTTPHeaders: headers, AccessConditions: when})
	return azurePlain(err)
}

// Stat implements runs.Bucket.
func (b *azure) Stat(ctx context.Context, key string) (runs.Object, error) {
	p, err := b.client.NewBlobClient(b.prefix+key).GetProperties(ctx, nil)
	if err != nil {
		return runs.Object{}, azurePlain(err)
	}
	return object(key, p.ContentLength, p.LastModified), nil
}

// List implements runs.Bucket.
func (b *azure) List(ctx context.Context, prefix string) (out []runs.Object, err error) {
	full := b.prefix + prefix
	for pages := b.client.NewListBlobsHierarchyPager("/", &container.ListBlobsHierarchyOptions{Prefix: &full}); pages.More(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, azurePlain(err)
		}
		for _, o := range page.Segment.BlobItems {
			out = append(out, object(strings.TrimPrefix(*o.Name, b.prefix), o.Properties.ContentLength, o.Properties.LastModified))
		}
	}
	return out, nil
}

func object(key string, size *int64, modified *time.Time) runs.Object {
	o := runs.Object{Key: key}
	if size != nil {
		o.Size = *size
	}
	if modified != nil {
		o.Modified = *modified
	}
	return o
}

// Delete implements runs.Bucket.
func (b *azure) Delete(ctx context.Context, key string) error {
	_, err := b.client.NewBlobClient(b.prefix+key).Delete(ctx, nil)
	return deleted(azurePlain(err))
}
