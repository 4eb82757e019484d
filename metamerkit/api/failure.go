package api

import (
	"context"
	"errors"
	"fmt"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// ErrForgotten says that the server knows nothing of a study any more.
var ErrForgotten = errors.New("api: the engine has forgotten the study: carry the plan out again")

// MissingImagesError says that the server does not have an image set.
type MissingImagesError struct{ Images metamer.ImageRef }

func (e *MissingImagesError) Error() string {
	return fmt.Sprintf("api: the engine does not have the image set %s with the SHA-256 %s: run the cell again", e.Images.Name, e.Images.SHA256)
}

// ErrElsewhere says that a server on another machine cannot open an image set, because its
// files are on the client's machine or missing on its own: the client is to send it.
var ErrElsewhere = errors.New("api: the image set is not on the engine's machine")

// Failure is an error on the wire: what it says, and the kinds that callers branch on.
type Failure struct {
	Text          string
	Canceled      bool
	Forgotten     bool
	Elsewhere     bool
	MissingImages *MissingImagesError
	Unknown       *metamer.UnknownError
}

// PackError keeps what an error says and which of the known kinds it is.
func PackError(err error) *Failure {
	f := &Failure{Text: err.Error(), Canceled: errors.Is(err, context.Canceled), Forgotten: errors.Is(err, ErrForgotten), Elsewhere: errors.Is(err, ErrElsewhere)}
	errors.As(err, &f.Unknown)
	errors.As(err, &f.MissingImages)
	return f
}

// Error implements error.
func (f *Failure) Error() string { return f.Text }

// Unwrap lets errors.As and errors.Is see what the error was.
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
