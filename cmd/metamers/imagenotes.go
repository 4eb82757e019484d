package main

import (
	"fmt"
	"os"
	"sync"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
)

// withNotes prints the notes of an image set that was opened.
func withNotes(set *images.Set, err error) (*images.Set, error) {
	if err != nil {
		return nil, err
	}
	for _, n := range set.Notes {
		note(n)
	}
	return set, nil
}

var noted sync.Map

// note prints what a reader should know of the images to standard error, once.
func note(text string) {
	if _, before := noted.LoadOrStore(text, true); !before {
		fmt.Fprintln(os.Stderr, "note:", text)
	}
}
