package main

import (
	"slices"
	"strings"

	kongcompletion "github.com/jotaen/kong-completion"
	"github.com/posener/complete"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// predictors complete the values of flags and arguments with the tag predictor.
func predictors() kongcompletion.Option {
	files := complete.PredictFiles("*")
	return kongcompletion.WithPredictors(map[string]complete.Predictor{
		"model":      complete.PredictFunc(func(complete.Args) []string { return modelNames() }),
		"models":     list(modelNames),
		"stage":      complete.PredictSet(metamer.Stages...),
		"stages":     list(func() []string { return metamer.Stages }),
		"images":     complete.PredictOr(complete.PredictSet("cifar10", "cifar10:16", "cifar10:train", "photos", "photos:16", "scenes", "scenes:8"), files),
		"start":      complete.PredictOr(complete.PredictSet("noise", "grey", "uniform", "reference"), files),
		"optimizer":  complete.PredictSet(metamer.Optimizers()...),
		"metric":     complete.PredictSet(metamer.Metrics...),
		"schedule":   complete.PredictSet(metamer.Switch, metamer.Switch+":10", metamer.Switch+":10:random", metamer.Average),
		"loss":       complete.PredictSet(metamer.Losses...),
		"variantsby": complete.PredictSet(metamer.VariantMetrics...),
		"backend":    complete.PredictSet(backend.Kinds...),
		"run":        complete.PredictFunc(func(complete.Args) []string { return runIDs() }),
		"file":       files,
		"dir":        complete.PredictDirs("*"),
	})
}

// list completes the last of several values that commas separate.
func list(values func() []string) complete.Predictor {
	return complete.PredictFunc(func(a complete.Args) (out []string) {
		i := strings.LastIndex(a.Last, ",") + 1
		before := strings.Split(a.Last[:i], ",")
		for _, v := range values() {
			if !slices.Contains(before, v) {
				out = append(out, a.Last[:i]+v)
			}
		}
		return out
	})
}

func modelNames() (names []string) {
	for _, n := range zoo.Names() {
		names = append(names, n)
		if c, err := zoo.Lookup(n); err == nil {
			names = append(names, c.Aliases...)
		}
	}
	return names
}

// runIDs lists the default store's runs. It makes no store.
func runIDs() []string {
	s := runs.Store{Dir: paths.Runs()}
	ids, err := s.IDs()
	if err != nil {
		return nil
	}
	return ids
}
