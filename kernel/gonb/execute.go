package gonb

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ensemble-metamers/metamers/kernel/cell"
	"github.com/ensemble-metamers/metamers/kernel/session"
	"github.com/ensemble-metamers/metamers/kernel/supervisor"
	"github.com/ensemble-metamers/metamers/kernel/wire"
)

const (
	interruptGrace = 350 * time.Millisecond // from SIGINT to SIGKILL
	idleTime       = 30 * time.Second       // for GoNB's idle to come after its reply
	childTime      = 300 * time.Millisecond // for streams that a child of the program holds open
	keptRuns       = 8
	keptSources    = 2000
)

// parameters is how a cell begins that papermill adds (python/metamers_papermill.py).
const parameters = "// Parameters of papermill\n"

// An execution is one cell being run.
type execution struct {
	in    *Interpreter
	out   session.Output
	cell  string // identifier of the cell
	seq   string
	stdin bool

	mu          sync.Mutex
	msgID       string
	idle        chan struct{} // GoNB has published all of this execution
	over        chan struct{} // it is another's turn
	idleOnce    sync.Once
	interrupted bool
	refused     bool        // the program came to start after the interrupt
	building    *buildError // the last build failed
	program     *program    // the cell's program, once started
	shell       *program    // the last shell command, until its streams are finished
	failed      *session.Failure
	said        string // message of GoNB's own error
}

func (e *execution) id() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.msgID
}

// Execute runs a cell, until ctx ends: programs get SIGINT then, and SIGKILL soon after.
func (in *Interpreter) Execute(ctx context.Context, req session.Request, out session.Output) *session.Failure {
	if m := asked.FindStringSubmatch(req.Code); m != nil {
		return in.document(ctx, m[1]+m[2], out)
	}
	c := cell.Parse(req.Code)
	if err := c.Check(); err != nil {
		return syntaxFailure(err)
	}
	if line := timing(c.Own); line != "" {
		return in.timed(ctx, req, line, out)
	}
	before, after := c.OwnCommands()
	if f := in.commands(ctx, before, out); f != nil {
		return f
	}
	if f := in.code(ctx, req, c, out); f != nil {
		return f
	}
	return in.commands(ctx, after, out)
}

// commands carries out lines of the kernel's own commands.
func (in *Interpreter) commands(ctx context.Context, lines []string, out session.Output) *session.Failure {
	for _, line := range lines {
		if f := in.command(ctx, line, out); f != nil {
			return f
		}
	}
	return nil
}

// code runs a cell without the kernel's own commands.
func (in *Interpreter) code(ctx context.Context, req session.Request, c *cell.Cell, out session.Output) *session.Failure {
	if c.Empty() {
		return nil
	}
	if in.remembers() && !c.Program() {
		return in.remember(ctx, req, c, out)
	}
	if strings.HasPrefix(req.Code, parameters) && !in.remembers() {
		return &session.Failure{Name: "ParametersError", Value: "papermill's parameters would be lost at the end of their cell: without a session (%state off) each cell is a program of its own. Run the notebook with %state on"}
	}
	code, _ := c.Render()
	return in.compose(ctx, req, code, out)
}

// compose has GoNB compose, build and start a cell.
func (in *Interpreter) compose(ctx context.Context, req session.Request, code string, out session.Output) *session.Failure {
	b, f := in.ready(ctx)
	if f != nil {
		return f
	}
	e := in.begin(req, out)
	defer in.end(e)
	e.mu.Lock() // messages wait until the identifier is known
	id, reply, err := b.request("execute_request", map[string]any{"code": code, "silent": false, "store_history": true,
		"user_expressions": map[string]any{}, "allow_stdin": req.AllowStdin, "stop_on_error": true})
	e.msgID = id
	e.mu.Unlock()
	if err != nil {
		return &session.Failure{Name: "KernelError", Value: err.Error()}
	}
	defer b.forget(id)
	defer context.AfterFunc(ctx, func() { in.interrupt(e, b) })()
	var answer *wire.Message
	select {
	case answer = <-reply:
	case <-b.died:
		e.finish()
		return diedFailure(b)
	}
	select {
	case <-e.idle:
	case <-b.died:
	case <-time.After(idleTime):
	}
	e.finish()
	return e.outcome(answer)
}

