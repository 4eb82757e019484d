// Package sweep runs a study's plan in shards: in several processes on this machine, on
// Slurm, or on Kubernetes. A shard is one command that makes or evaluates a run in the
// content-addressed store, so it can be ended and repeated at any time. The folder of a
// sweep has the state of each shard:
//
//	plan.yaml      the plan, pinned: what every shard reads
//	sweep.json     store, backend, images and block, which with the plan give the shards
//	records/N.json what became of shard N (Record)
//	logs/N.log     what its command said
//	jobs.json      what was handed to Slurm
//
// It computes nothing and links no GoMLX.
package sweep

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/study"
)

// Sweep is a plan split into shards.
type Sweep struct {
	Dir     string     `json:"-"`
	Plan    study.Plan `json:"-"`
	Name    string     `json:"name"`
	Store   string     `json:"store"` // folder of runs, as the workers see it
	Backend string     `json:"backend"`
	Folder  string     `json:"folder"` // where commands start: images and weights may have relative names
	Images  int        `json:"images"`
	Block   int        `json:"block"`
	Shards  []Shard    `json:"-"`
	Started time.Time  `json:"started"` // the last time
}

// Options of New.
type Options struct {
	Home    string // folder of the sweeps' folders
	Store   string
	Backend string
	Folder  string
	Images  int // in the plan's set
	Block   int // images a shard; 0: the plan's, else four batches
}

// New splits a pinned plan. Nothing is written yet. The same plan, store and backend
// have the same folder, whatever its Slurm and Kubernetes settings are.
func New(p study.Plan, o Options) (*Sweep, error) {
	if o.Block == 0 {
		o.Block = p.Sweep.Block
	}
	s := &Sweep{Plan: p, Name: p.Name, Store: o.Store, Backend: o.Backend, Folder: o.Folder, Images: o.Images}
	var err error
	if s.Shards, s.Block, err = Split(p, o.Images, o.Block); err != nil {
		return nil, err
	}
	bare := p
	bare.Sweep = study.Sweep{}
	text, err := yaml.Marshal(bare)
	if err != nil {
		return nil, fmt.Errorf("sweep: plan %s: %w", p.Name, err)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d %d %s %s", text, o.Images, s.Block, o.Store, o.Backend))
	s.Dir = filepath.Join(o.Home, fmt.Sprintf("%s-%.4x", fileName(p.Name), sum))
	return s, nil
}

// fileName leaves of a name what every file system and Kubernetes take (a pod of a Job
// has at most 63 characters, the shard's index included).
func fileName(name string) string {
	out := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, name)
	if out = strings.Trim(out, "-"); out == "" {
		out = "study"
	}
	return strings.TrimRight(out[:min(len(out), 24)], "-")
}

// Write makes the sweep's folder, or brings it up to date.
func (s *Sweep) Write() error {
	for _, d := range []string{"records", "logs"} {
		if err := os.MkdirAll(s.path(d), 0o755); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
	}
	s.Started = time.Now().Truncate(time.Second)
	text, err := yaml.Marshal(s.Plan)
	if err != nil {
		return fmt.Errorf("sweep: plan %s: %w", s.Plan.Name, err)
	}
	if err := put(s.path("plan.yaml"), text); err != nil {
		return err
	}
	return putJSON(s.path("sweep.json"), s)
}

// Open reads a sweep's folder.
func Open(dir string) (*Sweep, error) {
	s := &Sweep{Dir: dir}
	data, err := os.ReadFile(s.path("sweep.json"))
	if err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("sweep: %s: %w", s.path("sweep.json"), err)
	}
	if s.Plan, err = study.Load(s.path("plan.yaml")); err != nil {
		return nil, err
	}
	if s.Shards, _, err = Split(s.Plan, s.Images, s.Block); err != nil {
		return nil, fmt.Errorf("%s: %w", s.path("sweep.json"), err)
	}
	return s, nil
}

// Find returns the sweeps in home whose plan is called name ("": all), or whose folder
// is, the one started last first.
func Find(home, name string) ([]*Sweep, error) {
	entries, err := os.ReadDir(home)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	var out []*Sweep
	for _, e := range entries {
		s, err := Open(filepath.Join(home, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if name == "" || s.Name == name || e.Name() == name {
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(a, b *Sweep) int { return b.Started.Compare(a.Started) })
	return out, nil
}

// ID is the name of the sweep's folder.
func (s *Sweep) ID() string { return filepath.Base(s.Dir) }

func (s *Sweep) path(name ...string) string {
	return filepath.Join(append([]string{s.Dir}, name...)...)
}

func put(path string, data []byte) error {
	if err := paths.WriteBytes(path, data); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	return nil
}

func putJSON(path string, v any) error {
	text, err := jsonText(v)
	if err != nil {
		return err
	}
	return put(path, []byte(text))
}

func jsonText(v any) (string, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return "", fmt.Errorf("sweep: %w", err)
	}
	return string(data) + "\n", nil
}

// PlanPath is the pinned plan's file.
func (s *Sweep) PlanPath() string { return s.path("plan.yaml") }
