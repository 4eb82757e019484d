package fetch

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strings"
)

// digest is what has been seen of a file.
type digest struct {
	sha, md5 hash.Hash
	n        int64
	head     []byte // its beginning
}

func newDigest() *digest { return &digest{sha: sha256.New(), md5: md5.New()} }

// Write never fails.
func (d *digest) Write(b []byte) (int, error) {
	d.sha.Write(b)
	d.md5.Write(b)
	d.n += int64(len(b))
	if room := 512 - len(d.head); room > 0 {
		d.head = append(d.head, b[:min(room, len(b))]...)
	}
	return len(b), nil
}

func (d *digest) add(r io.Reader) error {
	_, err := io.CopyBuffer(d, struct{ io.Reader }{r}, make([]byte, 1<<20))
	return err
}

func (d *digest) sum() string { return hex.EncodeToString(d.sha.Sum(nil)) }

// check says what is wrong with a whole file, "" if nothing is.
func (d *digest) check(r Request) string {
	if isHTML(d.head) {
		return "it brought an HTML page in place of the file"
	}
	if r.Size > 0 && d.n < r.Size {
		return fmt.Sprintf("a short file: %d bytes, expected %d", d.n, r.Size)
	}
	if r.Size > 0 && d.n > r.Size {
		return fmt.Sprintf("too long a file: %d bytes, expected %d", d.n, r.Size)
	}
	if got := d.sum(); !strings.HasPrefix(got, r.SHA256) {
		return fmt.Sprintf("a wrong checksum: SHA-256 %s, expected %s", got, r.SHA256)
	}
	if got := hex.EncodeToString(d.md5.Sum(nil)); r.MD5 != "" && got != r.MD5 {
		return fmt.Sprintf("a wrong checksum: MD5 %s, expected %s", got, r.MD5)
	}
	if d.n == 0 {
		return "an empty file"
	}
	return ""
}

// isHTML looks at a file's first bytes.
func isHTML(head []byte) bool {
	text := strings.ToLower(strings.TrimSpace(strings.TrimPrefix(string(head), "\ufeff")))
	for _, tag := range []string{"<!doctype html", "<html", "<head", "<body"} {
		if strings.HasPrefix(text, tag) {
			return true
		}
	}
	return false
}
