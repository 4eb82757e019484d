package figures

import "testing"

func TestPreview(t *testing.T) {
	s := invented()
	refs, runs := blobs(s, s.Sets[0], s.Sets[1], s.Sets[3], s.Sets[6])
	single := func(set []string) bool { return len(set) == 1 }
	_ = single
	for _, f := range []func() (*Figure, error){
		func() (*Figure, error) { return Overview(s, refs, runs[len(runs)-1]) },
		func() (*Figure, error) { return Gallery(s, refs, nil, runs...) },
		func() (*Figure, error) { return Recognizability(s) },
		func() (*Figure, error) { return Quality(s, Metrics, nil) },
		func() (*Figure, error) { return Divergence(s, "jsd/pearson", nil) },
	} {
		fig, err := f()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range []string{"png", "svg", "pdf"} {
			if err := fig.Save("/tmp/fig/"+fig.Name+"."+e, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
}
