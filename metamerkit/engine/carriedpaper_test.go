package engine

import (
	"context"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	_ "github.com/ensemble-metamers/metamers/metamerkit/images/photos"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// The paper's procedure, with the networks and photographs that the repository carries,
// agrees with testdata/scripts/carried.py, an independent version in PyTorch.
func TestPaperProcedureCarried(t *testing.T) {
	set, err := images.Open([]string{"photos:8"}, images.Options{Size: 32})
	if err != nil {
		t.Fatal(err)
	}
	if d := worst(set.Pixels, golden(t, "carried/images")["images"].Float); d != 0 {
		t.Fatalf("the photographs differ from Pillow's by up to %g", d)
	}
	start := *set
	start.Name, start.Pixels = "golden start", golden(t, "pgd_start")["start"].Float[:len(set.Pixels)]
	// No bound is narrower than PyTorch's agreement with itself (testdata/README.md).
	for _, c := range []struct {
		label   string
		members []string
		stage   string
		first   int     // steps in which the mean loss is within 1e-3
		final   float64 // tolerance of the mean losses at the end
	}{
		{"robust_cnns", []string{"plain7_48.mm_c10_linf8", "resnet8_48.mm_c10_linf8"}, "early", 20, 0.01},
		{"robust_cnns", []string{"plain7_48.mm_c10_linf8", "resnet8_48.mm_c10_linf8"}, "middle", 20, 0.01},
		{"robust_cnns", []string{"plain7_48.mm_c10_linf8", "resnet8_48.mm_c10_linf8"}, "late", 20, 0.01},
		{"standard_resnet", []string{"resnet8_48.mm_c10"}, "late", 4, 0.2},
		{"robust_vit", []string{"vit_4_96.mm_c10_linf8"}, "middle", 20, 0.01},
	} {
		want := golden(t, "carried/pgd_"+c.label)
		t.Run(c.label+"/"+c.stage, func(t *testing.T) {
			backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
				if b.Kind == backend.Go {
					t.Skip("the pure-Go backend takes minutes; synth.TestGoldenCarried covers it")
				}
				run, err := New(b).Synthesize(context.Background(), Request{
					Recipe: metamer.Recipe{Optimizer: metamer.Optimizer{Name: "pgd"}, Models: members(c.members...), Stage: c.stage, Steps: 160, Start: metamer.Start{Kind: "image"}, Null: metamer.NullRef{Name: metamer.NoNull}},
					Images: set, Given: &start,
				})
				if err != nil {
					t.Fatal(err)
				}
				firstSteps(t, run, want, c.stage, c.first)
				finalLosses(t, run, want, c.stage, c.final)
			})
		})
	}
}
