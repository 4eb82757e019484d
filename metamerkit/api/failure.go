package api

import (
	"context"
	"errors"
	"fmt"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// ErrForgotten is the error if the server no longer has a study in memory.
var ErrForgotten = errors.New("api: the engine has forgotten the study: carry the plan out again")

// MissingImagesError is the error if the server does not have an image set in memory.
type MissingImagesError struct{ Images metamer.ImageRef }

func (e *MissingImagesError) Error() string {
	return fmt.Sprintf("api: the engine does not have the image set %s with the SHA-256 %s: run the cell again", e.Images.Name, e.Images.SHA256)
}

// ErrElsewhere is the error if a server on another machine cannot open an image set, because
// its files are on the client's machine or missing on the server's. The client then sends it.
var ErrElsewhere = errors.New("api: the image set is not on the engine's machine")

// Failure is an error in an event: its message, and the kinds of error that callers
// distinguish.
type Failure struct {
	Text          string
	Canceled      bool
	Forgotten     bool
	Elsewhere     bool
	MissingImages *MissingImagesError
	Unknown       *metamer.UnknownError
}

// PackError returns the failure of an error that is not nil, with its message and kind.
func PackError(err error) *Failure {
	f := &Failure{Text: err.Error(), Canceled: errors.Is(err, context.Canceled), Forgotten: errors.Is(err, ErrForgotten), Elsewhere: errors.Is(err, ErrElsewhere)}
	errors.As(err, &f.Unknown)
	errors.As(err, &f.MissingImages)
	return f
}

// Error implements error.
func (f *Failure) Error() string { return f.Text }

// Unwrap returns the error of the failure's kind, for errors.As and errors.Is, or nil.
func (f *Failure) Unwrap() error {
	switch {
	case f.Unknown != nil:
		return f.Unknown
	case f.MissingImages != nil:
		return f.MissingImages
	case f.Forgotten:
		return ErrForgotten
	case f.Elsewhere:
		return ErrElsewhere
	case f.Canceled:
		return context.Canceled
	}
	return nil
}
