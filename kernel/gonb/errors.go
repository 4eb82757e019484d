package gonb

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/ensemble-metamers/metamers/kernel/cell"
	"github.com/ensemble-metamers/metamers/kernel/session"
)

// A buildError is what the compiler said of a source.
type buildError struct{ said, source string }

func red(s string) string { return "\x1b[0;31m" + s + "\x1b[0m" }

// A source is the text of a cell, with the number it last had.
type source struct {
	number int
	text   string
}

// place names a line of a cell for somebody who looks at the cell with the
// identifier here.
func (in *Interpreter) place(id, here string, line int) string {
	if id == here {
		return fmt.Sprintf("line %d", line)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	return fmt.Sprintf("cell [%d], line %d", in.sources[id].number, line)
}

// excerpt shows a line of source with a mark under a column (0: none).
func excerpt(where, text string, column int) []string {
	if strings.TrimSpace(text) == "" {
		return []string{where}
	}
	out := []string{where + ":", "    " + strings.ReplaceAll(text, "\t", "    ")}
	if column > 0 && column <= len(text)+1 {
		out = append(out, "    "+strings.Repeat(" ", len([]rune(strings.ReplaceAll(text[:column-1], "\t", "    "))))+"^")
	}
	return out
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// line returns a line of a cell's text.
func (in *Interpreter) line(id string, line int) string {
	in.mu.Lock()
	defer in.mu.Unlock()
	lines := strings.Split(in.sources[id].text, "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	return lines[line-1]
}

// find looks for a line of the composed program, which has no mark, in the cells,
// and finds it in the newest.
func (in *Interpreter) find(text string) (id string, line int, ok bool) {
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	want := squeeze(text)
	if len(want) < 3 {
		return "", 0, false
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	newest := -1
	for k, s := range in.sources {
		if s.number <= newest {
			continue
		}
		for i, l := range strings.Split(s.text, "\n") {
			if strings.Contains(squeeze(l), want) {
				id, line, ok, newest = k, i+1, true, s.number
				break
			}
		}
	}
	return id, line, ok
}

var (
	cellError   = regexp.MustCompile(`^(?:\S*/)?Cell\[([0-9a-f]+)\]:(\d+):(?:(\d+):)? ?(.*)$`)
	sourceError = regexp.MustCompile(`^(?:\S*/)?main(?:_test)?\.go:(\d+):(?:(\d+):)? ?(.*)$`)
	cellFrame   = regexp.MustCompile(`^\t(?:\S*/)?Cell\[([0-9a-f]+)\]:(\d+)`)
	otherFrame  = regexp.MustCompile(`^\t(\S+\.(?:go|s)):(\d+)`)
	tempPath    = regexp.MustCompile(`(?:/[^\s/:]+)+/gonb_[0-9a-f]+/`)
	tempName    = regexp.MustCompile(`gonb_[0-9a-f]+`)
)

// cleanPaths takes names of GoNB's temporary module out of a text.
func cleanPaths(s string) string {
	s = strings.ReplaceAll(s, "metamersDisplay.Result", "display.Result")
	return tempName.ReplaceAllString(tempPath.ReplaceAllString(s, ""), "cell")
}

// noModule is what the go command says of an import that no known module has.
var noModule = regexp.MustCompile(`(?:no required module|cannot find module) provid(?:es|ing) package (\S+?)[:;].*`)

// helped says how a module becomes known, where one is missing.
func helped(message string) string {
	return noModule.ReplaceAllString(message, "no module that cells know has the package $1: %require MODULE@VERSION makes one known")
}

// compileFailure tells what the compiler said, with places in cells.
func (in *Interpreter) compileFailure(b *buildError, here string) *session.Failure {
	f := &session.Failure{Name: "CompileError"}
	source := strings.Split(b.source, "\n")
	for _, l := range strings.Split(strings.TrimRight(b.said, "\n"), "\n") {
		if strings.HasPrefix(l, "# ") || l == "" {
			continue
		}
		id, line, column, message := "", 0, 0, ""
		if m := cellError.FindStringSubmatch(l); m != nil {
			id = m[1]
			line, _ = strconv.Atoi(m[2])
			column, _ = strconv.Atoi(m[3])
			message = m[4]
		} else if m := sourceError.FindStringSubmatch(l); m != nil {
			at, _ := strconv.Atoi(m[1])
			message = m[3]
			if at >= 1 && at <= len(source) {
				var ok bool
				if id, line, ok = in.find(source[at-1]); !ok {
					message += " in: " + strings.TrimSpace(source[at-1])
				}
			}
		} else {
			l = helped(cleanPaths(l))
			f.Traceback = append(f.Traceback, l)
			if f.Value == "" {
				f.Value = l
			}
			continue
		}
		message = helped(cleanPaths(message))
		f.Traceback = append(f.Traceback, red("CompileError")+": "+message)
		where := ""
		if line > 0 {
			where = in.place(id, here, line)
			f.Traceback = append(f.Traceback, excerpt(where, in.line(id, line), column)...)
			where += ": "
		}
		if f.Value == "" {
			f.Value = where + message
		}
	}
	if f.Value == "" {
		f.Value = "the cell could not be built"
	}
	return f
}

// panicFailure tells of a panic: its message and the calls of the goroutine that
// panicked, those of the runtime left out.
func (in *Interpreter) panicFailure(text, here string) *session.Failure {
	head, trace, _ := strings.Cut(text, "\ngoroutine ")
	head, _, _ = strings.Cut(head, "\nruntime stack:\n")
	head = strings.TrimRight(stackPointer.ReplaceAllString(head, ""), "\n")
	f := &session.Failure{Name: "panic", Value: cleanPaths(strings.TrimPrefix(firstLine(head), "panic: "))}
	if name, rest, ok := strings.Cut(f.Value, ": "); ok && name == "fatal error" {
		f.Name, f.Value = name, rest
	}
	first, others, _ := strings.Cut(trace, "\n\ngoroutine ")
	f.Traceback = append(f.Traceback, red(cleanPaths(head)))
	lines := strings.Split(first, "\n")
	was, times := "", 0 // the frame before, and how often it came again
	again := func() {
		if times > 0 {
			f.Traceback = append(f.Traceback, fmt.Sprintf("(and %d more times)", times))
		}
		times = 0
	}
	for i := 1; i+1 < len(lines); i += 2 {
		if strings.HasPrefix(lines[i], "...") { // "...23 frames elided..."
			again()
			f.Traceback, was = append(f.Traceback, "..."), ""
			i--
			continue
		}
		frame := in.frame(lines[i], lines[i+1], here)
		if len(frame) == 0 {
			continue
		}
		if text := strings.Join(frame, "\n"); text == was {
			times++
			continue
		} else {
			was = text
		}
		again()
		f.Traceback = append(f.Traceback, frame...)
	}
	again()
	if n := strings.Count(others, "\n\ngoroutine ") + 1; others != "" {
		f.Traceback = append(f.Traceback, fmt.Sprintf("(%d other goroutines were running)", n))
	}
	return f
}

// stackPointer is what the run-time says of a stack that is too deep.
var stackPointer = regexp.MustCompile(`(?m)^runtime: sp=.*\n`)

// frame shows a call of a stack and its place; nothing where that is the run-time or the
// kernel.
func (in *Interpreter) frame(call, at, here string) []string {
	call, _, _ = strings.Cut(strings.TrimPrefix(call, "created by "), " in goroutine ")
	if open := strings.LastIndexByte(call, '('); open > 0 {
		call = call[:open]
	}
	if m := cellFrame.FindStringSubmatch(at); m != nil {
		id := m[1]
		line, _ := strconv.Atoi(m[2])
		return excerpt(in.place(id, here, line)+", in "+strings.TrimPrefix(cellPackage.ReplaceAllString(call, ""), "main."), in.line(id, line), 0)
	}
	m := otherFrame.FindStringSubmatch(at)
	if m == nil || strings.HasPrefix(call, "runtime.") || strings.HasPrefix(call, "panic") || strings.HasPrefix(call, "main.main") || strings.Contains(at, "/kernel/live/host/") {
		return nil
	}
	return []string{fmt.Sprintf("%s:%s, in %s", in.shortPath(cleanPaths(m[1])), m[2], cleanPaths(call))}
}

// shortPath names a file of the checkout relative to it.
func (in *Interpreter) shortPath(path string) string {
	return strings.TrimPrefix(path, strings.TrimSuffix(in.o.Checkout, "/")+"/")
}

// IsComplete says whether a cell can be run as it is.
func (in *Interpreter) IsComplete(code string) (status, indent string) { return cell.Complete(code) }
