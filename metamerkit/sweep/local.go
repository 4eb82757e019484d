package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// Worker carries out one shard at a time.
type Worker struct {
	Name string
	Env  []string
}

// Workers returns one a device: a GPU each, kept to it by CUDA_VISIBLE_DEVICES. Where
// that variable is set, its devices are those; gpus are the device files found. Without
// a GPU there are n workers on the CPU, at least one. n above 0 limits them.
func Workers(gpus []string, visible string, n int) []Worker {
	var devices []string
	switch {
	case visible != "" && visible != "-1" && visible != "NoDevFiles":
		devices = strings.Split(visible, ",")
	case visible == "":
		for _, g := range gpus { // /dev/nvidia3
			i := strings.LastIndexFunc(g, func(r rune) bool { return r < '0' || r > '9' })
			devices = append(devices, g[i+1:])
		}
		slices.SortFunc(devices, func(a, b string) int {
			x, _ := strconv.Atoi(a)
			y, _ := strconv.Atoi(b)
			return x - y
		})
		// Inside a container the files may be 2 and 5; CUDA counts from 0.
		for i := range devices {
			devices[i] = strconv.Itoa(i)
		}
	}
	var out []Worker
	for _, d := range devices {
		out = append(out, Worker{"GPU " + d, []string{"CUDA_VISIBLE_DEVICES=" + d}})
	}
	if len(out) == 0 {
		for i := range max(n, 1) {
			out = append(out, Worker{Name: fmt.Sprintf("CPU %d", i)})
		}
	}
	if n > 0 {
		out = out[:min(n, len(out))]
	}
	return out
}

// LocalOptions of Local.
type LocalOptions struct {
	Program string
	Workers []Worker
	Retries int // of each shard that fails
	// Changed, if set, is told of every shard that begins or ends, one at a time.
	Changed func(Record)
}

// Local carries out what is not done yet on this machine. Ending ctx has every command
// leave a checkpoint. An error says how many shards failed.
func (s *Sweep) Local(ctx context.Context, o LocalOptions) error {
	pending, records, err := s.Pending()
	if err != nil {
		return err
	}
	// The lock says whether the process of local.json lives. Where the folder has no
	// locks, nothing depends on it but metamers sweep stop.
	lock := flock.New(s.path("local.lock"))
	if mine, err := lock.TryLock(); err != nil && !lockless(err) {
		return fmt.Errorf("sweep: %w", err)
	} else if mine || err != nil {
		defer func() { _ = lock.Unlock() }() // the end of the process does so too
		if err := putJSON(s.path("local.json"), localProcess{os.Getpid(), hostname()}); err != nil {
			return err
		}
	}
	q := &queue{s: s, o: o, waiting: pending, records: records, tries: map[int]int{}}
	q.wake = sync.NewCond(&q.mu)
	for _, i := range pending {
		q.records[i].State = Queued
	}
	stopWaking := context.AfterFunc(ctx, func() { q.mu.Lock(); q.wake.Broadcast(); q.mu.Unlock() })
	defer stopWaking()
	var all sync.WaitGroup
	errs := make([]error, len(o.Workers))
	for k, w := range o.Workers {
		all.Go(func() { errs[k] = q.work(ctx, w) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	failed := 0
	for _, r := range q.records {
		if r.State == Failed {
			failed++
		}
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("sweep %s stopped; run the same command to resume: %w", s.ID(), ctx.Err())
	case failed > 0:
		return fmt.Errorf("sweep %s: %d of %d shards failed", s.ID(), failed, len(s.Shards))
	}
	return nil
}

// lockless says of an error of locking that the file system has no locks.
func lockless(err error) bool {
	return errors.Is(err, syscall.ENOLCK) || errors.Is(err, errors.ErrUnsupported)
}

type localProcess struct {
	PID  int
	Host string
}

func hostname() string {
	h, err := os.Hostname()
	if err != nil {
		return "?"
	}
	return h
}

// queue hands shards to workers.
type queue struct {
	s       *Sweep
	o       LocalOptions
	mu      sync.Mutex
	wake    *sync.Cond
	waiting []int // shards nobody has taken
	running int
	records []Record
	tries   map[int]int
}

func (q *queue) work(ctx context.Context, w Worker) error {
	for {
		shard, ok := q.next(ctx)
		if !ok {
			return nil
		}
		q.tell(Record{Shard: shard, State: Running, Worker: w.Name, Began: time.Now()})
		r, err := q.s.Do(ctx, shard, Attempt{Program: q.o.Program, Env: w.Env, Worker: w.Name})
		q.mu.Lock()
		q.records[shard] = r
		q.running--
		if r.State == Failed && q.tries[shard] < q.o.Retries && err == nil {
			q.tries[shard]++
			q.records[shard].State = Queued
			q.waiting = append(q.waiting, shard)
		}
		q.wake.Broadcast()
		q.mu.Unlock()
		q.tell(r)
		if err != nil {
			return err
		}
	}
}

func (q *queue) tell(r Record) {
	if q.o.Changed != nil {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.o.Changed(r)
	}
}

// next waits for a shard that can begin; !ok: there is none, and will be none.
func (q *queue) next(ctx context.Context) (shard int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for ctx.Err() == nil {
		at := -1
		for k, i := range q.waiting {
			if !q.ready(q.s.Shards[i]) {
				continue
			}
			if at < 0 {
				at = k
			}
			// Another sweep of the same plan may be at it: its turn comes last.
			if r := q.s.Record(i); r.State != Running {
				at = k
				break
			}
		}
		if at >= 0 {
			i := q.waiting[at]
			q.waiting = slices.Delete(q.waiting, at, at+1)
			q.running++
			return i, true
		}
		if q.running == 0 {
			return 0, false // what is left needs shards that failed
		}
		q.wake.Wait()
	}
	return 0, false
}

func (q *queue) ready(sh Shard) bool {
	for k := sh.Needs[0]; k < sh.Needs[1]; k++ {
		if q.records[k].State != Done {
			return false
		}
	}
	return true
}

// StopLocal has the process that carries the sweep out on this machine end, as Ctrl-C
// does. It returns false when there is none.
func (s *Sweep) StopLocal() (bool, error) {
	data, err := os.ReadFile(s.path("local.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	var p localProcess
	if err != nil || json.Unmarshal(data, &p) != nil || p.PID < 1 {
		return false, fmt.Errorf("sweep %s: local.json cannot be read: %v", s.ID(), err)
	}
	if p.Host != hostname() {
		return false, fmt.Errorf("sweep %s last ran on %s: stop it on that machine", s.ID(), p.Host)
	}
	lock := flock.New(s.path("local.lock"))
	if free, err := lock.TryLock(); lockless(err) {
		return false, fmt.Errorf("sweep %s: %s has no locks (%w), so that nothing says whether process %d still is the sweep's: kill -TERM %[4]d stops it", s.ID(), s.Dir, err, p.PID)
	} else if err != nil || free {
		return false, errors.Join(err, lock.Unlock())
	}
	if err := syscall.Kill(p.PID, syscall.SIGTERM); err != nil {
		if errors.Is(err, syscall.ESRCH) {
			return false, nil
		}
		return false, fmt.Errorf("sweep %s: process %d: %w", s.ID(), p.PID, err)
	}
	return true, nil
}
