package server

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/paths/pathstest"
	"github.com/ensemble-metamers/metamers/metamerkit/people"
	pages "github.com/ensemble-metamers/metamers/metamerkit/people/page"
	"github.com/ensemble-metamers/metamers/metamerkit/people/peopletest"
)

// A cell's experiment is written where the program's folder is, with the settings of make.
func TestExperiment(t *testing.T) {
	s := peopletest.Source(16)
	h := New(&fake{})
	h.sets.put("", s.References)
	var ids []string
	for _, r := range s.Runs {
		h.runs.Put(r.ID, r)
		ids = append(ids, r.ID)
	}
	dir := t.TempDir()
	ask := func(q api.Experiment) (*api.Reply, error) {
		return h.Do(context.Background(), api.Request{Folder: dir, Experiment: &q}, nothing)
	}
	if _, err := ask(api.Experiment{Runs: ids}); err == nil || !strings.Contains(err.Error(), "expected a folder") {
		t.Errorf("error %v", err)
	}
	if _, err := ask(api.Experiment{Runs: []string{ids[0], ids[0]}, Out: "twice"}); err == nil || !strings.Contains(err.Error(), "are both of") {
		t.Errorf("error %v", err)
	}
	if _, err := pages.JSPsych(context.Background(), ""); err != nil {
		pathstest.Missing(t, "no jsPsych here: %v", err) // it comes from a network
	}
	r, err := ask(api.Experiment{Runs: ids, Out: "exp"})
	if err != nil {
		t.Fatal(err)
	}
	d, err := people.Load(filepath.Join(dir, "exp"))
	if err != nil || len(r.Texts) != 3 || r.Texts[0] != filepath.Join(dir, "exp", "index.html") || r.Texts[1] != d.SHA256() || len(d.Conditions) != 3 || d.Times.Image != 18 {
		t.Errorf("%q, %+v, %v", r.Texts, d, err)
	}
	if _, err := os.Stat(r.Texts[0]); err != nil {
		t.Error(err)
	}
}
