package cell

import "strings"

// Shell is the program that runs the shell commands of cells in GoNB's place
// (kernel/shim): "metamers-shell -c COMMAND" a command, "metamers-shell PROGRAM ..." a
// script that comes on standard input. GoNB itself would wait for the background
// processes of a command, which hold its streams.
const Shell = "metamers-shell"

// shell returns a special line with its shell command, if it is one, given to Shell.
func shell(line string) string {
	text := strings.TrimPrefix(line, gonbPrefix)
	if text[0] != '!' {
		return line
	}
	text = strings.NewReplacer("\\\n"+gonbPrefix, " ", "\\\n", " ").Replace(text[1:])
	text = strings.TrimLeft(strings.TrimSuffix(text, "\\"), " \t")
	text, inFolder := strings.CutPrefix(text, "*")
	begin := "!"
	if inFolder {
		begin = "!*"
	}
	return begin + "exec " + Shell + " -c '" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// script returns the first line of a cell that is one script with Shell in it.
func script(line string) string {
	text := strings.TrimPrefix(line, gonbPrefix)
	switch word, rest, _ := strings.Cut(text, " "); {
	case (word == "%%bash" || word == "%%sh") && strings.TrimSpace(rest) == "":
		return "%%script " + Shell + " " + word[2:]
	case word == "%%script":
		return "%%script " + Shell + " " + rest
	}
	return line
}
