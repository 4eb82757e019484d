// Package models carries the cards of the models that the project knows.
package models

import "embed"

// Cards holds one JSON file a model, named after it, in a folder named after its
// family.
//
//go:embed */*.json
var Cards embed.FS
