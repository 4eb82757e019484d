package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/gomlx/compute"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/engine"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/place"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

type doctorCmd struct{}

func (doctorCmd) Run(g *globals) error {
	var advice []string
	line := func(what, format string, args ...any) { fmt.Printf("%-14s %s\n", what, fmt.Sprintf(format, args...)) }
	line("program", "Go %s, %s/%s, %d cores, XLA built in: %v", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), backend.HasXLA)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if strings.HasPrefix(d.Path, "github.com/gomlx/") {
				line("", "%s %s", d.Path, d.Version)
			}
		}
	}
	if free, err := backend.FreeMemory(); err == nil {
		line("memory", "%.1f GiB free", float64(free)/(1<<30))
	}
	gpu := backend.GPU()
	line("GPU", "%s", orNone(gpu))
	for _, k := range []backend.Kind{backend.CUDA, backend.XLA} {
		path, err := backend.FindPlugin(k)
		if err != nil {
			line(string(k)+" plugin", "none at %s", strings.Join(backend.Places(k), " or "))
			if k == backend.XLA || gpu != "" {
				advice = append(advice, err.Error())
			}
			continue
		}
		line(string(k)+" plugin", "%s", path)
	}
	b, err := backend.Open(backend.Kind(g.Backend))
	if err != nil {
		line("backend", "%v", err)
		advice = append(advice, err.Error())
	} else {
		line("backend", "%s: %s", b.Kind, strings.TrimSpace(b.Compute.Description()))
		for i := range b.Compute.NumDevices() {
			line("", "device %d: %s", i, b.Compute.DeviceDescription(compute.DeviceNum(i)))
		}
		if b.Notice != "" {
			advice = append(advice, b.Notice)
		}
	}
	line("cache", "%s", exists(place.Cache()))
	for _, d := range place.Data() {
		line("data", "%s", exists(d))
	}
	if _, err := images.Open([]string{"cifar10:1"}, images.Options{}); err != nil {
		line("CIFAR-10", "missing")
		advice = append(advice, err.Error())
	} else {
		line("CIFAR-10", "here")
	}
	for _, n := range zoo.Names() {
		c, err := zoo.Lookup(n)
		if err != nil {
			return err
		}
		if p, err := engine.Locate(c); err != nil {
			line("model", "%s: weights missing", n)
			advice = append(advice, err.Error())
		} else {
			line("model", "%s: %s", n, p)
		}
	}
	if advice == nil {
		fmt.Println("\nnothing is missing")
	} else {
		fmt.Println("\nwhat to do:")
		for _, a := range advice {
			fmt.Println("-", a)
		}
	}
	return nil
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func exists(dir string) string {
	if _, err := os.Stat(dir); err != nil {
		return dir + " (not there)"
	}
	return dir
}