func (in *Interpreter) begin(req session.Request, out session.Output) *execution {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.seq++
	e := &execution{in: in, out: out, cell: cell.ID(req.Code), seq: strconv.Itoa(in.seq), stdin: req.AllowStdin, idle: make(chan struct{}), over: make(chan struct{})}
	in.run = e
	in.recent = append(in.recent, e)
	if len(in.recent) > keptRuns {
		in.recent = append([]*execution(nil), in.recent[1:]...)
	}
	in.sources[e.cell] = source{req.Number, req.Code}
	if len(in.sources) > keptSources {
		oldest, least := "", req.Number
		for id, s := range in.sources {
			if s.number < least {
				oldest, least = id, s.number
			}
		}
		delete(in.sources, oldest)
	}
	return e
}

func (in *Interpreter) end(e *execution) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.run = nil
	close(e.over)
}

// execution finds the execution of a program by the number it was given.
func (in *Interpreter) execution(seq string) *execution {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, e := range in.recent {
		if e.seq == seq {
			return e
		}
	}
	if seq == "" {
		return in.run
	}
	return nil
}

// interrupt stops what runs of an execution and what GoNB would still start of it.
// GoNB itself looks for interrupts only before it has a cell compiled, and forgets one
// that comes before the cell does; between two processes of a cell it knows of none.
func (in *Interpreter) interrupt(e *execution, b *backend) {
	e.mu.Lock()
	e.interrupted = true // no program is started any more
	e.mu.Unlock()
	syscall.Kill(b.pid, syscall.SIGINT)
	supervisor.Stop(func() []int {
		pids := supervisor.Descendants(b.pid)
		in.mu.Lock()
		defer in.mu.Unlock()
		if in.run != e { // they may be the next one's
			return nil
		}
		return pids
	}, interruptGrace, e.over)
}

// unknownCommand is what GoNB, for which the cell does not fail, says of a command.
var unknownCommand = regexp.MustCompile(`^"(%.*)" unknown or not implemented yet\.\s*$`)

// endOfShell is how GoNB says that a shell command ended. ^C comes first if GoNB had heard of
// the interrupt by then.
var endOfShell = regexp.MustCompile(`^(\^C\n)?(signal: [a-z ]+( \(core dumped\))?|exit status \d+)\n$`)

// published takes GoNB's messages about this execution. Errors are told in another
// way, and once a program ran or a build failed GoNB has only errors to tell.
func (e *execution) published(m *wire.Message) {
	var c struct {
		State    string         `json:"execution_state"`
		Name     string         `json:"name"`
		Text     string         `json:"text"`
		Data     map[string]any `json:"data"`
		Metadata map[string]any `json:"metadata"`
		Value    string         `json:"evalue"`
	}
	if err := json.Unmarshal(m.Content, &c); err != nil {
		return
	}
	e.mu.Lock()
	over := e.program != nil || e.building != nil || e.refused
	over = over || e.interrupted && c.Name == "stderr" && endOfShell.MatchString(c.Text)
	e.mu.Unlock()
	switch m.Header.Type {
	case "status":
		if c.State == "idle" {
			e.idleOnce.Do(func() { close(e.idle) })
		}
	case "stream":
		e.finishShell()
		if m := unknownCommand.FindStringSubmatch(c.Text); m != nil && c.Name == "stderr" && !over {
			e.mu.Lock()
			e.failed = &session.Failure{Name: "UsageError", Value: m[1] + " is no command: %help lists them"}
			e.mu.Unlock()
		} else if !over {
			e.out.Stream(c.Name, c.Text)
		}
	case "display_data":
		if !over {
			e.out.Display(session.Bundle{Data: withText(c.Data), Metadata: c.Metadata})
		}
	case "error":
		e.mu.Lock()
		e.said = c.Value
		e.mu.Unlock()
	}
}

