package imgmetrics

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// SVR is a support vector regression with a radial kernel, Σ coefᵢ·exp(−γ‖sᵢ−x‖²) − ρ, of
// features x scaled to [Lower,Upper].
type SVR struct {
	Gamma, Rho   float64
	Coef         []float64
	Vectors      [][]float64 // of scaled features
	Lower, Upper float64     // both 0: features are not scaled
	Min, Max     []float64   // of each feature
}

// Predict returns the value of the regression for unscaled features.
func (m *SVR) Predict(features []float64) float64 {
	x := make([]float64, len(features))
	for i, v := range features {
		x[i] = v
		if m.Lower != m.Upper {
			x[i] = m.Lower + (m.Upper-m.Lower)*(v-m.Min[i])/(m.Max[i]-m.Min[i])
		}
	}
	sum := -m.Rho
	for i, s := range m.Vectors {
		d := 0.0
		for j, v := range s {
			d += (v - x[j]) * (v - x[j])
		}
		sum += m.Coef[i] * math.Exp(-m.Gamma*d)
	}
	return sum
}

// maxModel is the largest model file that is read, bytes.
const maxModel = 16 << 20

// LoadBRISQUE reads BRISQUE's regression from the files of its original release: the model
// in libsvm's format ("allmodel") and the feature ranges in svm-scale's format
// ("allrange"). For ranges "" it looks in the model's folder for allrange, or the model's
// name with the extension .range. Errors name the file and the line.
func LoadBRISQUE(model, ranges string) (*SVR, error) {
	if ranges == "" {
		for _, p := range []string{strings.TrimSuffix(model, filepath.Ext(model)) + ".range", filepath.Join(filepath.Dir(model), "allrange")} {
			if _, err := os.Stat(p); err == nil {
				ranges = p
				break
			}
		}
		if ranges == "" {
			return nil, fmt.Errorf("imgmetrics: no feature ranges for %s: expected a file allrange in the same folder, or --brisque-range", model)
		}
	}
	text, err := readModel(model)
	if err != nil {
		return nil, err
	}
	scale, err := readModel(ranges)
	if err != nil {
		return nil, err
	}
	return parseSVR(model, text, ranges, scale, brisqueFeatures)
}

func readModel(path string) ([]byte, error) {
	if s, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("imgmetrics: %w", err)
	} else if s.Size() > maxModel {
		return nil, fmt.Errorf("imgmetrics: %s: expected a file of at most %d bytes, got one with %d", path, maxModel, s.Size())
	}
	data, err := paths.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("imgmetrics: %w", err)
	}
	return data, nil
}

// parseSVR reads libsvm's and svm-scale's text formats for n features.
func parseSVR(path string, model []byte, rangePath string, ranges []byte, n int) (*SVR, error) {
	m := &SVR{Gamma: math.NaN(), Rho: math.NaN()}
	if bytes.IndexByte(model, 0) >= 0 {
		return nil, fmt.Errorf("imgmetrics: %s is not a text file: expected a libsvm model", path)
	}
	lines := strings.Split(string(model), "\n")
	at, total := 0, -1
	for ; at < len(lines); at++ {
		bad := func(want string) error {
			return fmt.Errorf("imgmetrics: %s, line %d: %.60q, expected %s", path, at+1, lines[at], want)
		}
		key, rest, _ := strings.Cut(strings.TrimSpace(lines[at]), " ")
		var err error
		switch key {
		case "svm_type":
			if rest != "epsilon_svr" && rest != "nu_svr" {
				return nil, bad("epsilon_svr or nu_svr")
			}
		case "kernel_type":
			if rest != "rbf" {
				return nil, bad("the kernel rbf")
			}
		case "gamma":
			m.Gamma, err = number(rest)
		case "rho":
			m.Rho, err = number(rest)
		case "total_sv":
			total, err = strconv.Atoi(rest)
		case "nr_class", "probA", "probB":
		case "SV":
		default:
			return nil, bad("a line of a libsvm model's head")
		}
		if err != nil {
			return nil, bad("a number")
		}
		if key == "SV" {
			at++
			break
		}
	}
	if math.IsNaN(m.Gamma) || math.IsNaN(m.Rho) || at >= len(lines) {
		return nil, fmt.Errorf("imgmetrics: %s is not a libsvm regression: gamma, rho or support vectors are missing", path)
	}
	for ; at < len(lines); at++ {
		fields := strings.Fields(lines[at])
		if len(fields) == 0 {
			continue
		}
		coef, err := number(fields[0])
		if err != nil {
			return nil, fmt.Errorf("imgmetrics: %s, line %d: coefficient %.40q, expected a number", path, at+1, fields[0])
		}
		v := make([]float64, n)
		for _, p := range fields[1:] {
			i, x, ok := strings.Cut(p, ":")
			k, err := strconv.Atoi(i)
			if err != nil || !ok || k < 1 || k > n {
				return nil, fmt.Errorf("imgmetrics: %s, line %d: %.40q, expected FEATURE:VALUE with features 1 to %d", path, at+1, p, n)
			}
			if v[k-1], err = number(x); err != nil {
				return nil, fmt.Errorf("imgmetrics: %s, line %d: %.40q, expected a number after the colon", path, at+1, p)
			}
		}
		m.Coef, m.Vectors = append(m.Coef, coef), append(m.Vectors, v)
	}
	if total >= 0 && total != len(m.Vectors) {
		return nil, fmt.Errorf("imgmetrics: %s is cut short: it has %d support vectors of %d", path, len(m.Vectors), total)
	}
	return m, m.parseRanges(rangePath, ranges, n)
}

// parseRanges reads svm-scale's format: "x", "lower upper", then "feature min max".
func (m *SVR) parseRanges(path string, text []byte, n int) error {
	m.Min, m.Max = make([]float64, n), make([]float64, n)
	seen := 0
	for i, line := range bytes.Split(text, []byte("\n")) {
		f := strings.Fields(string(line))
		if len(f) == 0 || i == 0 && f[0] == "x" {
			continue
		}
		var v [3]float64
		var err error
		for j := range min(len(f), 3) {
			if v[j], err = number(f[j]); err != nil {
				break
			}
		}
		switch {
		case err == nil && len(f) == 2 && m.Lower == m.Upper && v[0] < v[1]:
			m.Lower, m.Upper = v[0], v[1]
		case err == nil && len(f) == 3 && m.Lower != m.Upper && v[0] == float64(seen+1) && seen < n && v[1] < v[2]:
			m.Min[seen], m.Max[seen] = v[1], v[2]
			seen++
		default:
			return fmt.Errorf("imgmetrics: %s, line %d: %.60q, expected svm-scale's ranges: x, LOWER UPPER, then FEATURE MIN MAX for features 1 to %d", path, i+1, line, n)
		}
	}
	if seen != n {
		return fmt.Errorf("imgmetrics: %s has the ranges of %d features, expected %d", path, seen, n)
	}
	return nil
}

// number parses a finite number.
func number(s string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err == nil && (math.IsNaN(v) || math.IsInf(v, 0)) {
		err = strconv.ErrRange
	}
	return v, err
}
