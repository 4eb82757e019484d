package metamerkit

import (
	"bytes"
	"context"
	"errors"
	"image/png"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/display"
	"github.com/ensemble-metamers/metamers/metamerkit/figures/figurestest"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths/pathstest"
	"github.com/ensemble-metamers/metamers/metamerkit/server"
)

// made is an engine that answers with made-up runs and rows.
type made struct{ err error }

func (m made) Synthesize(_ context.Context, q api.Synthesis) (*metamer.Run, error) {
	if m.err != nil {
		return nil, m.err
	}
	q.Progress(metamer.Progress{Phase: metamer.Compiling})
	q.Progress(metamer.Progress{Phase: metamer.Stepping, Step: 5, Steps: 10, Images: q.Images.Len(), Loss: []float64{0.5}, Preview: q.Images.Pixels})
	_, runs := figurestest.Runs(q.Recipe.ModelNames())
	for _, r := range runs {
		if r.Recipe.Stage == q.Recipe.Stage {
			r.Nulls = []metamer.Null{{Member: q.Recipe.ModelNames()[0], Pairs: 10, Pearson: 0.5}}
			r.Recipe.Images.SHA256 = q.Images.SHA256()
			return r, nil
		}
	}
	return nil, errors.New("no such stage")
}

func (m made) Evaluate(_ context.Context, q api.Evaluation) (metamer.Rows, error) {
	return figurestest.Study().Rows, m.err
}

func (m made) Distort(_ context.Context, q api.Distorting) (out []api.Distortions, err error) {
	for i, name := range q.Images.Names {
		q.Progress(i, "most and least noticed", 2)
		d := api.Distortion{Direction: q.Images.Image(i), Sensitivities: []float64{1}, Converged: true}
		out = append(out, api.Distortions{Image: name, Members: []api.MemberSensitivity{{Model: q.Models[0], Largest: 1}}, Most: d, Least: d})
	}
	return out, nil
}

func (m made) Batch(_ context.Context, q api.Batch) (int, error) { return min(q.Count, 5), nil }

func (m made) Models(context.Context) (out []api.Model, err error) {
	for _, c := range figurestest.Study().Cards {
		out = append(out, api.Model{Card: &card.Card{Name: c.Name, Kind: c.Kind, Training: c.Training, Classes: 10, Labels: "cifar10", Stages: c.Stages}})
	}
	return out, m.err
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "metamerkit")
	if err != nil {
		panic(err)
	}
	os.Setenv("METAMERS_RUNS", dir)
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func blobs() Images {
	refs, _ := figurestest.Runs()
	return Images{ImageSet: refs}
}

// Every value that a verb gives shows itself, as a picture or a table, and as text.
func TestValuesShowThemselves(t *testing.T) {
	Use(server.New(made{}))
	refs := blobs()
	run, err := Synthesize(Recipe{Models: Set("resnet20"), Stage: "late"}, refs)
	if err != nil {
		t.Fatal(err)
	}
	models, err := Models()
	if err != nil {
		t.Fatal(err)
	}
	result, err := Study(Plan{Images: "photos:6", Size: 16, Sets: figurestest.Study().Sets})
	if err != nil {
		t.Fatal(err)
	}
	pair := figurestest.Study().Sets[2]
	if r, err := Study(Plan{Images: "photos:6", Size: 16, Groups: map[string][]string{"a group": pair}, Sets: [][]string{{"a group"}}}); err != nil || !slices.Equal(r.Plan.Groups["a group"], pair) || !slices.Equal(r.Plan.Sets[0], pair) {
		t.Errorf("a set that names a group: %v", err)
	}
	fig, err := result.Recognizability()
	if err != nil {
		t.Fatal(err)
	}
	distortions, err := Distort([]string{"resnet20"}, "late", refs)
	if err != nil || len(distortions.Found) != refs.Len() || len(distortions.Found[0].Most.Direction) != refs.Size*refs.Size*3 {
		t.Fatalf("distortions: %v", err)
	}
	for name, v := range map[string]any{"images": refs, "distortions": distortions, "run": run, "verdicts": run.Verdicts(), "models": models, "figure": fig, "table": result.Tables()[0]} {
		b, err := display.Bundle(v)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(b["text/plain"]) == 0 || strings.Contains(string(b["text/plain"]), "{") && name != "run" {
			t.Errorf("%s has the text %.60q", name, b["text/plain"])
		}
		if data := b["image/png"]; data != nil {
			if _, err := png.DecodeConfig(bytes.NewReader(data)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		} else if !bytes.HasPrefix(b["text/html"], []byte("<table>")) {
			t.Errorf("%s has neither a picture nor a table", name)
		}
	}
	if s := run.Verdicts().Markdown(); !strings.Contains(s, "resnet20") || !strings.Contains(s, "of 6") {
		t.Error(s)
	}
}

// Errors of the engine come through, with their kinds.
func TestErrors(t *testing.T) {
	Use(server.New(made{err: metamer.Unknown("model", "resnet21", []string{"resnet20"})}))
	defer Use(server.New(made{}))
	var unknown *metamer.UnknownError
	if _, err := Synthesize(Recipe{Models: Set("resnet21"), Stage: "late"}, blobs()); !errors.As(err, &unknown) {
		t.Error(err)
	}
	if _, err := Models(); !errors.As(err, &unknown) {
		t.Error(err)
	}
	if _, err := OpenImages("photso"); err == nil {
		t.Error("an unknown image set opens")
	}
	if _, err := Study(Plan{}); err == nil || !strings.Contains(err.Error(), "sets") {
		t.Error(err)
	}
}

// Photographs open at the size asked for; CIFAR-10 keeps its own.
func TestOpenImages(t *testing.T) {
	s, err := OpenImages("photos:3", 32)
	if err != nil || s.Len() != 3 || s.Size != 32 {
		t.Errorf("%v %v", s, err)
	}
	t.Setenv("METAMERS_DATA", "../../shared/data")
	if !images.HasCIFAR() {
		pathstest.Missing(t, "no CIFAR-10 here")
	}
	if s, err := OpenImages("cifar10:2", 64); err != nil || s.Size != 32 {
		t.Errorf("%v %v", s, err)
	}
}
