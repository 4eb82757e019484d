package shim

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"

	"github.com/ensemble-metamers/metamers/metamerkit/display/channel"
)

// startCell asks the kernel for standard streams and becomes the cell's program,
// in a process group of its own. The process stays the one that GoNB waits for.
func startCell(args []string) error {
	syscall.Setpgid(0, 0)
	answer, err := takeStreams(channel.Message{Kind: channel.Run, PID: os.Getpid(), Env: map[string]string{
		"GONB_PIPE": os.Getenv("GONB_PIPE"), "GONB_PIPE_BACK": os.Getenv("GONB_PIPE_BACK")}}, 0, 1, 2)
	if err != nil {
		return err
	}
	env := withoutShims(os.Environ())
	for name, value := range answer.Env {
		env = append(env, name+"="+value)
	}
	return replace(os.Args[0]+cellSuffix, args, unique(env))
}

// startShell asks the kernel for the output streams of a shell command, or of the
// program of a script, and becomes it.
func startShell(args []string) error {
	if len(args) == 0 {
		return errors.New("no program for the script (usage: %%script PROGRAM [ARGUMENTS])")
	}
	path := "/bin/bash"
	if args[0] != "-c" {
		var err error
		if path, err = exec.LookPath(args[0]); err != nil {
			return err
		}
		args = args[1:]
	}
	if _, err := takeStreams(channel.Message{Kind: channel.Shell, PID: os.Getpid()}, 1, 2); err != nil {
		return err
	}
	return replace(path, args, os.Environ())
}

// takeStreams sends m to the kernel and makes the files that come back the streams with
// the given numbers.
func takeStreams(m channel.Message, streams ...int) (channel.Answer, error) {
	c, err := net.Dial("unix", os.Getenv(channel.SocketEnv))
	if err != nil {
		return channel.Answer{}, fmt.Errorf("reaching the kernel: %w", err)
	}
	defer c.Close()
	u := c.(*net.UnixConn)
	if err := channel.Write(u, m); err != nil {
		return channel.Answer{}, err
	}
	answer, files, err := receive(u, len(streams))
	if err != nil {
		return answer, err
	}
	if answer.Error != "" {
		return answer, fmt.Errorf("the kernel: %s", answer.Error)
	}
	for i, fd := range files {
		if err := syscall.Dup3(fd, streams[i], 0); err != nil {
			return answer, err
		}
	}
	return answer, nil
}

// receive reads an answer and the streams that come with it.
func receive(u *net.UnixConn, streams int) (a channel.Answer, files []int, err error) {
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
	if len(files) != streams && a.Error == "" {
		return a, nil, fmt.Errorf("%d streams from the kernel, want %d", len(files), streams)
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
