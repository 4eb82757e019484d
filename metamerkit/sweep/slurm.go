package sweep

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Job is a job array that was handed to Slurm: its task t is shard Offset+t, and with
// PerJob above 1 the shards of its group (groups) one after the other.
type Job struct {
	ID        string    `json:"id"`
	Offset    int       `json:"offset"`
	Tasks     []int     `json:"tasks"` // of all shards; Slurm knows the first of each group
	PerJob    int       `json:"per_job,omitempty"`
	After     string    `json:"after,omitempty"`
	Submitted time.Time `json:"submitted"`
}

// Submission is what Submit did.
type Submission struct {
	Jobs          []Job
	Shards        int // in them
	AlreadyQueued int
}

// jobName is what the sweep's jobs are called, and found by.
func (s *Sweep) jobName() string { return "metamers-" + s.ID() }

func (s *Sweep) jobs() (jobs []Job, err error) {
	data, err := os.ReadFile(s.path("jobs.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &jobs)
	}
	if err != nil {
		return nil, fmt.Errorf("sweep: %s: %w", s.path("jobs.json"), err)
	}
	return jobs, nil
}

// Submit hands what is not done and not in the queue to Slurm. When Slurm refuses (a
// limit on jobs, say) what it took is in the Submission: calling again later hands over
// the rest.
func (s *Sweep) Submit(ctx context.Context, program string) (*Submission, error) {
	pending, _, err := s.Pending()
	if err != nil {
		return nil, err
	}
	max, err := maxArray(ctx)
	if err != nil {
		return nil, err
	}
	tasks, err := s.queued(ctx)
	if err != nil {
		return nil, err
	}
	jobs, err := s.jobs()
	if err != nil {
		return nil, err
	}
	sub := &Submission{}
	wanted := map[int]bool{}
	for _, i := range pending {
		if _, ok := tasks[i]; ok {
			sub.AlreadyQueued++
		} else {
			wanted[i] = true
		}
	}
	queued := map[int]string{}
	for i, t := range tasks {
		queued[i] = t.job
	}
	for _, a := range arrays(s.Shards, wanted, queued, max) {
		after := a.dependency(sub.Jobs)
		id, err := s.sbatch(ctx, program, a, after)
		if err != nil {
			return sub, err
		}
		j := Job{id, a.offset, a.tasks, s.perJob(), after, time.Now()}
		sub.Jobs, jobs = append(sub.Jobs, j), append(jobs, j)
		sub.Shards += len(a.tasks)
		if err := putJSON(s.path("jobs.json"), jobs); err != nil {
			return sub, err
		}
	}
	return sub, nil
}

// sbatch submits one array. The shell becomes the program, so that Slurm's signals
// reach it: USR1 before the time limit, TERM when it is preempted or cancelled.
func (s *Sweep) sbatch(ctx context.Context, program string, a array, after string) (id string, err error) {
	p := s.Plan.Sweep.Slurm
	args := []string{"--parsable", "--requeue", "--open-mode=append", "--signal=B:USR1@90", "--job-name=" + s.jobName(),
		"--output=" + s.path("logs", "slurm-%A_%a.out"), "--array=" + a.spec(s.perJob(), p.Throttle)}
	if after != "" {
		args = append(args, "--dependency="+after, "--kill-on-invalid-dep=yes")
	}
	if s.Folder != "" {
		args = append(args, "--chdir="+s.Folder)
	}
	for flag, v := range map[string]string{"partition": p.Partition, "account": p.Account, "qos": p.QOS, "constraint": p.Constraint, "time": p.Time, "gres": p.GRES, "mem": p.Memory} {
		if v != "" {
			args = append(args, "--"+flag+"="+v)
		}
	}
	if p.CPUs > 0 {
		args = append(args, fmt.Sprintf("--cpus-per-task=%d", p.CPUs))
	}
	args = append(args, p.Flags...) // the last word
	script := "#!/bin/bash\n" + strings.Join(append(p.Setup, ""), "\n") +
		fmt.Sprintf("exec %s sweep shard --dir %s --slurm%s $((%d + SLURM_ARRAY_TASK_ID))\n", quote(program), quote(s.Dir), a.sharing(s.perJob()), a.offset)
	out, err := command(ctx, script, "sbatch", args...)
	if err != nil {
		return "", err
	}
	id, _, _ = strings.Cut(strings.TrimSpace(out), ";") // ID;cluster
	if _, err := strconv.Atoi(id); err != nil {
		return "", fmt.Errorf("sweep: sbatch answers %q, expected a job's number", out)
	}
	return id, nil
}

// quote is for bash.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// command runs one of Slurm's commands.
func command(ctx context.Context, stdin, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return "", fmt.Errorf("sweep: %s was not found: Slurm's commands are needed on this machine: %w", name, err)
		}
		return "", fmt.Errorf("sweep: %s: %w: %s", name, err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

var maxArraySize = regexp.MustCompile(`(?m)^MaxArraySize\s*=\s*(\d+)`)

// maxArray is the site's MaxArraySize: task numbers lie below it.
func maxArray(ctx context.Context) (int, error) {
	out, err := command(ctx, "", "scontrol", "show", "config")
	if err != nil {
		return 0, err
	}
	m := maxArraySize.FindStringSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("sweep: scontrol show config names no MaxArraySize")
	}
	n, err := strconv.Atoi(m[1])
	if err != nil || n < 1 {
		return 0, fmt.Errorf("sweep: Slurm's MaxArraySize is %s: job arrays are disabled", m[1])
	}
	return n, nil
}

// task is a shard in Slurm's queue.
type task struct{ job, state string }

// perJob is how many shards a job carries out.
func (s *Sweep) perJob() int { return max(s.Plan.Sweep.Slurm.PerJob, 1) }

// queued returns the shards in Slurm's queue, by index. Of the shards that share a job
// that runs, those that it is past are not in the queue.
func (s *Sweep) queued(ctx context.Context) (map[int]task, error) {
	jobs, err := s.jobs()
	if err != nil || len(jobs) == 0 {
		return nil, err
	}
	out, err := command(ctx, "", "squeue", "--noheader", "--array", "--name="+s.jobName(), "--format=%F|%K|%T")
	if err != nil {
		return nil, err
	}
	groupOf := map[string][]int{} // by job and task: the shards
	for _, j := range jobs {
		for _, g := range groups(j.Tasks, j.PerJob) {
			id := fmt.Sprintf("%s_%d", j.ID, g[0])
			for _, t := range g {
				groupOf[id] = append(groupOf[id], j.Offset+t)
			}
		}
	}
	found := map[int]task{}
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 3 {
			continue
		}
		t := task{f[0] + "_" + f[1], Queued}
		switch f[2] {
		case "RUNNING", "COMPLETING", "STOPPED", "SUSPENDED", "SIGNALING":
			t.state = Running
		}
		shards := groupOf[t.job]
		for i, sh := range shards {
			switch r := s.Record(sh); {
			case len(shards) == 1 || t.state == Queued:
				found[sh] = t
			case r.Job == t.job && (r.State == Done || r.State == Failed):
				// the job is past it
			case r.Job == t.job && r.State == Running, i == 0 && r.State == Queued: // it begins
				found[sh] = t
			default:
				found[sh] = task{t.job, Queued}
			}
		}
	}
	return found, nil
}

