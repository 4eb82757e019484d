package shim

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/ensemble-metamers/metamers/metamerkit/display/channel"
)

// startCell asks the kernel for standard streams and becomes the cell's program,
// in a process group of its own. The process stays the one that GoNB waits for.
func startCell(args []string) error {
	syscall.Setpgid(0, 0)
	c, err := net.Dial("unix", os.Getenv(channel.SocketEnv))
	if err != nil {
		return fmt.Errorf("reaching the kernel: %w", err)
	}
	u := c.(*net.UnixConn)
	m := channel.Message{Kind: channel.Run, PID: os.Getpid(), Env: map[string]string{
		"GONB_PIPE": os.Getenv("GONB_PIPE"), "GONB_PIPE_BACK": os.Getenv("GONB_PIPE_BACK")}}
	if err := channel.Write(u, m); err != nil {
		return err
	}
	answer, files, err := receive(u)
	if err != nil {
		return err
	}
	if answer.Error != "" {
		return fmt.Errorf("the kernel: %s", answer.Error)
	}
	env := withoutShims(os.Environ())
	for name, value := range answer.Env {
		env = append(env, name+"="+value)
	}
	for i, fd := range files {
		if err := syscall.Dup3(fd, i, 0); err != nil {
			return err
		}
	}
	u.Close()
	return replace(os.Args[0]+cellSuffix, args, unique(env))
}

// receive reads an answer and the three streams that come with it.
func receive(u *net.UnixConn) (a channel.Answer, files []int, err error) {
	buf, oob := make([]byte, 1<<16), make([]byte, 256)
	n, oobn, _, _, err := u.ReadMsgUnix(buf, oob)
	if err != nil {
		return a, nil, err
	}
	if n < 4 {
		return a, nil, io.ErrUnexpectedEOF
	}
	want := int(binary.BigEndian.Uint32(buf)) + 4
	if want > len(buf) {
		return a, nil, fmt.Errorf("answer of %d bytes", want)
	}
	for n < want {
		k, err := u.Read(buf[n:want])
		if err != nil {
			return a, nil, err
		}
		n += k
	}
	if err := json.Unmarshal(buf[4:want], &a); err != nil {
		return a, nil, err
	}
	messages, err := syscall.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return a, nil, err
	}
	for _, m := range messages {
		fds, err := syscall.ParseUnixRights(&m)
		if err != nil {
			return a, nil, err
		}
		files = append(files, fds...)
	}
	if len(files) != 3 && a.Error == "" {
		return a, nil, fmt.Errorf("%d streams from the kernel, want 3", len(files))
	}
	return a, files, nil
}

// Send writes an answer together with open files, as startCell expects it.
func Send(u *net.UnixConn, a channel.Answer, files ...*os.File) error {
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	fds := make([]int, len(files))
	for i, f := range files {
		fds[i] = int(f.Fd())
	}
	data = append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...)
	_, _, err = u.WriteMsgUnix(data, syscall.UnixRights(fds...), nil)
	return err
}

// unique keeps the last of the entries with one name.
func unique(env []string) []string {
	at := map[string]int{}
	var out []string
	for _, v := range env {
		name := v
		for i := range v {
			if v[i] == '=' {
				name = v[:i]
				break
			}
		}
		if i, ok := at[name]; ok {
			out[i] = v
			continue
		}
		at[name] = len(out)
		out = append(out, v)
	}
	return out
}
