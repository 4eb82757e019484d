package main

import (
	"fmt"
	"runtime/debug"

	"github.com/alecthomas/kong"
)

// commit is what the program was built from, set by make build.
var commit string

// version is that of the program: its release, or the commit it was built from.
func version() string {
	if commit != "" {
		return commit
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return "unknown"
}

// versionCmd is the flag --version as a command, which many try first.
type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(k *kong.Context) error {
	_, err := fmt.Fprintln(k.Stdout, k.Model.Vars()["version"])
	return err
}