// SlurmQueue says what is known of the shards that were handed to Slurm, by index; nil
// where none ever was.
func (s *Sweep) SlurmQueue(ctx context.Context) (map[int]Known, error) {
	tasks, err := s.queued(ctx)
	if err != nil || tasks == nil {
		return nil, err
	}
	jobs, err := s.jobs()
	if err != nil {
		return nil, err
	}
	out := map[int]Known{}
	for _, j := range jobs { // the latest has the last word
		for _, g := range groups(j.Tasks, j.PerJob) {
			why := s.gone(j.ID, g[0])
			for _, t := range g {
				out[j.Offset+t] = Known{Lost, why}
			}
		}
	}
	for i, t := range tasks {
		out[i] = Known{State: t.state}
	}
	return out, nil
}

// gone says why a task that is not in the queue left it, as far as its output does.
func (s *Sweep) gone(job string, task int) string {
	why := fmt.Sprintf("its job %s_%d is not in the queue any more", job, task)
	out := s.path("logs", fmt.Sprintf("slurm-%s_%d.out", job, task))
	if _, err := os.Stat(out); err != nil {
		return why + ": it was cancelled, or what it waited for failed"
	}
	return fmt.Sprintf("%s; %s ends with %q", why, out, lastLine(out))
}

// StopSlurm cancels the sweep's jobs and returns how many shards were in the queue.
func (s *Sweep) StopSlurm(ctx context.Context) (int, error) {
	tasks, err := s.queued(ctx)
	if err != nil || len(tasks) == 0 {
		return 0, err
	}
	_, err = command(ctx, "", "scancel", "--name="+s.jobName())
	return len(tasks), err
}

// Requeue puts the job that this process runs in back into Slurm's queue.
func Requeue(ctx context.Context) error {
	_, err := command(ctx, "", "scontrol", "requeue", os.Getenv("SLURM_JOB_ID"))
	return err
}
