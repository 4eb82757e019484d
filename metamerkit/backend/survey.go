package backend

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/gomlx/compute"
	"github.com/shirou/gopsutil/v4/disk"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// Findings is what Survey found on this machine and in this binary.
type Findings struct {
	GoVersion  string // of the compiler, with its experiments
	OS, Arch   string
	XLA        bool              // built with cgo, so that XLA can be loaded
	Modules    map[string]string // versions of what computes, by module path
	Cores      int
	FreeMemory uint64 // bytes of host memory, 0 if unknown
	GPUs       []string
	Plugins    []Plugin
	Kind       Kind         // of the backend that opened, "" if none did
	OneDNN     string       // its version if it computes products and convolutions, else ""
	Computes   string       // its own description
	Devices    []string     // its devices
	Check      *DeviceCheck // the device's last comparison with known values, nil if there was none
	Folders    []Folder
	Compiled   Programs
	ReadOnly   bool     // nothing can be written in the cache folder
	Advice     []string // a line each: what is missing and how to mend it
}

// Plugin is a PJRT plugin that was looked for.
type Plugin struct {
	Kind    Kind
	Version string   // the version that set-up brings
	Looked  []string // paths, in order
	Path    string   // where it was found, "" if nowhere
	// Libraries is the folder of CUDA's libraries beside the plugin, "" if there is none
	// or the plugin needs none.
	Libraries string
}

// Programs are the compiled programs that are kept for later processes.
type Programs struct {
	Path        string // of their folder, "" if none are kept
	Files       int
	Bytes, Most int64
}

// Folder is one of the product's folders.
type Folder struct {
	Use    string // "cache", "data"
	Path   string
	Exists bool
	Free   uint64 // bytes free on its file system (its nearest parent's, if it is not here), 0 if unknown
}

// Survey looks at the machine and opens the backend that is wanted ("" as for
// Open), which it closes again. It never fails: what is wrong is in Advice.
func Survey(want Kind) Findings {
	f := Findings{
		GoVersion: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		XLA: HasXLA, Modules: modules(),
		Cores: runtime.NumCPU(), GPUs: GPUs(),
	}
	if free, err := FreeMemory(); err == nil {
		f.FreeMemory = free
	}
	for _, k := range []Kind{CUDA, XLA} {
		p := Plugin{Kind: k, Version: PluginVersion, Looked: Places(k)}
		if k == CUDA {
			p.Version = CUDAPluginVersion
		}
		var err error
		if p.Path, err = FindPlugin(k); err != nil && HasXLA && (k == XLA || len(f.GPUs) > 0) {
			f.advise(err.Error())
		}
		if k == CUDA && p.Path != "" {
			p.Libraries = libraries(p.Path)
			if len(f.GPUs) == 0 {
				f.advise("there is no NVIDIA GPU here, as nothing matches " + gpuDevices + ": the CUDA plugin is not used. A GPU needs NVIDIA's driver, and in a container docker run --gpus all")
			}
		}
		f.Plugins = append(f.Plugins, p)
	}
	f.open(want)
	if f.Kind != Named && f.Kind != CUDA {
		f.wheels()
	}
	f.Folders = append(f.Folders, folder("cache", paths.Cache()))
	if c, err := Compiled(f.Kind); err == nil && c.Dir != "" {
		f.Compiled = Programs{Path: c.Dir, Most: c.Most}
		f.Compiled.Files, f.Compiled.Bytes = c.Size()
	}
	if err := paths.Writable(paths.Cache()); err != nil {
		f.ReadOnly = true
		f.advise("the cache folder cannot be written (" + oneLine(err) + "): METAMERS_CACHE names another; without one, carried models are read from memory, runs need --store, and no measurements are stored")
	}
	for _, d := range paths.Data() {
		if d != paths.Cache() {
			f.Folders = append(f.Folders, folder("data", d))
		}
	}
	return f
}

// open fills in the backend.
func (f *Findings) open(want Kind) {
	b, err := Open(want)
	if err != nil {
		f.advise(oneLine(err))
		return
	}
	defer b.Compute.Finalize()
	f.OneDNN = b.OneDNN
	f.Kind, f.Computes = b.Kind, strings.TrimSpace(b.Compute.Description())
	for i := range b.Compute.NumDevices() {
		f.Devices = append(f.Devices, strings.TrimSpace(b.Compute.DeviceDescription(compute.DeviceNum(i))))
	}
	if b.Notice != "" {
		f.advise(b.Notice)
	}
	f.Check, _ = b.LastCheck() // an error is in Doubt too
	if d := b.Doubt(); d != "" {
		f.advise(d)
	}
}

// advise adds a line, unless a line already says it. One that says more takes the
// place of the other.
func (f *Findings) advise(line string) {
	for i, a := range f.Advice {
		if strings.Contains(a, line) {
			return
		}
		if strings.Contains(line, a) {
			f.Advice[i] = line
			return
		}
	}
	f.Advice = append(f.Advice, line)
}

func modules() map[string]string {
	out := map[string]string{}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return out
	}
	for _, d := range info.Deps {
		if strings.HasPrefix(d.Path, "github.com/gomlx/") {
			out[d.Path] = d.Version
		}
	}
	return out
}

func folder(use, path string) Folder {
	f := Folder{Use: use, Path: path}
	s, err := os.Stat(path)
	f.Exists = err == nil && s.IsDir()
	for at := path; ; at = filepath.Dir(at) {
		if u, err := disk.Usage(at); err == nil {
			f.Free = u.Free
			return f
		}
		if at == filepath.Dir(at) {
			return f
		}
	}
}
