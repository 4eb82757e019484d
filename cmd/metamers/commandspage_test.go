package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

const commandsPage = "../../docs/commands.md"

// docs/commands.md is what the program says of its commands.
func TestCommandsPage(t *testing.T) {
	want := commandsReference()
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(commandsPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(commandsPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) == want {
		return
	}
	lines := strings.Split(string(got), "\n")
	for i, line := range strings.Split(want, "\n") {
		if i >= len(lines) || lines[i] != line {
			t.Fatalf("docs/commands.md differs from the program's help at line %d, expected %q; UPDATE=1 go test ./cmd/metamers -run TestCommandsPage writes it", i+1, line)
		}
	}
	t.Fatal("docs/commands.md has more than the program's help")
}

// commandsReference is the page of all commands and flags, made from the parser.
func commandsReference() string {
	var b strings.Builder
	model := newParser(new(cli)).Model
	b.WriteString("# Commands\n\nThis page lists every command and flag of the program. It is made from the program's own help: `metamers COMMAND --help` shows the same.\n\n| command | what it does |\n|---|---|\n")
	leaves := model.Leaves(true)
	for _, n := range leaves {
		fmt.Fprintf(&b, "| [%s](#%s) | %s |\n", n.FullPath(), strings.ReplaceAll(n.FullPath(), " ", "-"), asMarkdown(n.Help))
	}
	b.WriteString("\n## Flags of every command\n\n")
	flagTable(&b, model.Flags)
	for _, n := range leaves {
		fmt.Fprintf(&b, "## %s\n\n    metamers %s\n\n%s\n\n", n.FullPath(), strings.TrimSpace(n.Summary()), asMarkdown(n.Help))
		code := false
		for _, line := range strings.Split(strings.TrimSpace(n.Detail), "\n") {
			if indented := strings.HasPrefix(line, "  "); indented != code && line != "" {
				code = indented
				b.WriteString("\n")
			}
			switch {
			case code && line != "":
				fmt.Fprintf(&b, "    %s\n", strings.TrimPrefix(line, "  "))
			default:
				fmt.Fprintln(&b, asMarkdown(line))
			}
		}
		b.WriteString("\n")
		if len(n.Positional) > 0 {
			b.WriteString("| argument | what it is |\n|---|---|\n")
			for _, p := range n.Positional {
				fmt.Fprintf(&b, "| `%s` | %s |\n", p.Summary(), asMarkdown(p.Help))
			}
			b.WriteString("\n")
		}
		var own []*kong.Flag // those of the commands above it too, but not of every command
		for above := n; above != model.Node; above = above.Parent {
			own = append(own, above.Flags...)
		}
		flagTable(&b, own)
	}
	return regexp.MustCompile(`\n{3,}`).ReplaceAllString(strings.TrimSpace(b.String()), "\n\n") + "\n"
}

func flagTable(b *strings.Builder, flags []*kong.Flag) {
	var rows []string
	for _, f := range flags {
		if f.Hidden {
			continue
		}
		name := "--" + f.Name
		if f.Short != 0 {
			name = "-" + string(f.Short) + ", " + name
		}
		if !f.IsBool() {
			name += "=" + f.FormatPlaceHolder()
		}
		help := asMarkdown(f.Help)
		for _, env := range f.Envs {
			help += " Variable: `" + env + "`."
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s |\n", strings.ReplaceAll(name, "|", `\|`), help))
	}
	if rows != nil {
		fmt.Fprintf(b, "| flag | what it does |\n|---|---|\n%s\n", strings.Join(rows, ""))
	}
}

var pageName = regexp.MustCompile(`docs/([a-z-]+\.md)`)

// asMarkdown is a text as Markdown, in which nothing but the names of pages is markup.
func asMarkdown(s string) string {
	s = strings.NewReplacer("*", `\*`, "_", `\_`, "<", "&lt;", "|", `\|`, "[", `\[`).Replace(s)
	return pageName.ReplaceAllString(s, "[$1]($1)")
}

var (
	pageCommand = regexp.MustCompile(`(?m)^ *(?:\w+\$ +)?(?:bin/)?metamers ((?:.*\\\n)*.*)$`)
	pageCode    = regexp.MustCompile("(?ms)^```(\\w*)\n.*?^```$|(?:^    .*\n)+")
	pageComment = regexp.MustCompile(` +(#|&&).*`)
	pageWord    = regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`)
)

// Every command on a page of the documentation is one that the program takes: its names,
// flags and their values. Files need not be there; "…" stands for what the page leaves out.
func TestCommandsOfPages(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	notes, _ := filepath.Glob("../../docs/notes/*.md")
	pages = append(append(pages, notes...), "../../README.md")
	found, parser := 0, newParser(new(cli))
	for _, page := range pages {
		for _, line := range commandsOf(t, page) {
			if strings.HasPrefix(line, "completion") {
				continue // it leaves the process
			}
			found++
			if err := takes(parser, line); err != nil {
				t.Errorf("%s: metamers %s: %v", filepath.Base(page), line, err)
			}
		}
	}
	if found < 100 {
		t.Errorf("%d commands were found on %d pages, expected 100 or more", found, len(pages))
	}
}

// commandsOf returns the commands of a page, without the name of the program.
func commandsOf(t *testing.T, page string) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if page == commandsPage {
		text = examplesOnly.ReplaceAll(text, nil)
	}
	var lines []string
	for _, b := range pageCode.FindAllStringSubmatch(string(text), -1) {
		if b[1] != "" && b[1] != "sh" {
			continue // another language
		}
		for _, m := range pageCommand.FindAllStringSubmatch(b[0], -1) {
			lines = append(lines, pageComment.ReplaceAllString(strings.ReplaceAll(m[1], "\\\n", " "), ""))
		}
	}
	return lines
}

// examplesOnly are the lines of docs/commands.md that say how a command is called.
var examplesOnly = regexp.MustCompile(`(?m)^    metamers .*(\[flags\]|<.*>).*$`)

// takes returns why the program does not take a line.
func takes(parser *kong.Kong, line string) error {
	var args []string
	leftOut := strings.Contains(line, "…")
	for _, w := range pageWord.FindAllString(line, -1) {
		if w != "…" && w != "..." {
			args = append(args, strings.Trim(w, `'"`))
		}
	}
	_, err := parser.Parse(args)
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist):
		return nil
	case leftOut && strings.HasPrefix(err.Error(), "missing flags") || leftOut && strings.HasPrefix(err.Error(), "expected"):
		return nil
	}
	return err
}

var target = regexp.MustCompile(`(?m)^([a-z-]+):`)

// Every target of make on a page is one of the Makefile.
func TestTargetsOfPages(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, m := range target.FindAllStringSubmatch(string(makefile), -1) {
		have[m[1]] = true
	}
	pages, _ := filepath.Glob("../../docs/*.md")
	pages = append(pages, "../../README.md", "../../CONTRIBUTING.md")
	line, found := regexp.MustCompile("(?m)^    make (.*)$|`make ([^-`][^`]*)`"), 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range line.FindAllStringSubmatch(string(text), -1) {
			for _, w := range strings.Fields(pageComment.ReplaceAllString(m[1]+m[2], "")) {
				if !strings.Contains(w, "=") {
					found++
					if !have[w] {
						t.Errorf("%s: make %s: the Makefile has no such target", filepath.Base(page), w)
					}
				}
			}
		}
	}
	if found < 15 {
		t.Errorf("%d targets were found, expected 15 or more", found)
	}
}
