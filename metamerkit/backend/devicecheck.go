package backend

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// DeviceCheck is what came of comparing a device with known values. The last one of each
// device and plugin is in the cache folder.
type DeviceCheck struct {
	Kind            Kind
	Device, Version string // see Backend
	OneDNN          string `json:",omitempty"`
	Parts           []CheckPart
}

// CheckPart is a comparison. Its difference is a share of the largest value, or
// math.MaxFloat64 if nothing could be compared.
type CheckPart struct {
	What              string
	Difference, Limit float64
	Error             string `json:",omitempty"`
}

// Failed reports whether the difference is above the limit.
func (p CheckPart) Failed() bool { return !(p.Difference <= p.Limit) }

// Failed lists the parts that failed.
func (c *DeviceCheck) Failed() (out []CheckPart) {
	for _, p := range c.Parts {
		if p.Failed() {
			out = append(out, p)
		}
	}
	return out
}

// NewCheck returns an empty comparison of the backend's device.
func (b *Backend) NewCheck() *DeviceCheck {
	return &DeviceCheck{Kind: b.Kind, Device: b.Device(), Version: b.Version, OneDNN: b.OneDNN}
}

func (c *DeviceCheck) path() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{string(c.Kind), c.Device, c.Version, c.OneDNN}, "\n")))
	return filepath.Join(paths.Cache(), "checks", fmt.Sprintf("%x.json", sum[:8]))
}

// Save stores the comparison in the cache folder.
func (c *DeviceCheck) Save() error {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("backend: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(c.path()), 0o777); err != nil {
		return fmt.Errorf("backend: %w", err)
	}
	return paths.WriteBytes(c.path(), append(data, '\n'))
}

// LastCheck returns the last comparison of the backend's device, nil if there was none.
func (b *Backend) LastCheck() (*DeviceCheck, error) {
	c := b.NewCheck()
	data, err := paths.ReadFile(c.path())
	if err != nil {
		return nil, nil // there is none, or no cache folder
	}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("backend: %s: %w: metamers doctor --check writes it anew", c.path(), err)
	}
	return c, nil
}

// Doubt says why the device is not to be trusted, "" where it passed or was never compared.
func (b *Backend) Doubt() string {
	c, err := b.LastCheck()
	switch {
	case err != nil:
		return err.Error()
	case c == nil || len(c.Failed()) == 0:
		return ""
	}
	first := c.Failed()[0]
	return fmt.Sprintf("the device %s failed %d of %d comparisons of metamers doctor --check, the first %s", c.Device, len(c.Failed()), len(c.Parts), first.What)
}
