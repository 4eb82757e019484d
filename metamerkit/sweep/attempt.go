package sweep

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Attempt says how a shard's command is started.
type Attempt struct {
	Program string
	Env     []string // added to this process's, NAME=VALUE
	Worker  string   // for the record
	Job     string   // for the record
	// Grace is how long a command may take to save what it did once it is told to end;
	// default a minute.
	Grace time.Duration
}

// answer is what metamers --json reproduce --set prints.
type answer struct {
	Runs   []string
	Cached bool
}

// Do carries a shard out and keeps the record of it. When ctx ends, the command is
// sent SIGTERM, so that it leaves a checkpoint, and the shard is Stopped. An error means
// that the record could not be kept; a shard that fails is no error.
func (s *Sweep) Do(ctx context.Context, shard int, a Attempt) (Record, error) {
	sh := s.Shards[shard]
	before := s.Record(shard)
	if before.State == Done {
		if ok, err := s.has(before.Run); ok && err == nil {
			return before, nil
		}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	r := Record{Shard: shard, State: Running, Attempts: before.Attempts + 1, Host: host, PID: os.Getpid(), Worker: a.Worker, Job: a.Job, Began: time.Now(), Seconds: before.Seconds}
	if err := s.write(r); err != nil {
		return r, err
	}
	log, err := os.OpenFile(s.LogPath(shard), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return r, fmt.Errorf("sweep: %w", err)
	}
	defer log.Close()
	args := append([]string{"--json"}, s.Args(sh)...)
	fmt.Fprintf(log, "--- %s on %s, attempt %d: %s %s\n", r.Began.Format(time.DateTime), host, r.Attempts, a.Program, strings.Join(args, " "))
	var out bytes.Buffer
	c := exec.Command(a.Program, args...)
	c.Env = append(os.Environ(), a.Env...)
	c.Stdout, c.Stderr = &out, log
	if st, err := os.Stat(s.Folder); err == nil && st.IsDir() {
		c.Dir = s.Folder
	}
	c.SysProcAttr = own()
	err = s.wait(ctx, c, a, shard)
	r.Ended = time.Now()
	r.Seconds += r.Ended.Sub(r.Began).Seconds()
	var ans answer
	switch {
	case err == nil && json.Unmarshal(out.Bytes(), &ans) == nil && len(ans.Runs) == 1:
		r.State, r.Run, r.Cached = Done, ans.Runs[0], ans.Cached
	case err == nil:
		r.State, r.Reason = Failed, fmt.Sprintf("%s prints no run: %.200s", a.Program, out.String())
	case ctx.Err() != nil:
		r.State, r.Reason = Stopped, reason(err, s.LogPath(shard))
	default:
		r.State, r.Reason = Failed, reason(err, s.LogPath(shard))
	}
	fmt.Fprintf(log, "--- %s after %.1f s: %s %s\n", r.State, r.Ended.Sub(r.Began).Seconds(), r.Run, r.Reason)
	return r, s.write(r)
}

// wait runs a command to its end. While it runs, the record's time is renewed.
func (s *Sweep) wait(ctx context.Context, c *exec.Cmd, a Attempt, shard int) error {
	started, ended := make(chan error, 1), make(chan error, 1)
	go func() {
		// The system ends the command with the thread that started it: this one must last.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.Start()
		started <- err
		if err == nil {
			ended <- c.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	beat := time.NewTicker(Beat)
	defer beat.Stop()
	stop := ctx.Done()
	var kill <-chan time.Time
	for {
		select {
		case err := <-ended:
			return err
		case now := <-beat.C:
			_ = os.Chtimes(s.recordPath(shard), now, now) // it is only believed dead for a while
		case <-stop:
			stop = nil
			_ = c.Process.Signal(syscall.SIGTERM) // it may have ended just now
			if a.Grace == 0 {
				a.Grace = time.Minute
			}
			kill = time.After(a.Grace)
		case <-kill:
			_ = c.Process.Kill()
		}
	}
}

// reason says why a command ended: by a signal, or with the last line it wrote.
func reason(err error, log string) string {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err.Error()
	}
	if w, ok := exit.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		if w.Signal() == syscall.SIGKILL {
			return "its command was killed (SIGKILL): out of memory, or by hand"
		}
		return fmt.Sprintf("its command ended by the signal %q", w.Signal())
	}
	if line := lastLine(log); line != "" {
		return line
	}
	return exit.Error()
}

// lastLine is the last line of a log that is not empty, without the program's name.
func lastLine(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.Size() > 1<<16 {
		_, _ = f.Seek(-1<<16, 2)
	}
	line := ""
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		if t := strings.TrimSpace(in.Text()); t != "" && !strings.HasPrefix(t, "--- ") {
			line = t
		}
	}
	return strings.TrimPrefix(line, "metamers: ")
}
