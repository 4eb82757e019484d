package main

import (
	"errors"
	"strings"

	"github.com/alecthomas/kong"
)

// usageStatus is the exit status after a mistake in flags or arguments, as kong has it.
const usageStatus = 80

// usage describes a mistake in flags or arguments in one line, which ends with the command
// that lists what is expected. k is nil where it could not be parsed.
func usage(k *kong.Context, err error) string {
	help := "metamers --help"
	var parse *kong.ParseError
	if errors.As(err, &parse) {
		k = parse.Context
	}
	if k != nil && k.Command() != "" {
		help = "metamers " + words(k.Command()) + " --help"
	}
	return strings.TrimSpace(err.Error()) + " (see: " + help + ")"
}

// words is a command without its arguments, such as "models show" of "models show <name>".
func words(command string) string {
	before, _, _ := strings.Cut(command, "<")
	before, _, _ = strings.Cut(before, "[")
	return strings.TrimSpace(before)
}
