package api

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A connection begins with a line of the client, of Preamble, and a Hello event of the
// server. Then each Request is answered by events, the last of which has a Reply or
// Failed. Both are gob values. When the client closes its side the work ends.

// Protocol is raised whenever what goes over the wire changes.
const Protocol = 7

// MaxPreamble bounds the first line of a connection, in bytes.
const MaxPreamble = 512

// Magic begins a connection. No browser sends it, so that web pages cannot reach a server.
const Magic = "metamers-engine"

// Preamble is the first line of a client's connection. The token is for servers on TCP.
func Preamble(token string) string {
	return fmt.Sprintf("%s %d %s\n", Magic, Protocol, token)
}

// CheckPreamble says why a server with a token refuses a client by its first line, nil if
// it does not. The protocol is the client's to compare: it is told the server's.
func CheckPreamble(line, token string) error {
	rest, ours := strings.CutPrefix(line, Magic+" ")
	version, given, cut := strings.Cut(strings.TrimSuffix(rest, "\n"), " ")
	if _, err := strconv.Atoi(version); !ours || !cut || err != nil {
		return errors.New("api: the connection does not begin as that of a client does")
	}
	if token != "" && subtle.ConstantTimeCompare([]byte(given), []byte(token)) != 1 {
		return ErrToken
	}
	return nil
}

// ErrToken refuses a client.
var ErrToken = errors.New("the token is missing or wrong")
