package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/devicecheck"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/weightfiles"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

type doctorCmd struct {
	Check bool `help:"Compare what the device computes with stored values of PyTorch: activations, gradients and a short run of networks in the program. Later runs on a device that fails say so in their match statistics."`
}

func (doctorCmd) Help() string {
	return `Prints the backend, the folders, the models with and without weights, and how to install
what is missing. --json lists every version and every path that was searched.

Examples:
  metamers doctor
  metamers doctor --check --backend plugin:/path/to/plugin.so`
}

// diagnosis is what doctor says, and prints with --json.
type diagnosis struct {
	backend.Findings
	CIFAR10 bool
	Ready   []string // models whose weights are here
	Missing []missingWeights
}

type missingWeights struct {
	Model, File, Source string
}

func diagnose(k backend.Kind) diagnosis {
	d := diagnosis{Findings: backend.Survey(k)}
	if _, err := images.Open([]string{"cifar10:1"}, images.Options{}); err == nil {
		d.CIFAR10 = true
	}
	for _, n := range zoo.Names() {
		c, err := zoo.Lookup(n)
		if err != nil {
			d.Advice = append(d.Advice, fmt.Sprintf("model %s: %v", n, err))
			continue
		}
		if _, err := weightfiles.Locate(c); err != nil {
			d.Missing = append(d.Missing, missingWeights{n, c.Weights.File, c.Weights.Source})
		} else {
			d.Ready = append(d.Ready, n)
		}
	}
	return d
}

func (c doctorCmd) Run(ctx context.Context, g *globals) error {
	if c.Check {
		return checkDevice(ctx, g)
	}
	d := diagnose(backend.Kind(g.Backend))
	if g.JSON {
		return printIndented(d)
	}
	d.print()
	return nil
}

// checkDevice compares the device with stored values, and stores what came of it.
func checkDevice(ctx context.Context, g *globals) error {
	e, err := g.engine()
	if err != nil {
		return err
	}
	e.Doubt = "" // of an earlier check
	began := time.Now()
	check, err := devicecheck.Run(ctx, e)
	if err != nil {
		return err
	}
	failed, err := check.Failed(), check.Save()
	if g.JSON {
		err = errors.Join(err, printIndented(check))
	} else {
		fmt.Printf("%s, %s: largest differences from PyTorch on a CPU, as a share of the largest value; the limit is %g\n", check.Device, orNone(check.Version), devicecheck.Limit)
		for _, p := range check.Parts {
			state := "passes"
			if p.Failed() {
				state = "FAILS"
			}
			value := fmt.Sprintf("%.1e", p.Difference)
			if p.Difference == math.MaxFloat64 {
				value = "–"
			}
			fmt.Printf("%-6s  %8s  %s", state, value, p.What)
			if p.Error != "" {
				fmt.Printf(": %.300s", p.Error)
			}
			fmt.Println()
		}
	}
	if len(failed) > 0 {
		return errors.Join(err, fmt.Errorf("%d of %d comparisons fail: do not trust this device; runs on it say so in their match statistics", len(failed), len(check.Parts)))
	}
	if err == nil && !g.JSON {
		fmt.Printf("all %d comparisons pass (%.0f s)\n", len(check.Parts), time.Since(began).Seconds())
	}
	return err
}

func (d diagnosis) print() {
	line := func(what, format string, args ...any) { fmt.Printf("%-9s %s\n", what, fmt.Sprintf(format, args...)) }
	with := "with XLA"
	if !d.XLA {
		with = "without XLA"
	}
	line("program", "%s for %s/%s %s; gomlx %s", d.GoVersion, d.OS, d.Arch, with, d.Modules["github.com/gomlx/gomlx"])
	line("machine", "%d cores, %.1f GiB of memory free, %d GPUs", d.Cores, gib(d.FreeMemory), len(d.GPUs))
	if d.Kind != "" {
		line("backend", "%s on %s", d.Kind, orNone(strings.Join(d.Devices, ", ")))
	}
	if d.OneDNN != "" {
		line("", "oneDNN %s computes products and convolutions", d.OneDNN)
	}
	for _, p := range d.Plugins {
		if p.Path != "" && (p.Kind == d.Kind || p.Kind == backend.CUDA) {
			line("", "%s plugin %s, %s", p.Kind, p.Version, p.Path)
		}
		if p.Path != "" && p.Kind == backend.CUDA {
			line("", "CUDA's libraries: %s", cmp.Or(p.Libraries, "not beside the plugin"))
		}
	}
	if c := d.Check; c == nil && d.Kind != "" {
		line("check", "the device was not compared with known values: metamers doctor --check")
	} else if c != nil {
		line("check", "%d of %d comparisons with known values pass", len(c.Parts)-len(c.Failed()), len(c.Parts))
	}
	if c := d.Compiled; c.Path != "" {
		line("compiled", "%d files, %s of at most %s, in %s (%s)", c.Files, humanize.IBytes(uint64(c.Bytes)), humanize.IBytes(uint64(c.Most)), c.Path, backend.CompiledVar)
	} else if d.XLA {
		line("compiled", "programs are not stored for later processes (%s)", backend.CompiledVar)
	}
	for _, f := range d.Folders {
		if f.Exists || f.Use == "cache" {
			state := ""
			if f.Use == "cache" && d.ReadOnly {
				state = " (cannot be written)"
			} else if !f.Exists {
				state = " (made when needed)"
			}
			line(f.Use, "%s, %.1f GiB free%s", f.Path, gib(f.Free), state)
		}
	}
	line("models", "%d of %d have their weights: %s", len(d.Ready), len(d.Ready)+len(d.Missing), orNone(strings.Join(d.Ready, ", ")))
	if len(d.Missing) > 0 {
		line("", "metamers models pull NAME brings others, or their files go into weights/ in one of %s", strings.Join(paths.Data(), ", "))
	}
	if d.CIFAR10 {
		line("images", "CIFAR-10, photographs")
	} else {
		line("images", "photographs; no CIFAR-10")
	}
	advice := slices.Clone(d.Advice)
	if !d.CIFAR10 {
		advice = append(advice, "CIFAR-10: metamers data get cifar10")
	}
	if advice == nil {
		fmt.Println("\nnothing is missing")
		return
	}
	fmt.Println("\nwhat to do:")
	for _, a := range advice {
		fmt.Println("-", a)
	}
}

// printIndented prints a value as JSON for people.
func printIndented(v any) error {
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func gib(bytes uint64) float64 { return float64(bytes) / (1 << 30) }

func orNone(s string) string { return cmp.Or(s, "none") }
