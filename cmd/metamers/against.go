package main

import (
	"fmt"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// againstFlags name what metamers are to differ for: other models, or each other.
type againstFlags struct {
	Against      []string `help:"Models that the metamers are to differ for as much as can be, while every model of --models matches (docs/against.md)." predictor:"models"`
	AgainstStage string   `help:"Stage at which the models of --against are compared (default: that of --stage)." predictor:"stage"`
	AgainstLoss  string   `help:"Difference that is driven up at the models of --against: ${losses} (default: correlation)." predictor:"loss"`
	Variants     int      `positive:"" help:"Number of metamers of each image, which differ from each other as much as the match allows (docs/against.md)."`
	VariantsBy   string   `help:"Difference of --variants that is driven up: pixels, ssim (of the luma), or none, which makes them from different starts only (default: pixels)." predictor:"variantsby"`
	Level        float64  `positive:"" help:"Largest relative L2 distance at the models of --models with --against or --variants (default: for each model and image one under which the verdict is to pass)."`
}

// put adds them to a recipe.
func (f againstFlags) put(r *metamer.Recipe) error {
	if f.Against != nil {
		r.Against = &metamer.Against{Models: metamer.Refs(f.Against...), Stage: f.AgainstStage, Loss: f.AgainstLoss, Level: f.Level}
	}
	if f.Variants > 0 {
		r.Variants = &metamer.Variants{Count: f.Variants, Metric: f.VariantsBy, Level: f.Level}
	}
	flag, of := "", "--against"
	switch {
	case f.VariantsBy != "" && r.Variants == nil:
		flag, of = "--variants-by", "--variants"
	case r.Against != nil:
	case f.AgainstStage != "":
		flag = "--against-stage"
	case f.AgainstLoss != "":
		flag = "--against-loss"
	case f.Level != 0 && r.Variants == nil:
		flag, of = "--level", "--against or --variants"
	}
	if flag == "" {
		return nil
	}
	return fmt.Errorf("%s is given without %s, expected both", flag, of)
}
