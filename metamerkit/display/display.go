// Package display shows values in a notebook cell: rich if their type has a rich form,
// as text otherwise. In a program that no kernel started, values are printed as text.
//
// A type becomes rich by a method
//
//	MIMEBundle() (map[string][]byte, error)
//
// that returns contents by media type ("image/png", "image/svg+xml", "text/html",
// "text/plain", ...; binary contents as they are) and needs no import of this
// package. The front end shows the richest that it knows. Package display links
// the standard library alone.
package display

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/display/channel"
)

// A Bundler renders itself by media type.
type Bundler interface {
	MIMEBundle() (map[string][]byte, error)
}

// HTML, SVG, Markdown, LaTeX and JSON are texts that are shown as such.
type (
	HTML     string
	SVG      string
	Markdown string
	LaTeX    string
	JSON     string
)

// Show shows values in the cell, one output each.
func Show(values ...any) error {
	for _, v := range values {
		if err := send(channel.Display, "", v); err != nil {
			return err
		}
	}
	return nil
}

// A Live is an output that can be replaced while the cell runs and after.
type Live struct{ id string }

// NewLive shows v and returns the handle to replace it.
func NewLive(v any) (*Live, error) {
	var b [8]byte
	rand.Read(b[:])
	l := &Live{id: "metamers-" + hex.EncodeToString(b[:])}
	return l, send(channel.Display, l.id, v)
}

// Update replaces what is shown.
func (l *Live) Update(v any) error { return send(channel.Update, l.id, v) }

// Clear clears the cell's output: at once, or, with wait, when the next output
// comes, which flickers less.
func Clear(wait bool) error {
	_, err := channel.Call(channel.Message{Kind: channel.Clear, Wait: wait})
	if errors.Is(err, channel.ErrNoKernel) {
		return nil
	}
	return err
}

// Input asks the user for a line. A password is not shown.
func Input(prompt string, password bool) (string, error) {
	a, err := channel.Call(channel.Message{Kind: channel.Input, Text: prompt, Password: password})
	if errors.Is(err, channel.ErrNoKernel) {
		fmt.Print(prompt)
		var line string
		_, err := fmt.Scanln(&line)
		return line, err
	}
	return a.Text, err
}

// Result makes values the value of the cell. The kernel calls it with the last
// expression of a cell. A non-nil error among the values fails the cell, a nil
// one is left out; without values, or with nil alone, there is no result.
func Result(values ...any) {
	for _, v := range values {
		if err, ok := v.(error); ok && err != nil {
			fail(err)
			return
		}
	}
	var shown []any
	for _, v := range values {
		if v != nil {
			shown = append(shown, v)
		}
	}
	var err error
	switch len(shown) {
	case 0:
		return
	case 1:
		err = send(channel.Result, "", shown[0])
	default:
		texts := make([]string, len(shown))
		for i, v := range shown {
			texts[i] = Text(v)
		}
		err = send(channel.Result, "", strings.Join(texts, "\n"))
	}
	if err != nil {
		fail(err)
	}
}

// None stands where a cell's last expression turned out to have no value.
func None() {}

func fail(err error) {
	_, e := channel.Call(channel.Message{Kind: channel.Fail, Text: err.Error()})
	if e != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
	}
}

func send(kind, id string, v any) error {
	data, err := Bundle(v)
	if err != nil {
		return err
	}
	_, err = channel.Call(channel.Message{Kind: kind, DisplayID: id, Data: encode(data)})
	if errors.Is(err, channel.ErrNoKernel) {
		fmt.Println(string(data["text/plain"]))
		return nil
	}
	return err
}

// encode makes strings of contents: texts as they are, all else in base64.
func encode(data map[string][]byte) map[string]string {
	out := make(map[string]string, len(data))
	for kind, content := range data {
		if strings.HasPrefix(kind, "text/") || kind == "image/svg+xml" || strings.HasSuffix(kind, "json") {
			out[kind] = strings.ToValidUTF8(string(content), "\uFFFD")
		} else {
			out[kind] = base64.StdEncoding.EncodeToString(content)
		}
	}
	return out
}
