package cell

import "testing"

func TestShell(t *testing.T) {
	for _, x := range [][2]string{
		{"!ls -l", "!exec metamers-shell -c 'ls -l'"},
		{"! ls", "!exec metamers-shell -c 'ls'"},
		{"!*go vet", "!*exec metamers-shell -c 'go vet'"},
		{`!echo 'a' "$HOME"`, `!exec metamers-shell -c 'echo '\''a'\'' "$HOME"'`},
		{"!echo a \\\n b", "!exec metamers-shell -c 'echo a   b'"},
		{"//gonb:!echo a \\\n//gonb:b", "!exec metamers-shell -c 'echo a  b'"},
		{"!ls \\", "!exec metamers-shell -c 'ls '"},
		{"%ls", "%ls"},
	} {
		if got := shell(x[0]); got != x[1] {
			t.Errorf("%q: %q, want %q", x[0], got, x[1])
		}
	}
	for _, x := range [][2]string{
		{"%%bash", "%%script metamers-shell bash"},
		{"//gonb:%%sh ", "%%script metamers-shell sh"},
		{"%%script perl -w", "%%script metamers-shell perl -w"},
		{"%%bash -x", "%%bash -x"}, // GoNB says that it takes no arguments
		{"%%writefile a", "%%writefile a"},
		{"%test", "%test"},
	} {
		if got := script(x[0]); got != x[1] {
			t.Errorf("%q: %q, want %q", x[0], got, x[1])
		}
	}
}
