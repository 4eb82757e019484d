package main

import (
	"maps"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// helpVars are the texts that the help of flags takes from elsewhere: what each optimiser
// says of itself and of its settings, and the names of losses and penalties.
func helpVars() kong.Vars {
	vars := kong.Vars{"version": "metamers " + version(), "default_optimizer": metamer.DefaultOptimizer}
	var names []string
	for _, s := range metamer.Solvers() {
		names = append(names, s.Name+" ("+s.About+")")
	}
	vars["optimizers"] = strings.Join(names, ", ")
	vars["losses"] = either(metamer.Losses, "")
	vars["penalties"] = either(metamer.Penalties, "=WEIGHT")
	for _, key := range metamer.SettingKeys {
		vars[key] = metamer.SettingHelp(key)
	}
	maps.Copy(vars, distortionDefaults())
	return vars
}

// either lists names, each followed by a text, of which one is given: "a, b or c".
func either(names []string, end string) string {
	last := len(names) - 1
	return strings.Join(names[:last], end+", ") + end + " or " + names[last] + end
}
