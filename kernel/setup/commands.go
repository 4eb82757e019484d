package setup

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// Install is the command install.
type Install struct {
	Target
}

// Run builds what is missing and registers the kernel.
func (i *Install) Run() error {
	checkout, l, err := here()
	if err != nil {
		return err
	}
	if err := Build(checkout, l); err != nil {
		return err
	}
	dir, err := i.WriteSpec(checkout, l)
	if err != nil {
		return err
	}
	say("%s is registered in %s", DisplayName, dir)
	return nil
}

func here() (checkout string, l Layout, err error) {
	if checkout, err = Checkout(); err != nil {
		return
	}
	if checkout, err = filepath.Abs(checkout); err != nil {
		return
	}
	l, err = Places(checkout)
	return
}

// Lab is the command lab.
type Lab struct {
	Only   bool     `name:"setup-only" help:"Set up and print the folder of its programs, do not start JupyterLab."`
	Folder string   `help:"Folder that JupyterLab shows (default: the checkout's notebooks, or a copy of them in ./metamers-notebooks, with the quickstart open)." type:"existingdir"`
	Args   []string `arg:"" optional:"" passthrough:"" help:"Arguments for jupyter lab, behind --."`
}

// Run sets up what is missing and becomes JupyterLab.
func (c *Lab) Run() error {
	checkout, l, err := here()
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(l.Lab, "bin", "jupyter-lab")); err != nil && Bundled() {
		return errors.New("JupyterLab is not installed beside this program: pip install \"metamers[lab]\"")
	}
	if err := Build(checkout, l); err != nil {
		return err
	}
	if !Bundled() {
		if err := buildLab(l); err != nil {
			return err
		}
		if _, err := (Target{Prefix: l.Lab}).WriteSpec(checkout, l); err != nil {
			return err
		}
		if err := quietLab(l); err != nil {
			return err
		}
	}
	if c.Only {
		fmt.Println(filepath.Join(l.Lab, "bin"))
		return nil
	}
	args := []string{"jupyter-lab"}
	if os.Geteuid() == 0 {
		args = append(args, "--allow-root")
	}
	rest := c.Args
	if len(rest) > 0 && rest[0] == "--" {
		rest = rest[1:]
	}
	folder := c.Folder
	if folder == "" {
		folder = filepath.Join(checkout, "notebooks")
		if Bundled() {
			if folder, err = ownNotebooks(folder); err != nil {
				return err
			}
		}
	}
	const quickstart = "00-quickstart.ipynb"
	if _, err := os.Stat(filepath.Join(folder, quickstart)); err == nil {
		args = append(args, "--LabApp.default_url=/lab/tree/"+quickstart)
	}
	args = append(append(args, rest...), folder)
	bin := filepath.Join(l.Lab, "bin")
	env := append(os.Environ(), "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return syscall.Exec(filepath.Join(bin, "jupyter-lab"), args, env)
}

// buildLab makes the virtual environment with JupyterLab. It gets its name when it
// is whole.
func buildLab(l Layout) error {
	if _, err := os.Stat(filepath.Join(l.Lab, "complete")); err == nil {
		return nil
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		return errors.New("JupyterLab needs Python 3.10 or newer: apt-get install python3 python3-venv")
	}
	return step("installing JupyterLab (about 90 packages from PyPI)", func() error {
		os.RemoveAll(l.Lab)
		if err := run("", nil, python, "-m", "venv", l.Lab); err != nil {
			return fmt.Errorf("%w\n(on Debian and Ubuntu: apt-get install python3-venv)", err)
		}
		pins := filepath.Join(l.Lab, "requirements.txt")
		if err := os.WriteFile(pins, requirements, 0o644); err != nil {
			return err
		}
		if err := run("", nil, filepath.Join(l.Lab, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r", pins); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(l.Lab, "complete"), nil, 0o644)
	})
}

// labSettings are defaults of this JupyterLab, which is pinned: it asks nobody on the
// network for news or updates, nor its user whether it may.
const labSettings = `{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}
`

func quietLab(l Layout) error {
	path := filepath.Join(l.Lab, "share", "jupyter", "lab", "settings", "overrides.json")
	if old, err := os.ReadFile(path); err == nil && string(old) == labSettings {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return paths.WriteBytes(path, []byte(labSettings))
}

// Uninstall is the command uninstall.
type Uninstall struct {
	Target
	All bool `help:"Also remove what set-up made: tools, JupyterLab, built cells. The history stays."`
}

// Run removes the registration.
func (u *Uninstall) Run() error {
	dir, err := u.specDir()
	if err != nil {
		return err
	}
	switch _, err := os.Stat(filepath.Join(dir, "kernel.json")); {
	case err == nil:
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		say("removed %s", dir)
	case !u.All:
		return fmt.Errorf("the kernel is not registered in %s", dir)
	}
	if !u.All {
		return nil
	}
	_, l, err := here()
	if err != nil {
		return err
	}
	made, err := filepath.Glob(filepath.Join(l.Root, "*"))
	if err != nil {
		return err
	}
	for _, path := range made {
		if path == l.History {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			return err
		}
		say("removed %s", path)
	}
	return nil
}
