package gonb

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"strings"

	"github.com/ensemble-metamers/metamers/kernel/session"
)

// timing returns the line of a cell that asks for a time, "" for none.
func timing(lines []string) string {
	for _, line := range lines {
		switch word, _, _ := strings.Cut(strings.TrimLeft(line, "% \t"), " "); word {
		case "time", "timeit":
			return line
		}
	}
	return ""
}

// timed runs a cell and tells how long it ran: %time once, %timeit many times. What
// follows on the line is run, else the cell.
func (in *Interpreter) timed(ctx context.Context, req session.Request, line string, out session.Output) *session.Failure {
	word, code, _ := strings.Cut(strings.TrimLeft(line, "% \t"), " ")
	if !in.remembers() {
		return &session.Failure{Name: "UsageError", Value: "%" + word + " is for a session that remembers: %state on"}
	}
	before, after, _ := strings.Cut(req.Code, line)
	if word == "timeit" {
		if code = strings.TrimSpace(code); code == "" {
			code, after = strings.TrimPrefix(after, "\n"), ""
			before += "metamersTimeit.Run(func() {\n"
		} else {
			before += "metamersTimeit.Run(func() { "
		}
		after = " })" + after
		if x, err := parser.ParseExpr(code); err == nil && unusable(x) {
			code = "_ = " + code
		}
	}
	req.Code = before + code + after
	if f := in.Execute(ctx, req, out); f != nil {
		return f
	}
	if word == "time" {
		out.Stream("stdout", fmt.Sprintf("ran %.3g s\n", in.live.Elapsed()))
	}
	return nil
}

// unusable reports whether an expression cannot stand as a statement.
func unusable(x ast.Expr) bool {
	call, ok := x.(*ast.CallExpr)
	if !ok {
		return true
	}
	if i, ok := call.Fun.(*ast.Ident); ok {
		switch i.Name {
		case "append", "cap", "complex", "imag", "len", "make", "max", "min", "new", "real":
			return true
		}
	}
	return false
}
