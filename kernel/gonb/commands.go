package gonb

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/ensemble-metamers/metamers/kernel/session"
)

//go:embed help.md
var help string

var moduleVersion = regexp.MustCompile(`^[^\s@]+@[^\s@]+$`)

// command carries out a line that the kernel understands itself.
func (in *Interpreter) command(ctx context.Context, line string, out session.Output) *session.Failure {
	words := strings.Fields(strings.TrimLeft(line, "% \t"))
	switch words[0] {
	case "help":
		out.Page(map[string]string{"text/plain": help, "text/markdown": help})
		return nil
	case "require":
		return in.require(ctx, words[1:], out)
	case "reset":
		if !in.remembers() {
			return in.compose(ctx, session.Request{Code: line}, line+"\n", out)
		}
		return in.stateCommand(ctx, words, out)
	case "state", "vars", "restart":
		return in.stateCommand(ctx, words, out)
	}
	return &session.Failure{Name: "UnknownCommand", Value: line}
}

// require adds modules to those that cells can import: "%require path@version".
func (in *Interpreter) require(ctx context.Context, modules []string, out session.Output) *session.Failure {
	usage := func(why string) *session.Failure {
		return &session.Failure{Name: "UsageError", Value: why + ` (usage: %require example.com/module@v1.2.3)`}
	}
	if len(modules) == 0 {
		return usage("no module given")
	}
	for _, m := range modules {
		if !moduleVersion.MatchString(m) || strings.HasPrefix(m, "-") {
			return usage(fmt.Sprintf("%q is not a module with a version", m))
		}
	}
	if _, f := in.ready(ctx); f != nil {
		return f
	}
	dirs, _ := filepath.Glob(filepath.Join(in.tmp(), "gonb_*", "go.mod"))
	if len(dirs) != 1 {
		return &session.Failure{Name: "KernelError", Value: fmt.Sprintf("%d module folders of GoNB, want 1", len(dirs))}
	}
	before, err := os.ReadFile(dirs[0])
	if err != nil {
		return &session.Failure{Name: "KernelError", Value: err.Error()}
	}
	cmd := exec.CommandContext(ctx, in.o.Go, append([]string{"get"}, modules...)...)
	cmd.Dir = filepath.Dir(dirs[0])
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "TMPDIR="+in.tmp())
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err = in.o.Life.Start(cmd); err == nil {
		err = cmd.Wait()
	}
	text := cleanPaths(strings.TrimSpace(said.String()))
	if err != nil {
		os.WriteFile(dirs[0], before, 0o600)
		if ctx.Err() != nil {
			return interrupted()
		}
		lines := slices.DeleteFunc(strings.Split(text, "\n"), func(l string) bool { return strings.HasPrefix(l, "go: downloading ") })
		return &session.Failure{Name: "RequireError", Value: strings.Join(lines[:min(1, len(lines))], ""), Traceback: lines}
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		if data, err := os.ReadFile(filepath.Join(cmd.Dir, name)); err == nil {
			os.WriteFile(filepath.Join(in.goplsDir(), name), data, 0o600)
		}
	}
	stale, err := in.live.Require(cmd.Dir)
	if err != nil {
		return &session.Failure{Name: "RequireError", Value: err.Error()}
	}
	in.mu.Lock()
	server := in.gopls
	in.mu.Unlock()
	if server != nil {
		server.ModuleChanged()
	}
	if text == "" { // nothing had to change
		text = strings.Join(modules, ", ") + ": known already"
	}
	out.Stream("stdout", text+"\n")
	if stale != "" {
		out.Stream("stderr", stale+"\n")
	}
	return nil
}
