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

// An engine on another machine keeps runs in a store of its own, and the client copies
// them into its store; a store at a URL both use. It opens image sets that have a name.
// Others are opened here and sent once, in float32: 64 images of 224² are 39 MB.

// sendImages answers a request whose images the engine cannot open: it opens them here,
// with the command metamers, and sends them.
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
		return nil, errors.New("client: the engine asks for images that the request does not name")
	}
	put, err := c.openHere(ctx, q.Folder, open)
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

// openHere has the command metamers open an image set on this machine.
func (c *Client) openHere(ctx context.Context, folder string, q api.Open) (*api.Put, error) {
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

// copyRuns copies the runs of a reply, whole, into the store of the request.
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

// writeRun writes the files of a run, which its manifest vouches for, into a folder that
// is there whole or not at all.
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
	defer os.RemoveAll(tmp) // nothing where it was renamed
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
	if _, there := os.Stat(filepath.Join(dir, "manifest.json")); there == nil {
		return nil // ours, or another process's
	}
	return err
}
