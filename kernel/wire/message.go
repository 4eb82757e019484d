package wire

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// ProtocolVersion is the version of Jupyter's messaging protocol.
const ProtocolVersion = "5.4"

const delimiter = "<IDS|MSG>"

// A Header is the header of a message.
type Header struct {
	ID       string `json:"msg_id"`
	Session  string `json:"session"`
	Username string `json:"username"`
	Date     string `json:"date"`
	Type     string `json:"msg_type"`
	Version  string `json:"version"`
}

// A Message is one message of the protocol. RawHeader is the header as it came,
// so that a reply's parent header is the very same.
type Message struct {
	Identities [][]byte
	Header     Header
	RawHeader  json.RawMessage
	Parent     json.RawMessage // "{}" where there is none
	Metadata   json.RawMessage
	Content    json.RawMessage
	Buffers    [][]byte
}

// A FrameError says why frames are no message.
type FrameError struct{ Reason string }

func (e *FrameError) Error() string { return "jupyter message: " + e.Reason }

// NewID returns a random identifier in the form of a UUID.
func NewID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// New returns a message of the given type whose content is marshalled from v.
// The parent, which may be nil, gives identities and parent header.
func New(session, kind string, parent *Message, v any) (*Message, error) {
	content, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("jupyter message %s: %w", kind, err)
	}
	m := &Message{
		Header: Header{ID: NewID(), Session: session, Username: "kernel", Type: kind,
			Date: time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"), Version: ProtocolVersion},
		Parent: json.RawMessage("{}"), Metadata: json.RawMessage("{}"), Content: content,
	}
	if m.RawHeader, err = json.Marshal(m.Header); err != nil {
		return nil, err
	}
	if parent != nil {
		m.Identities = parent.Identities
		if len(parent.RawHeader) > 0 {
			m.Parent = parent.RawHeader
		}
	}
	return m, nil
}

// ParentID returns the msg_id of the parent header, "" where there is none.
func (m *Message) ParentID() string {
	var h Header
	if json.Unmarshal(m.Parent, &h) != nil {
		return ""
	}
	return h.ID
}

// Encode returns the frames of m, signed with the key; an empty key signs nothing.
func Encode(key []byte, m *Message) [][]byte {
	parts := [4][]byte{m.RawHeader, m.Parent, m.Metadata, m.Content}
	for i := range parts {
		if len(parts[i]) == 0 {
			parts[i] = []byte("{}")
		}
	}
	frames := make([][]byte, 0, len(m.Identities)+6+len(m.Buffers))
	frames = append(frames, m.Identities...)
	frames = append(frames, []byte(delimiter), sign(key, parts[:]))
	frames = append(frames, parts[:]...)
	return append(frames, m.Buffers...)
}

// Decode parses frames and checks their signature. Errors are *FrameError.
func Decode(key []byte, frames [][]byte) (*Message, error) {
	at := -1
	for i, f := range frames {
		if string(f) == delimiter {
			at = i
			break
		}
	}
	if at < 0 {
		return nil, &FrameError{"no delimiter " + delimiter}
	}
	rest := frames[at+1:]
	if len(rest) < 5 {
		return nil, &FrameError{fmt.Sprintf("%d frames behind the delimiter, want at least 5", len(rest))}
	}
	if len(key) > 0 && !hmac.Equal(sign(key, rest[1:5]), rest[0]) {
		return nil, &FrameError{"wrong signature"}
	}
	m := &Message{Identities: frames[:at], RawHeader: rest[1], Parent: rest[2], Metadata: rest[3], Content: rest[4], Buffers: rest[5:]}
	for i, name := range []string{"header", "parent header", "metadata", "content"} {
		if !json.Valid(rest[1+i]) {
			return nil, &FrameError{name + " is not JSON"}
		}
	}
	if err := json.Unmarshal(m.RawHeader, &m.Header); err != nil {
		return nil, &FrameError{"header: " + err.Error()}
	}
	if m.Header.Type == "" || m.Header.ID == "" {
		return nil, &FrameError{"header without msg_type or msg_id"}
	}
	return m, nil
}

// sign returns the hexadecimal HMAC-SHA256 of the parts, empty for an empty key.
func sign(key []byte, parts [][]byte) []byte {
	if len(key) == 0 {
		return []byte{}
	}
	mac := hmac.New(sha256.New, key)
	for _, p := range parts {
		mac.Write(p)
	}
	return []byte(hex.EncodeToString(mac.Sum(nil)))
}
