package serve

import (
	"bytes"
	"crypto/rand"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// Files of the server in the experiment's folder, for its owner only. Neither is served.
const (
	linksFile    = "links.csv"    // participant, token
	sessionsFile = "sessions.csv" // participant, key of the browser that began
)

// open reads the links, makes those that are missing, and reads the data.
func (s *Server) open(participants int) error {
	links, err := readPairs(filepath.Join(s.folder, linksFile))
	if err != nil {
		return err
	}
	have := len(links)
	for n := have + 1; n <= participants; n++ {
		links = append(links, [2]string{strconv.Itoa(n), strings.ToLower(rand.Text())})
	}
	if len(links) > have {
		var b bytes.Buffer
		for _, l := range links {
			fmt.Fprintf(&b, "%s,%s\n", l[0], l[1])
		}
		if err := private(filepath.Join(s.folder, linksFile), b.Bytes()); err != nil {
			return err
		}
	}
	keys, err := readPairs(filepath.Join(s.folder, sessionsFile))
	if err != nil {
		return err
	}
	of := map[string]string{}
	for _, k := range keys {
		of[k[0]] = k[1]
	}
	for i, l := range links {
		if l[0] != strconv.Itoa(i+1) || len(l[1]) < 20 {
			return fmt.Errorf("experiment: %s: line %d has participant %q, expected %d and a token", filepath.Join(s.folder, linksFile), i+1, l[0], i+1)
		}
		p := &participant{number: i + 1, token: l[1], key: of[l[0]], path: filepath.Join(s.folder, "data", s.design.FileName(i+1))}
		if err := p.load(s); err != nil {
			return err
		}
		s.tokens[l[1]] = p
		s.order = append(s.order, p)
	}
	return nil
}

// private writes a file that only its owner reads, whole or not at all.
func private(path string, data []byte) error {
	err := paths.WriteFile(path, func(f *os.File) error {
		_, err := f.Write(data)
		return errors.Join(err, f.Chmod(0o600), f.Sync())
	})
	if err != nil {
		return fmt.Errorf("experiment: %w", err)
	}
	return nil
}

// begin stores which browser a link belongs to.
func (s *Server) begin(p *participant, key string) error {
	s.sessions.Lock()
	defer s.sessions.Unlock()
	path := filepath.Join(s.folder, sessionsFile)
	pairs, err := readPairs(path)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	for _, l := range append(pairs, [2]string{strconv.Itoa(p.number), key}) {
		fmt.Fprintf(&b, "%s,%s\n", l[0], l[1])
	}
	return errors.Join(private(path, b.Bytes()), syncDir(s.folder))
}

// readPairs reads lines of two fields; none of a file that is not there.
func readPairs(path string) (out [][2]string, err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("experiment: %w", err)
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord = 2
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("experiment: %s: %w", path, err)
	}
	for _, row := range rows {
		out = append(out, [2]string{row[0], row[1]})
	}
	return out, nil
}
