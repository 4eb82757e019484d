package main

import (
	"fmt"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// againstFlags name the models that metamers are to differ for.
type againstFlags struct {
	Against      []string `help:"Models that the metamers are to differ for as much as can be, while every model of --models matches (docs/against.md)." predictor:"models"`
	AgainstStage string   `help:"Stage at which the models of --against are compared (default: that of --stage)." predictor:"stage"`
	AgainstLoss  string   `help:"Difference that is driven up at the models of --against: relative-l2, squared-l2, cosine or correlation (default: correlation)." predictor:"loss"`
	Level        float64  `positive:"" help:"Largest relative L2 distance at the models of --models in a synthesis against others (default: for each model and image one under which the verdict is to pass)."`
}

func (f againstFlags) against() (*metamer.Against, error) {
	if f.Against != nil {
		return &metamer.Against{Models: metamer.Refs(f.Against...), Stage: f.AgainstStage, Loss: f.AgainstLoss, Level: f.Level}, nil
	}
	flag := ""
	switch {
	case f.AgainstStage != "":
		flag = "--against-stage"
	case f.AgainstLoss != "":
		flag = "--against-loss"
	case f.Level != 0:
		flag = "--level"
	default:
		return nil, nil
	}
	return nil, fmt.Errorf("%s is given without --against, expected both", flag)
}
