package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// An engine on another machine has its own store, from which the client copies runs into
// the store of the request; a store at a URL is used by both. The engine opens image sets
// that have a name. The client opens others and sends them once, in float32: 64 images of
// 224² pixels are 39 MB.

// sendImages repeats a request whose images the engine cannot open: the command metamers
// opens them on this machine, and the client sends them first.
func (c *Client) sendImages(ctx context.Context, q api.Request, show func(api.Event)) (*api.Reply, error) {
	var open api.Open
	switch {
	case q.Open != nil:
		open = *q.Open
	case q.Study != nil && q.Study.Images == nil:
		var plan struct {
			Images string
			Size   int
		}
		if err := json.Unmarshal(q.Study.Plan, &plan); err != nil {
			return nil, fmt.Errorf("client: the plan: %w", err)
		}
		open = api.Open{Spec: []string{plan.Images}, Size: plan.Size}
	default:
		return nil, errors.New("client: the engine requests images that the request does not name")
	}
	put, err := c.openImages(ctx, q.Folder, open)
	if err != nil {
		return nil, err
	}
	reply, err := c.Do(ctx, api.Request{Put: put}, show)
	if err != nil {
		return nil, err
	}
	if q.Open != nil {
		return &api.Reply{Images: &put.Images, SHA256: reply.SHA256}, nil
	}
	study := *q.Study
	study.Images = &metamer.ImageRef{Name: put.Images.Name, SHA256: reply.SHA256}
	q.Study = &study
	return c.Do(ctx, q, show)
}

// openImages opens an image set on this machine with the command metamers. Messages of the
// command go to Say, or become the error if it fails.
func (c *Client) openImages(ctx context.Context, folder string, q api.Open) (*api.Put, error) {
	program, err := c.program()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, append([]string{"engine", "images", "--size=" + strconv.Itoa(q.Size), "--"}, q.Spec...)...)
	var said bytes.Buffer
	cmd.Dir, cmd.Stderr = folder, &said
	data, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	text := strings.TrimPrefix(strings.TrimSpace(said.String()), "metamers: ")
	if err != nil && text != "" {
		return nil, errors.New(text)
	}
	if err != nil {
		return nil, fmt.Errorf("client: opening images with %s: %w", program, err)
	}
	if text != "" {
		c.say(text)
	}
	put := &api.Put{}
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(put); err != nil {
		return nil, fmt.Errorf("client: opening images with %s: %w", program, err)
	}
	return put, nil
}

// copyRuns copies the runs that a reply lists as saved into the store of the request, unless
// that store is a URL.
func (c *Client) copyRuns(ctx context.Context, q api.Request, reply *api.Reply) error {
	if q.Store == "" || strings.Contains(q.Store, "://") {
		return nil
	}
	for _, id := range reply.Saved {
		dir := filepath.Join(q.Store, id)
		if _, err := os.Stat(dir); err != nil {
			got, err := c.Do(ctx, api.Request{Store: q.Store, Copy: &api.Copy{Run: id}}, func(api.Event) {})
			if err != nil {
				return err
			}
			if err := writeRun(dir, got.Files); err != nil {
				return fmt.Errorf("client: copying run %s: %w", id, err)
			}
		}
		for _, r := range reply.Runs {
			if r.ID == id {
				r.Dir = dir
			}
		}
	}
	return nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// writeRun writes the files of a run into a folder, which appears whole or not at all. Each
// file must have the SHA-256 that the manifest states.
func writeRun(dir string, files map[string][]byte) error {
	var manifest struct{ Files map[string]string }
	if err := json.Unmarshal(files["manifest.json"], &manifest); err != nil {
		return fmt.Errorf("its manifest: %w", err)
	}
	store, id := filepath.Split(dir)
	if err := os.MkdirAll(store, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(store, "."+id+".part-copy-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp) // does nothing after the rename
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	if manifest.Files == nil {
		return errors.New("its manifest names no files")
	}
	manifest.Files["manifest.json"] = digest(files["manifest.json"])
	for name, want := range manifest.Files {
		data, ok := files[name]
		if !ok || !filepath.IsLocal(name) || digest(data) != want {
			return fmt.Errorf("the file %q is not what its manifest says", name)
		}
		path := filepath.Join(tmp, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := paths.WriteBytes(path, data); err != nil {
			return err
		}
	}
	err = os.Rename(tmp, dir)
	if _, missing := os.Stat(filepath.Join(dir, "manifest.json")); missing == nil {
		return nil // ours, or another process's
	}
	return err
}
