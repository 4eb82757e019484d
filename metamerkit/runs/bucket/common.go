package bucket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

const (
	whole = 4 << 30  // bytes that go in one request, which alone can be conditional everywhere
	piece = 64 << 20 // of larger files
)

// address reads a store's URL, which may have two parameters. The prefix of its keys is
// "" or ends with a slash.
func address(where, one, other string) (u *url.URL, prefix string, err error) {
	if u, err = url.Parse(where); err != nil {
		return nil, "", err
	}
	for k := range u.Query() {
		if k != one && k != other {
			return nil, "", fmt.Errorf("the URL has the parameter %q, expected %s or %s", k, one, other)
		}
	}
	if prefix = strings.Trim(u.Path, "/"); prefix != "" {
		prefix += "/"
	}
	return u, prefix, nil
}

// endpointURL reads the URL of a server.
func endpointURL(endpoint string) (*url.URL, error) {
	e, err := url.Parse(endpoint)
	if err != nil || e.Host == "" || !slices.Contains([]string{"http", "https"}, e.Scheme) {
		return nil, fmt.Errorf("the endpoint %q is not the URL of a server, expected http(s)://host:port", endpoint)
	}
	return e, nil
}

// absent is fs.ErrExist if there is an object.
func absent(ctx context.Context, b runs.Bucket, key string) error {
	switch _, err := b.Stat(ctx, key); {
	case err == nil:
		return fmt.Errorf("%s: %w", key, fs.ErrExist)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return nil
}

// deleted is err, but for that there was nothing to delete.
func deleted(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func contentType(key string) string {
	switch path.Ext(key) {
	case ".zip":
		return "application/zip"
	case ".csv":
		return "text/csv"
	}
	return "application/octet-stream"
}
