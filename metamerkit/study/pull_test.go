package study

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/weightfiles"
)

// published is an engine whose models have their weights where they were downloaded.
type published struct {
	*made
	url string
}

func (p published) Models(ctx context.Context) ([]api.Model, error) {
	out, err := p.made.Models(ctx)
	for i, m := range out {
		c := *m.Card
		c.Weights.File, c.Weights.Hub, c.Weights.SHA256 = c.Name+".pth", "", ""
		if c.Weights.URL = p.url + "/" + c.Name; strings.HasPrefix(c.Name, "vgg11.") {
			c.Weights.URL = p.url + "/gone"
		}
		out[i] = api.Model{Card: &c}
		if _, err := weightfiles.Locate(&c); err != nil {
			out[i].Missing = err.Error()
		}
	}
	return out, err
}

// A plan that pulls has the weights downloaded that are missing, and leaves out and names the
// sets and observers whose weights cannot be had.
func TestPull(t *testing.T) {
	t.Setenv("METAMERS_CACHE", t.TempDir())
	t.Setenv("METAMERS_DATA", t.TempDir())
	asked := map[string]int{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked[r.URL.Path]++; r.URL.Path == "/gone" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, "weights")
	}))
	t.Cleanup(s.Close)
	e := published{newMade(), s.URL}
	p := Plan{Sets: [][]string{{"resnet20"}, {"vgg11.linf8"}}, Stages: []string{"late"}, Measures: []string{"recognizability"}, Observers: []string{"resnet20", "vgg11", "vgg11.linf8"}}
	var missing *MissingModelsError
	if _, err := Do(context.Background(), e, p, Options{Images: e.refs}); !errors.As(err, &missing) || len(asked) > 0 {
		t.Fatalf("%v after the requests %v", err, asked)
	}
	p.Pull = true
	for range 2 { // the second time all is there that can be had
		var warned []string
		r, err := Do(context.Background(), e, p, Options{Images: e.refs, Warn: func(text string) { warned = append(warned, text) }})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(r.Plan.Sets, [][]string{{"resnet20"}}, slices.Equal) || !slices.Equal(r.Plan.Observers, []string{"resnet20", "vgg11"}) || r.Run([]string{"resnet20"}, "late") == nil {
			t.Errorf("%+v", r.Plan)
		}
		if text := strings.Join(warned, "\n"); !strings.Contains(text, "the weights of vgg11.linf8 cannot be downloaded") || !strings.Contains(text, "left out") {
			t.Errorf("warned of %s", text)
		}
	}
	if asked["/resnet20"] != 1 || asked["/vgg11"] != 1 {
		t.Errorf("requests: %v", asked)
	}
	// Interrupted, it ends and leaves nothing out.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := os.RemoveAll(os.Getenv("METAMERS_CACHE")); err != nil {
		t.Fatal(err)
	}
	if _, err := Do(ctx, e, p, Options{Images: e.refs}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
