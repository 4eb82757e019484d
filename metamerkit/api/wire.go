package api

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A connection begins with a line from the client, that of Preamble, and a Hello event from
// the server. Then the server answers each Request with events, the last of which has a Reply
// or Failed. Requests and events are gob values. If the client closes the connection, the
// work ends.

// Protocol is the version of the protocol: it changes whenever requests or events change.
const Protocol = 9

// MaxPreamble bounds the first line of a connection, in bytes.
const MaxPreamble = 512

// Magic begins a connection. No browser sends it, so that web pages cannot reach a server.
const Magic = "metamers-engine"

// Preamble returns the first line of a connection, with Protocol and the token, which servers
// on TCP require ("" for others).
func Preamble(token string) string {
	return fmt.Sprintf("%s %d %s\n", Magic, Protocol, token)
}

// CheckPreamble returns nil if a server accepts a client's first line, and an error that
// says why not otherwise: ErrToken if the server has a token, and the line another. It accepts
// any protocol, because the client compares it with that of the Hello event.
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

// ErrToken is the error for a client without the server's token.
var ErrToken = errors.New("the token is missing or wrong")
