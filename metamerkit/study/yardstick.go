package study

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// jpegQuality is that of the copies of references that metamers are held against: how far
// a network's activations move for a change that people hardly see.
const jpegQuality = 90

// jpegPrefix begins the measures of such copies in rows, which have no run and no set:
// jpeg-90/match/relative-l2 and the like, by a member, at a stage.
var jpegPrefix = fmt.Sprintf("jpeg-%d/", jpegQuality)

// yardstick adds what the members give for JPEG copies of the references.
func (d *doing) yardstick(ctx context.Context) error {
	r := d.r
	if d.o.NoEvaluation || !slices.Contains(r.Plan.measures(), "success") {
		return nil
	}
	var members []string
	for _, set := range r.Plan.Sets {
		for _, m := range set {
			members = once(members, m)
		}
	}
	copies, err := jpegCopies(r.Images)
	if err != nil {
		return err
	}
	var runs []*metamer.Run
	for _, stage := range r.Plan.Stages {
		rec := r.Plan.Recipe(members, stage)
		rec.Images = metamer.ImageRef{Name: r.Images.Name, Count: r.Images.Len(), Size: r.Images.Size, SHA256: r.Images.SHA256()}
		run := &metamer.Run{ID: jpegPrefix[:len(jpegPrefix)-1] + "-" + rec.Images.SHA256[:16], Recipe: rec, Metamers: copies}
		run.Dir = filepath.Join(paths.External(), run.ID) // rows are kept there, and models are opened only once
		runs = append(runs, run)
	}
	rows, err := d.e.Evaluate(ctx, api.Evaluation{Runs: runs, Images: r.Images, Observers: members, Measures: []string{"success"}, Warn: func(string) {}, Progress: func(metamer.Progress) {}}) // warnings were given with the runs
	if err != nil {
		return fmt.Errorf("study: JPEG copies of the references: %w", err)
	}
	var kept metamer.Rows
	for _, row := range rows {
		if !strings.HasPrefix(row.Measure, "match/") || row.Observer == metamer.Members || row.Observer == metamer.NonMembers {
			continue
		}
		row.Run, row.Set, row.Member, row.Measure = "", "", false, jpegPrefix+row.Measure
		if row.Made != nil {
			row.Made = &metamer.Made{Images: row.Made.Images, Versions: row.Made.Versions}
		}
		kept = append(kept, row)
	}
	r.Rows = append(kept, r.Rows...) // rows of references come first
	return nil
}

// jpegCopies are the pixels of images that were JPEG files of jpegQuality.
func jpegCopies(set *images.Set) ([]float32, error) {
	out := make([]float32, 0, len(set.Pixels))
	for i := range set.Len() {
		src, size := set.Image(i), set.Size
		img := image.NewRGBA(image.Rect(0, 0, size, size))
		for p := range size * size {
			b := func(c int) uint8 { return uint8(math.Round(float64(min(max(src[3*p+c], 0), 1)) * 255)) }
			img.SetRGBA(p%size, p/size, color.RGBA{b(0), b(1), b(2), 255})
		}
		var buf bytes.Buffer
		if err := jpeg.Encode(&buf, img, &jpeg.Options{Quality: jpegQuality}); err != nil {
			return nil, fmt.Errorf("study: %s as JPEG: %w", set.Names[i], err)
		}
		back, err := jpeg.Decode(&buf)
		if err != nil {
			return nil, fmt.Errorf("study: %s as JPEG: %w", set.Names[i], err)
		}
		for p := range size * size {
			r, g, b, _ := back.At(p%size, p/size).RGBA()
			out = append(out, float32(r>>8)/255, float32(g>>8)/255, float32(b>>8)/255)
		}
	}
	return out, nil
}

// jpeg is the relative L2 distance that a member gives for the JPEG copies at a stage,
// median over images; NaN: it was not measured.
func (r *Result) jpeg(member, stage string) float64 {
	var v []float64
	for _, row := range r.Rows {
		if row.Set == "" && row.Image >= 0 && row.Stage == stage && row.Observer == member && row.Measure == jpegPrefix+"match/relative-l2" && !math.IsNaN(row.Value) {
			v = append(v, row.Value)
		}
	}
	return median(v)
}
