// Package photos carries the reference photographs as files; see README.md for
// their source and licence. Programs use metamerkit/images/photos.
package photos

import "embed"

// Files holds labels.tsv and one JPEG a row of it.
//
//go:embed *.jpg labels.tsv README.md COPYING
var Files embed.FS
