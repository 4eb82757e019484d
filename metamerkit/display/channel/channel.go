// Package channel is how the program of a notebook cell talks to the kernel: a
// unix socket that the kernel's environment names, over which each message is
// answered before the next. It imports the standard library alone.
package channel

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
)

// Environment variables that the kernel sets for the programs it starts.
const (
	SocketEnv = "METAMERS_KERNEL_SOCKET" // path of the socket
	CellEnv   = "METAMERS_KERNEL_CELL"   // number of the cell whose program this is
)

// The kinds of messages.
const (
	Display = "display" // show Data; with DisplayID so that it can be updated
	Update  = "update"  // replace what DisplayID shows
	Result  = "result"  // Data is the value of the cell
	Clear   = "clear"   // clear the cell's output; Wait: when the next output comes
	Fail    = "fail"    // the cell fails with Text
	Input   = "input"   // ask the user; Text is the prompt
	Page    = "page"    // show Data in the pager
	Built   = "built"   // go build ended: Text is what it said, OK how
	Run     = "run"     // the program of a cell is about to start: its streams, please
	Shell   = "shell"   // a shell command of a cell is about to start: its output streams, please
)

// A Message goes to the kernel.
type Message struct {
	Kind      string            `json:"kind"`
	Cell      string            `json:"cell,omitempty"`
	Data      map[string]string `json:"data,omitempty"` // by media type; binary contents in base64
	Metadata  map[string]any    `json:"metadata,omitempty"`
	DisplayID string            `json:"display_id,omitempty"`
	Text      string            `json:"text,omitempty"`
	OK        bool              `json:"ok,omitempty"`
	Wait      bool              `json:"wait,omitempty"`
	Password  bool              `json:"password,omitempty"`
	PID       int               `json:"pid,omitempty"`
	Env       map[string]string `json:"env,omitempty"`
}

// An Answer comes back. Error is empty when all went well.
type Answer struct {
	Error string            `json:"error,omitempty"`
	Text  string            `json:"text,omitempty"`
	Env   map[string]string `json:"env,omitempty"`
}

// maxSize is the largest message in bytes.
const maxSize = 256 << 20

// Write writes v as JSON with its length before it.
func Write(w io.Writer, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(data) > maxSize {
		return fmt.Errorf("message to the kernel of %d bytes, at most %d are allowed", len(data), maxSize)
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...))
	return err
}

// Read reads what Write wrote.
func Read(r io.Reader, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxSize {
		return fmt.Errorf("message of %d bytes, at most %d are allowed", n, maxSize)
	}
	data, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err != nil {
		return err
	}
	if len(data) < int(n) {
		return io.ErrUnexpectedEOF
	}
	return json.Unmarshal(data, v)
}

// ErrNoKernel is returned by Call in a program that no kernel started.
var ErrNoKernel = errors.New("this program was not started by the kernel")

// Available reports whether a kernel started this program.
func Available() bool { return os.Getenv(SocketEnv) != "" }

var (
	mu   sync.Mutex
	conn net.Conn
	at   string // the socket of conn
)

// Call sends m to the kernel that started this program and waits for its answer.
// It may be called from several goroutines.
func Call(m Message) (Answer, error) {
	mu.Lock()
	defer mu.Unlock()
	if !Available() {
		return Answer{}, ErrNoKernel
	}
	if socket := os.Getenv(SocketEnv); conn == nil || at != socket {
		c, err := net.Dial("unix", socket)
		if err != nil {
			return Answer{}, fmt.Errorf("reaching the kernel: %w", err)
		}
		if conn != nil {
			conn.Close()
		}
		conn, at = c, socket
	}
	m.Cell = os.Getenv(CellEnv)
	var a Answer
	if err := Write(conn, m); err != nil {
		return a, broken(err)
	}
	if err := Read(conn, &a); err != nil {
		return a, broken(err)
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	return a, nil
}

func broken(err error) error {
	conn.Close()
	conn = nil
	return fmt.Errorf("talking to the kernel: %w", err)
}
