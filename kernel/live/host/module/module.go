// Package module is in each plugin that is linked against the shared library of a session.
// The linker takes for granted that a plugin has a run-time of its own: it has the plugin
// call its own addmoduledata when it is loaded, and compares run-time and runtime/cgo with
// those of the process only where the plugin imports them. This package has both.
package module

import (
	_ "runtime"
	_ "runtime/cgo"

	_ "github.com/ensemble-metamers/metamers/kernel/live/host/library"
)

func added()

// Added is what the plugin calls when it is loaded. The linker finds out by it that
// metamers.addModule is needed, since it adds its own call late.
var Added func()

func init() { Added = added }
