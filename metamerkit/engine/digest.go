package engine

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
)

// digest is the SHA-256 of values, for keys.
type digest [sha256.Size]byte

func digestOf(values ...any) digest {
	text, err := json.Marshal(values)
	if err != nil {
		panic(fmt.Sprintf("engine: a key of %v: %v", values, err)) // of NaN, which no validated setting is
	}
	return sha256.Sum256(text)
}
