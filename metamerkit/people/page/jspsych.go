package page

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
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

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// part is a file of jsPsych: where it is in which npm package, and its SHA-256.
type part struct{ name, pkg, version, file, sha256 string }

// jsPsych is by Josh de Leeuw and contributors, under the MIT licence.
var jsPsych = []part{
	{"jspsych.js", "jspsych", "8.3.0", "dist/index.browser.min.js", "b58c69e607f2ddbd282f2daec43d882cac18d9e3efdad816215b818d1406d6ce"},
	{"jspsych.css", "jspsych", "8.3.0", "css/jspsych.css", "c12a72534d1676abd0e6a78c5040a78deae5798ee646284290d3be465291a3a4"},
	{"plugin-preload.js", "@jspsych/plugin-preload", "2.1.0", "dist/index.browser.min.js", "57bc73acd351c42f73069611acaff8f65fb4c1d5754af7d6f9657051ce8dee66"},
	{"plugin-html-button-response.js", "@jspsych/plugin-html-button-response", "2.1.0", "dist/index.browser.min.js", "d4df2ebfd7dfac1451198dcb2b3ea45ad810eda7aa24e45e6851e1b531cbf0c9"},
	{"plugin-instructions.js", "@jspsych/plugin-instructions", "2.1.0", "dist/index.browser.min.js", "06dc7d2b5c0874aa19c9f023051dad5c4076d837352b19dd790c044f231a684c"},
	{"plugin-call-function.js", "@jspsych/plugin-call-function", "2.1.0", "dist/index.browser.min.js", "d73c3f2051b1416ca37e6d2097ecf102294a9f4bd6f1d5a54138109b859562bc"},
	{"plugin-virtual-chinrest.js", "@jspsych/plugin-virtual-chinrest", "3.1.0", "dist/index.browser.min.js", "e3e19f85f2851ed5d8c7c36955ffe9a2d14115d1e1a2df99850dad453a174356"},
}

// JSPsych returns the files of jsPsych by name, checked against their SHA-256: from a
// folder that has them, or if it is "" from the cache folder, where npm downloads them once.
func JSPsych(ctx context.Context, folder string) (map[string][]byte, error) {
	if folder != "" {
		files, missing := stored(folder)
		if missing != nil {
			return nil, fmt.Errorf("experiment: --jspsych: %w", missing)
		}
		return files, nil
	}
	folder = filepath.Join(paths.Cache(), "jspsych-"+jsPsych[0].version)
	if files, missing := stored(folder); missing == nil {
		return files, nil
	}
	if err := bring(ctx, folder); err != nil {
		return nil, fmt.Errorf("experiment: jsPsych %s could not be downloaded to %s; it needs npm (apt-get install npm), or --jspsych names a folder that has it: %w", jsPsych[0].version, folder, err)
	}
	files, missing := stored(folder)
	return files, missing
}

// stored reads the files of a folder; the error names the first that is missing or another.
func stored(folder string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, p := range jsPsych {
		data, err := paths.ReadFile(filepath.Join(folder, p.name))
		if err != nil {
			return nil, err
		}
		if err := p.check(data, filepath.Join(folder, p.name)); err != nil {
			return nil, err
		}
		files[p.name] = data
	}
	return files, nil
}

func (p part) check(data []byte, where string) error {
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != p.sha256 {
		return fmt.Errorf("%s has the SHA-256 %x, expected %s (%s of %s %s)", where, sum, p.sha256, p.file, p.pkg, p.version)
	}
	return nil
}

func bring(ctx context.Context, folder string) error {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return errors.New("npm is not installed")
	}
	return pack(ctx, npm, folder)
}

// pack brings the packages with npm, which checks and unpacks nothing by itself.
func pack(ctx context.Context, npm, folder string) error {
	tmp, err := os.MkdirTemp(folder, ".npm-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	args := []string{"pack", "--silent", "--ignore-scripts", "--pack-destination", tmp}
	seen := map[string]bool{}
	for _, p := range jsPsych {
		if name := p.pkg + "@" + p.version; !seen[name] {
			seen[name] = true
			args = append(args, name)
		}
	}
	cmd := exec.CommandContext(ctx, npm, args...)
	cmd.Dir = tmp
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm pack: %w: %.300s", err, bytes.TrimSpace(out))
	}
	for _, p := range jsPsych {
		// npm names the archive of @scope/name scope-name-version.tgz.
		archive := strings.ReplaceAll(strings.TrimPrefix(p.pkg, "@"), "/", "-") + "-" + p.version + ".tgz"
		data, err := member(filepath.Join(tmp, archive), path.Join("package", p.file))
		if err != nil {
			return err
		}
		if err := p.check(data, archive); err != nil {
			return err
		}
		if err := paths.WriteBytes(filepath.Join(folder, p.name), data); err != nil {
			return err
		}
	}
	return nil
}

// member reads a file of an archive.
func member(archive, name string) ([]byte, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", archive, err)
	}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", archive, name, err)
		}
		if h.Name == name {
			return io.ReadAll(io.LimitReader(t, 16<<20))
		}
	}
}

// license goes beside the files of jsPsych. npm's packages name their licence and have no
// file of it.
func license() []byte {
	var b strings.Builder
	b.WriteString("The files in this folder are unchanged from these npm packages:\n\n")
	for _, p := range jsPsych {
		fmt.Fprintf(&b, "  %-32s %s %s %s\n", p.name, p.pkg, p.version, p.file)
	}
	b.WriteString(`
jsPsych and its plugins: https://www.jspsych.org, by Josh de Leeuw and contributors.
jspsych.css embeds the font Open Sans (SIL Open Font License 1.1, https://openfontlicense.org).
jspsych.js includes auto-bind, random-words and seedrandom, under the MIT License too.
Their licence is the MIT License:

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
`)
	return []byte(b.String())
}

// sums lists the checksums of the files, as sha256sum -c reads them.
func sums() []byte {
	var b strings.Builder
	for _, p := range jsPsych {
		fmt.Fprintf(&b, "%s  %s\n", p.sha256, p.name)
	}
	return []byte(b.String())
}
