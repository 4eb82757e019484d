package cell

import (
	"go/scanner"
	"go/token"
	"strings"
)

// Standard has the packages of the standard library that cells are likely to name
// without importing them, by name, where only one package has the name.
var Standard = map[string]string{}

func init() {
	for _, path := range strings.Fields(`bufio bytes cmp context errors flag fmt image io iter log maps math os path reflect regexp runtime slices sort strconv strings sync
		testing time unicode unsafe archive/tar archive/zip bytes compress/gzip container/heap container/list crypto/md5 crypto/sha1 crypto/sha256 encoding/base64 encoding/binary
		encoding/csv encoding/gob encoding/hex encoding/json encoding/xml hash/crc32 hash/fnv image/color image/draw image/gif image/jpeg image/png io/fs log/slog math/big
		math/bits math/cmplx net/http net/url os/exec os/signal path/filepath runtime/debug sync/atomic text/tabwriter unicode/utf16 unicode/utf8`) {
		Standard[path[strings.LastIndexByte(path, '/')+1:]] = path
	}
}

// named returns the identifiers of a text that stand before a dot and not behind one.
func named(text string) map[string]bool {
	out := map[string]bool{}
	fset := token.NewFileSet()
	var s scanner.Scanner
	s.Init(fset.AddFile("", fset.Base(), len(text)), []byte(text), nil, 0)
	before, last := token.ILLEGAL, ""
	for {
		_, tok, lit := s.Scan()
		if tok == token.EOF {
			return out
		}
		if tok == token.PERIOD && last != "" {
			out[last] = true
		}
		last = ""
		if tok == token.IDENT && before != token.PERIOD {
			last = lit
		}
		before = tok
	}
}
