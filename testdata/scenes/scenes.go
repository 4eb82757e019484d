// Package scenes carries 24 photographs as files; see README.md for their source and
// terms. Programs use metamerkit/images/photos.
package scenes

import "embed"

// Files holds labels.tsv and one JPEG a row of it.
//
//go:embed *.jpg labels.tsv README.md
var Files embed.FS
