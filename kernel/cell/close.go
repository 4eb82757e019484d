package cell

import (
	"go/scanner"
	"go/token"
	"strings"
)

var closers = map[token.Token]token.Token{token.LPAREN: token.RPAREN, token.LBRACK: token.RBRACK, token.LBRACE: token.RBRACE}

// closed returns the text with what is missing of the brackets that are open at an
// offset: a literal or call that is being written does not parse yet, and takes with it
// all that follows. The brackets are closed behind the last token of the offset's line,
// or, where nothing but brackets follows there, at the offset.
func closed(text string, offset int) string {
	fset := token.NewFileSet()
	file := fset.AddFile("", fset.Base(), len(text))
	var s scanner.Scanner
	s.Init(file, []byte(text), nil, 0)
	lineEnd := len(text)
	if i := strings.IndexByte(text[offset:], '\n'); i >= 0 {
		lineEnd = offset + i
	}
	var open, here []token.Token // now; and at the offset
	missing := 0                 // brackets that nothing closes
	seen, word, last, only := false, offset, offset, true
	for {
		pos, tok, lit := s.Scan()
		at := file.Offset(pos)
		if !seen && (at >= offset || tok == token.EOF) {
			seen, here = true, append(here, open...)
		}
		if tok == token.EOF {
			missing += len(open)
			break
		}
		if tok != token.SEMICOLON || lit == ";" {
			length := len(lit)
			if tok.IsOperator() {
				length = len(tok.String())
			}
			end := min(at+length, len(text)) // what is not UTF-8 counts as more than it is
			switch {
			case at < offset && end > offset:
				word = end
				last = max(last, end)
			case at >= offset && at < lineEnd:
				last = end
				only = only && (tok == token.RPAREN || tok == token.RBRACK || tok == token.RBRACE || tok == token.COMMA)
			}
		}
		switch tok {
		case token.LPAREN, token.LBRACK, token.LBRACE:
			open = append(open, tok)
		case token.RPAREN, token.RBRACK, token.RBRACE:
			i := len(open) - 1
			for i >= 0 && closers[open[i]] != tok {
				i--
			}
			if i >= 0 { // those within it were left open
				missing += len(open) - 1 - i
				open = open[:i]
			}
		}
	}
	if only {
		last = word
	}
	var add strings.Builder
	for i := len(here) - 1; i >= 0 && missing > 0; i-- {
		add.WriteString(closers[here[i]].String())
		missing--
	}
	return text[:last] + add.String() + text[last:]
}
