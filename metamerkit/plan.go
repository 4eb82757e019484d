package metamerkit

import "github.com/ensemble-metamers/metamers/metamerkit/api"

// Plan says what an experiment is made of. Its zero value with Sets is a plan. Plan files
// (docs/studies.md) have the same entries.
type Plan = api.Plan

// Settings are those of a recipe; zero values are its defaults.
type Settings = api.Settings

// Paper are the settings of the paper's procedure. A recipe has it by its method Paper.
var Paper = Settings{Paper: true}
