// Package apitest makes what goes over sockets, for the fuzz tests of its readers.
package apitest

import (
	"bytes"
	"encoding/gob"
	"testing"
)

// Encoded is a stream of gob values.
func Encoded(t testing.TB, values ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := gob.NewEncoder(&b)
	for _, v := range values {
		if err := e.Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}