// finish waits for what the program left in its streams.
func (e *execution) finish() {
	e.finishShell()
	e.mu.Lock()
	p := e.program
	e.mu.Unlock()
	if p != nil {
		p.finish()
	}
}

// outcome makes the one failure, if any, of all that was heard.
func (e *execution) outcome(answer *wire.Message) *session.Failure {
	var reply struct {
		Status string `json:"status"`
		Value  string `json:"evalue"`
	}
	if err := json.Unmarshal(answer.Content, &reply); err != nil {
		return &session.Failure{Name: "KernelError", Value: "GoNB's reply: " + err.Error()}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	held := ""
	if e.program != nil {
		held = e.program.held()
	}
	if reply.Status == "ok" {
		if held != "" {
			e.out.Stream("stderr", held)
		}
		// A shell command, for which GoNB knows no failure, or what a program's work ended with.
		if e.interrupted && (e.program == nil || e.failed != nil) {
			return interrupted()
		}
		return e.failed // a program may make use of the interrupt and end well
	}
	switch {
	case e.interrupted:
		return interrupted()
	case e.building != nil:
		return e.in.compileFailure(e.building, e.cell)
	case held != "":
		return e.in.panicFailure(held, e.cell)
	case e.failed != nil:
		return e.failed
	case e.program != nil:
		return &session.Failure{Name: "ExitError", Value: "the program of the cell ended with " + reply.Value}
	}
	value := reply.Value
	if value == "" {
		value = e.said
	}
	return &session.Failure{Name: "GoError", Value: cleanPaths(firstLine(value)), Traceback: []string{cleanPaths(value)}}
}

func interrupted() *session.Failure {
	return &session.Failure{Name: "Interrupted", Value: "the cell was interrupted"}
}

func diedFailure(b *backend) *session.Failure {
	cause := "it ended"
	if b.cause != nil {
		cause = b.cause.Error()
	}
	return &session.Failure{Name: "KernelError", Value: fmt.Sprintf("GoNB ended in the middle of the cell (%s). The next cell starts it again; run the cells with declarations again.", cause)}
}

func syntaxFailure(err error) *session.Failure {
	var s *cell.SyntaxError
	if !errors.As(err, &s) {
		return &session.Failure{Name: "SyntaxError", Value: err.Error()}
	}
	return &session.Failure{Name: "SyntaxError", Value: s.Error(),
		Traceback: append([]string{red("SyntaxError") + ": " + s.Message}, excerpt(fmt.Sprintf("line %d", s.Line), s.Text, s.Column)...)}
}

// withText gives a bundle a text/plain, which front ends expect.
func withText(data map[string]any) map[string]any {
	if data == nil {
		data = map[string]any{}
	}
	if html, ok := data["text/html"].(string); ok {
		if svg, ok := bareSVG(html); ok {
			delete(data, "text/html")
			data["image/svg+xml"] = svg
		}
	}
	if _, ok := data["text/plain"]; !ok {
		for _, kind := range []string{"text/markdown", "text/latex"} {
			if s, ok := data[kind].(string); ok {
				data["text/plain"] = s
				return data
			}
		}
		for kind := range data {
			data["text/plain"] = "(" + kind + ")"
			break
		}
	}
	return data
}

// bareSVG finds the SVG that gonbui.DisplaySvg wraps in a division.
func bareSVG(html string) (string, bool) {
	s := strings.TrimSpace(html)
	if inner, ok := strings.CutPrefix(s, "<div>"); ok {
		if inner, ok = strings.CutSuffix(inner, "</div>"); ok {
			s = strings.TrimSpace(inner)
		}
	}
	d := xml.NewDecoder(strings.NewReader(s))
	depth, roots := 0, 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			return s, roots == 1
		}
		if err != nil {
			return "", false
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth == 0 {
				roots++
				if t.Name.Local != "svg" {
					return "", false
				}
			}
			depth++
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && strings.TrimSpace(string(t)) != "" {
				return "", false
			}
		}
	}
}
