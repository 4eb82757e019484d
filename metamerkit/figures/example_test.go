package figures_test

import (
	"bytes"
	"flag"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"

	"gonum.org/v1/plot/cmpimg"

	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/figures/figurestest"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

var update = flag.Bool("update", false, "write the golden images instead of comparing with them")

// golden compares a figure with its golden image, pixel by pixel. On a difference
// it leaves NAME.got.png and NAME.diff.png beside it.
func golden(f *figures.Figure, err error) {
	if err != nil {
		fmt.Println(err)
		return
	}
	got, err := f.PNG(100)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(compare(filepath.Join("testdata", f.Name), fmt.Sprintf("%s, %.0f × %.0f points", f.Title, f.Width.Points(), f.Height.Points()), got))
}

// compare says whether a PNG is the golden image base.png.
func compare(base, what string, got []byte) string {
	if *update {
		return fmt.Sprint(os.WriteFile(base+".png", got, 0o644))
	}
	want, err := os.ReadFile(base + ".png")
	if err != nil {
		return err.Error()
	}
	same, err := cmpimg.Equal("png", got, want)
	if err == nil && same {
		return fmt.Sprintf("%s: as %s.png", what, base)
	}
	said := fmt.Sprintf("%s differs from %s.png (%v): see %[2]s.got.png and %[2]s.diff.png", what, base, err)
	if err := leave(base, got, want); err != nil {
		return said + ": " + err.Error()
	}
	return said
}

// leave writes what was drawn, and the difference.
func leave(base string, got, want []byte) error {
	if err := os.WriteFile(base+".got.png", got, 0o644); err != nil {
		return err
	}
	a, err := png.Decode(bytes.NewReader(got))
	if err != nil {
		return err
	}
	b, err := png.Decode(bytes.NewReader(want))
	if err != nil {
		return err
	}
	d := image.NewRGBA(a.Bounds().Union(b.Bounds()))
	cmpimg.Diff(d, a, b)
	var buf bytes.Buffer
	if err := png.Encode(&buf, d); err != nil {
		return err
	}
	return os.WriteFile(base+".diff.png", buf.Bytes(), 0o644)
}

// single keeps sets of one model.
func single(set []string) bool { return len(set) == 1 }

func ExampleOverview() {
	s := figurestest.Study()
	refs, runs := figurestest.Runs(s.Sets[3])
	golden(figures.Overview(s, refs, runs[2]))
	// Output: Ensemble metamers, 560 × 236 points: as testdata/figure1.png
}

func ExampleGallery() {
	s := figurestest.Study()
	refs, runs := figurestest.Runs(s.Sets[0], s.Sets[1], s.Sets[3], s.Sets[6])
	golden(figures.Gallery(s, refs, nil, runs...))
	// Output: Metamers of single models and ensembles, 637 × 288 points: as testdata/figure2.png
}

func ExampleRecognizability() {
	golden(figures.Recognizability(figurestest.Study()))
	// Output: Recognizability, 525 × 416 points: as testdata/figure3.png
}

func ExampleQuality() {
	golden(figures.Quality(figurestest.Study(), figures.Metrics, nil))
	// Output: Image metrics, 528 × 428 points: as testdata/figure4.png
}

func ExampleDivergence() {
	golden(figures.Divergence(figurestest.Study(), metamer.JSD, nil))
	// Output: Jensen-Shannon divergence, 745 × 273 points: as testdata/figure5.png
}

// Figure 6 is Figure 4 for sets of one model.
func ExampleQuality_single() {
	f, err := figures.Quality(figurestest.Study(), figures.Metrics, single)
	if err == nil {
		f.Name = "figure6"
	}
	golden(f, err)
	// Output: Image metrics, 528 × 406 points: as testdata/figure6.png
}

// Figure 7 is Figure 5 for sets of one model.
func ExampleDivergence_single() {
	f, err := figures.Divergence(figurestest.Study(), metamer.JSD, single)
	if err == nil {
		f.Name = "figure7"
	}
	golden(f, err)
	// Output: Jensen-Shannon divergence, 529 × 259 points: as testdata/figure7.png
}

// At late one pair has no metamer, so that there is no tree.
func ExampleParting() {
	golden(figures.Parting(figurestest.Pairs()))
	// Output: Who parts from whom, 774 × 614 points: as testdata/figure8.png
}

func ExamplePartings() {
	s := figurestest.Pairs()
	s.Sets = s.Sets[4:]
	fmt.Print(figures.Partings(s).Markdown())
	// Output:
	// | metamers for | stage | against | metamers | apart | 1 − r |
	// |---|---|---|---:|---:|---:|
	// | vit_tiny_patch16_224.augreg_in21k_ft_in1k | middle | cct_small.linf8 | 16 of 16 | 1.000 (0.800–1.000) | 1.024 (0.944–1.094) |
	// | vit_tiny_patch16_224.augreg_in21k_ft_in1k | late | cct_small.linf8 | 16 of 16 | 1.000 (0.800–1.000) | 1.124 (1.044–1.194) |
	// | cct_small.linf8 | middle | vit_tiny_patch16_224.augreg_in21k_ft_in1k | 11 of 16 | 0.688 (0.487–0.787) | 0.597 (0.517–0.667) |
	// | cct_small.linf8 | late | vit_tiny_patch16_224.augreg_in21k_ft_in1k | 0 of 16 | 0.000 (0.000–0.100) | – |
}

func ExampleTrainingCurves() {
	t := figures.Training{Name: "plain7_48.mm_c10_linf8"}
	for i, v := range [][4]float64{{2.09, .22, .544, .195}, {1.78, .32, .562, .281}, {1.7, .35, .604, .305}, {1.63, .37, .622, .297}} {
		t.Points = append(t.Points, figures.TrainingPoint{Epoch: i + 1, Loss: v[0], Accuracy: v[1], HeldOut: v[2], Attacked: v[3]})
	}
	golden(figures.TrainingCurves(t))
	// Output: Training of plain7_48.mm_c10_linf8, 396 × 360 points: as testdata/training.png
}

func ExampleModelSets() {
	fmt.Print(figures.ModelSets(figurestest.Study()).Markdown())
	// Output:
	// | model set | members | kind |
	// |---|---:|---|
	// | resnet20 | 1 | standard CNNs |
	// | resnet20 + vgg11 | 2 | standard CNNs |
	// | resnet20.linf8 + vgg11.linf8 | 2 | robust CNNs |
	// | resnet20.linf8 | 1 | robust CNNs |
	// | vit_tiny_patch16_224.augreg_in21k_ft_in1k | 1 | standard transformers |
	// | cct_small.linf8 | 1 | robust transformers |
	// | resnet20 + resnet20.linf8 + vit_tiny_patch16_224.augreg_in21k_ft_in1k | 3 | CNNs with transformers |
}

func ExampleModels() {
	s := figurestest.Study()
	fmt.Print(figures.Models(s.Cards["resnet20"], s.Cards["cct_small.linf8"]).LaTeX())
	// Output:
	// % needs the packages booktabs, array and longtable
	// \begin{table}
	// \centering
	// \caption{Models: architecture, training, parameters, source, licence and test accuracy as measured by this project.}
	// \label{tab:table1}
	// \scriptsize\setlength{\tabcolsep}{4pt}
	// \begin{tabular}{lllrll>{\raggedright\arraybackslash}p{0.204\linewidth}}
	// \toprule
	// model & kind & training & parameters & source & licence & accuracy \\
	// \midrule
	// resnet20 & CNN & standard & 1,234,567 & made up & none & 91.73 \% (cifar10 test) \\
	// cct\_small.linf8 & transformer & robust & -- & made up & none & 91.73 \% (cifar10 test) \\
	// \bottomrule
	// \end{tabular}
	// \end{table}
}

func ExampleStages() {
	s := figurestest.Study()
	fmt.Print(figures.Stages(s.Cards["resnet20"]).CSV())
	// Output:
	// model,stage,layer,reason
	// resnet20,early,layer1,"a reason, of words"
	// resnet20,middle,layer2,"a reason, of words"
	// resnet20,late,layer3,"a reason, of words"
}

func ExampleSettings() {
	r := metamer.Recipe{Optimizer: metamer.Optimizer{Name: "pgd"}, Stage: "late", Images: metamer.ImageRef{Name: "photos", Count: 16, Size: 32}, Backend: "xla"}.WithDefaults()
	fmt.Print(figures.Settings(&metamer.Run{Recipe: r, Nulls: []metamer.Null{{Pairs: 12}}}).Markdown())
	// Output:
	// | setting | value |
	// |---|---|
	// | optimiser | pgd |
	// | step size | 1 (L2 norm per image), halved at 8 equal intervals |
	// | steps | 1000 |
	// | gradient evaluations an image | 1000 |
	// | schedule | switch every 10 steps, order given |
	// | inversion loss | relative-l2 |
	// | penalties | none |
	// | initial image | N(0.5, 0.05) clamped to [0,1] |
	// | ReLU at the end of the layer | passes the gradient unchanged |
	// | seed | 0 |
	// | images | photos: 16 of 32² pixels |
	// | null distribution | 12 random pairs of the run's own references |
	// | backend | xla |
}

func ExampleNumbers() {
	s := figurestest.Study()
	s.Sets = s.Sets[:1]
	fmt.Print(figures.Numbers(s, figures.Metrics[9:]).HTML())
	// Output:
	// <table>
	// <caption style="text-align:left"><div style="max-width:55em">Recognizability by members and by other observers, and image metrics, with 95 % intervals over images. Arrows point in the better direction. Settings: pgd, 1000 steps, start from noise, relative L2 loss.</div></caption>
	// <thead><tr><th style="text-align:left">model set</th><th style="text-align:left">stage</th><th style="text-align:right">members ↑</th><th style="text-align:right">other observers ↑</th><th style="text-align:right">NIQE (photos) ↓</th></tr></thead>
	// <tbody>
	// <tr><td style="text-align:left">resnet20</td><td style="text-align:left">early</td><td style="text-align:right">0.920<br><span style="white-space:nowrap">(0.880–0.960)</span></td><td style="text-align:right">0.920<br><span style="white-space:nowrap">(0.880–0.960)</span></td><td style="text-align:right">0.155<br><span style="white-space:nowrap">(−0.345–0.655)</span></td></tr>
	// <tr><td style="text-align:left">resnet20</td><td style="text-align:left">middle</td><td style="text-align:right">0.699<br><span style="white-space:nowrap">(0.659–0.739)</span></td><td style="text-align:right">0.478<br><span style="white-space:nowrap">(0.438–0.518)</span></td><td style="text-align:right">0.295<br><span style="white-space:nowrap">(−0.205–0.795)</span></td></tr>
	// <tr><td style="text-align:left">resnet20</td><td style="text-align:left">late</td><td style="text-align:right">0.478<br><span style="white-space:nowrap">(0.438–0.518)</span></td><td style="text-align:right">0.036<br><span style="white-space:nowrap">(−0.004–0.076)</span></td><td style="text-align:right">0.435<br><span style="white-space:nowrap">(−0.065–0.935)</span></td></tr>
	// </tbody>
	// </table>
}

func ExampleLosses() {
	s := figurestest.Study()
	_, runs := figurestest.Runs(s.Sets[1], s.Sets[2])
	golden(figures.Losses(s, runs...))
	// Output: Loss curves, 642 × 300 points: as testdata/losses.png
}
