// Package trained carries the weights that the project trained itself, in half
// precision; their cards lie with the others, in the folders of their families.
package trained

import "embed"

// Files holds one safetensors file a model, named after it.
//
//go:embed *.safetensors
var Files embed.FS
