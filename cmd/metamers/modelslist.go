package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/ensemble-metamers/metamers/metamerkit/weightfiles"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

type modelsListCmd struct {
	Match     []string `help:"List only these models: names with * for any characters, such as resnet*, or words that are part of a name, alias or title." placeholder:"PATTERN"`
	Available bool     `help:"List only models whose weights are on this machine."`
	Kind      string   `help:"List only models of this kind, such as cnn or transformer."`
	Training  string   `help:"List only models with this training, such as standard or robust."`
}

func (modelsListCmd) Help() string {
	return `Models whose weights are on this machine come first.

Examples:
  metamers models --available
  metamers models --match convnext --kind cnn --training robust
  metamers models --match 'vit_*'`
}

// modelRow is a line of the list.
type modelRow struct {
	Name, Title, Kind, Training string
	Aliases                     []string
	Weights                     string // path, "" where missing
}

func (c modelsListCmd) Run(g *globals) error {
	all := modelRows()
	if err := oneOf("--kind", c.Kind, all, func(r modelRow) string { return r.Kind }); err != nil {
		return err
	}
	if err := oneOf("--training", c.Training, all, func(r modelRow) string { return r.Training }); err != nil {
		return err
	}
	rows := make([]modelRow, 0, len(all))
	for _, r := range all {
		match, err := r.matches(c.Match)
		if err != nil {
			return err
		}
		if match && (r.Weights != "" || !c.Available) && (c.Kind == "" || r.Kind == c.Kind) && (c.Training == "" || r.Training == c.Training) {
			rows = append(rows, r)
		}
	}
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(rows)
	}
	if len(rows) == 0 {
		return fmt.Errorf("no model of %d matches; metamers models lists all", len(all))
	}
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil { // no terminal
		width = 0
	}
	printModels(rows, width)
	return nil
}

// modelRows are all models, those with weights first.
func modelRows() (rows []modelRow) {
	for _, n := range zoo.Names() {
		c, err := zoo.Lookup(n)
		if err != nil {
			fmt.Fprintln(os.Stderr, "warning:", n, err)
			continue
		}
		f, err := weightfiles.Locate(c)
		if err != nil {
			f.Path = ""
		}
		rows = append(rows, modelRow{c.Name, c.Title, c.Kind, c.Training, c.Aliases, f.Path})
	}
	slices.SortStableFunc(rows, func(a, b modelRow) int { return available(b) - available(a) })
	return rows
}

// available is 1 for a model whose weights are on this machine, else 0.
func available(r modelRow) int {
	if r.Weights == "" {
		return 0
	}
	return 1
}

// matches says whether a row is one of those that the patterns name; none name all.
func (r modelRow) matches(patterns []string) (bool, error) {
	for _, p := range patterns {
		for _, name := range append([]string{r.Name}, r.Aliases...) {
			ok, err := path.Match(p, name)
			if err != nil {
				return false, fmt.Errorf("%s: %w", p, err)
			}
			if ok {
				return true, nil
			}
		}
		if !strings.ContainsAny(p, `*?[\`) && strings.Contains(strings.ToLower(strings.Join(append(r.Aliases, r.Name, r.Title), "\n")), strings.ToLower(p)) {
			return true, nil
		}
	}
	return len(patterns) == 0, nil
}

// oneOf is an error unless a flag is empty or has the value of some row.
func oneOf(flag, value string, rows []modelRow, of func(modelRow) string) error {
	var values []string
	for _, r := range rows {
		if v := of(r); v != "" && !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	if value == "" || slices.Contains(values, value) {
		return nil
	}
	slices.Sort(values)
	return fmt.Errorf("%s is %q: expected one of %s", flag, value, strings.Join(values, ", "))
}

// titleRoom is the least number of columns in which a title says something.
const titleRoom = 20

// printModels prints rows in lines of at most width columns, unless that is 0. A column that
// has no room is left out.
func printModels(rows []modelRow, width int) {
	head := modelRow{Name: "name", Kind: "kind", Training: "training", Title: "title"}
	cells := [][4]string{{head.Name, head.Kind, head.Training, "weights"}}
	titles := []string{head.Title}
	for _, r := range rows {
		weights, title := "available", r.Title
		if r.Weights == "" {
			weights = "missing"
		}
		if len(r.Aliases) > 0 {
			title += " (also: " + strings.Join(r.Aliases, ", ") + ")"
		}
		cells, titles = append(cells, [4]string{r.Name, r.Kind, r.Training, weights}), append(titles, title)
	}
	var wide [4]int
	for _, c := range cells {
		for i, text := range c {
			wide[i] = max(wide[i], len(text))
		}
	}
	shown, used := 1, wide[0]
	for shown < len(wide) && (width == 0 || used+2+wide[shown] <= width) {
		used += 2 + wide[shown]
		shown++
	}
	titled := shown == len(wide) && (width == 0 || used+2+titleRoom <= width)
	for i, c := range cells {
		line := fmt.Sprintf("%-*s", wide[0], c[0])
		for k := 1; k < shown; k++ {
			line += fmt.Sprintf("  %-*s", wide[k], c[k])
		}
		if titled {
			line += "  " + titles[i]
		}
		line = strings.TrimRight(line, " ")
		if r := []rune(line); width > 0 && len(r) > width {
			line = string(r[:width-1]) + "…"
		}
		fmt.Println(line)
	}
}
