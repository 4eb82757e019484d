package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/sweep"
)

const slurmPlan = `name: faults
images: photos:16
size: 32
sets: [[plain7_48.mm_c10]]
observers: [plain7_48.mm_c10]
measures: [recognizability]
bootstrap: 100
settings: {steps: 40, batch: 2, optimizer: {name: pgd, stepSize: 3}}
sweep:
  block: 2
  slurm: {partition: low, gres: "gpu:1", cpus: 1, time: "30", shards per job: 2, flags: [--comment=faults], setup: [export METAMERS_TEST_SETUP=1]}
`

// cluster is the Slurm that scripts/slurm.sh started.
type cluster struct {
	t   *testing.T
	dir string
}

func (c cluster) command(name string, args ...string) string {
	c.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		c.t.Logf("%s %v: %v: %s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// kill ends a daemon as a crash does.
func (c cluster) kill(daemon string) {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, daemon+".pid"))
	if err != nil {
		c.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		c.t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		c.t.Errorf("%s, process %d: %v", daemon, pid, err)
	}
	for syscall.Kill(pid, 0) == nil {
		time.Sleep(10 * time.Millisecond)
	}
}

func (c cluster) run(daemon string) {
	c.t.Helper()
	if out, err := exec.Command("../../scripts/slurm.sh", "run", daemon, c.dir).CombinedOutput(); err != nil {
		c.t.Fatalf("%s: %v: %s", daemon, err, out)
	}
}

// crash takes the node down: slurmd, the steps' daemons and what they run.
func (c cluster) crash() (killed int) {
	c.kill("slurmd")
	found, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		c.t.Fatal(err)
	}
	for _, f := range found {
		env, err := os.ReadFile(f)
		if err != nil || !bytes.Contains(env, []byte("SLURM_CONF="+filepath.Join(c.dir, "slurm.conf")+"\x00")) {
			continue
		}
		exe, _ := os.Readlink(filepath.Join(filepath.Dir(f), "exe"))
		if bytes.Contains(env, []byte("SLURM_JOB_ID=")) || strings.HasPrefix(filepath.Base(exe), "slurmstepd") {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
			if err == nil && pid != os.Getpid() && syscall.Kill(pid, syscall.SIGKILL) == nil {
				killed++
			}
		}
	}
	return killed
}

// operate does what an operator may. Slurm lets jobs that it queued again (preempted, their
// node lost) wait for two minutes: they may begin now. A slurmctld that was killed before
// it wrote down that a job runs launches it once more; slurmd refuses, and Slurm takes
// the node from service and holds the job: both go on.
func (c cluster) operate() {
	c.t.Helper()
	for line := range strings.Lines(c.command("squeue", "-h", "-r", "-t", "PD", "-o", "%i|%r")) {
		switch job, reason, _ := strings.Cut(strings.TrimSpace(line), "|"); reason {
		case "BeginTime":
			c.command("scontrol", "update", "JobId="+job, "StartTime=now")
		case "launch failed requeued held":
			if strings.Contains(c.command("sinfo", "-h", "-R", "-o", "%E"), "Duplicate jobid") {
				c.command("scontrol", "update", "NodeName="+strings.TrimSpace(c.command("sinfo", "-h", "-p", "low", "-o", "%N")), "State=RESUME")
			}
			c.t.Logf("job %s was launched twice: released", job)
			c.command("scontrol", "release", job)
		}
	}
}

// down waits until Slurm knows that its node is away.
func (c cluster) down() {
	c.t.Helper()
	for until := time.Now().Add(5 * time.Minute); !strings.HasPrefix(c.command("sinfo", "-h", "-p", "low", "-o", "%T"), "down"); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(until) {
			c.t.Fatal("Slurm does not notice that its node is away")
		}
	}
}

// A plan of 27 shards on a real Slurm, with faults in the middle: slurmd is killed, the
// node crashes with all that runs on it, slurmctld is killed, a job of higher priority
// preempts, a time limit comes near. It is complete in the end, and every run has the
// bits of the same plan carried out here in one piece. (scripts/test-slurm.sh)
func TestSlurm(t *testing.T) {
	t.Setenv("METAMERS_BACKEND", "xla") // the GPUs that this Slurm hands out are files
	dir := os.Getenv("METAMERS_TEST_SLURM")
	if dir == "" {
		t.Skip("no Slurm of our own: make test-slurm starts one")
	}
	c := cluster{t, dir}
	work := t.TempDir()
	plan, store, alone := filepath.Join(work, "plan.yaml"), filepath.Join(work, "store"), filepath.Join(work, "alone")
	if err := os.WriteFile(plan, []byte(slurmPlan), 0o666); err != nil {
		t.Fatal(err)
	}
	start := func() string {
		t.Helper()
		out, errs, status := try(t, "sweep", plan, "--on", "slurm", "--store", store)
		if status != 0 {
			t.Fatal(out, errs)
		}
		return out
	}
	// A set-up line that fails leaves no record of the shard: the status says what the
	// job said.
	broken := filepath.Join(work, "broken.yaml")
	if err := os.WriteFile(broken, []byte(strings.NewReplacer("name: faults", "name: broken", "photos:16", "photos:2", "export METAMERS_TEST_SETUP=1", "echo no such module; exit 3").Replace(slurmPlan)), 0o666); err != nil {
		t.Fatal(err)
	}
	if out, errs, status := try(t, "sweep", broken, "--on", "slurm", "--store", store); status != 0 || !strings.Contains(out, "aftercorr:") {
		t.Fatal(out, errs)
	}
	for until := time.Now().Add(5 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		out, errs, _ := try(t, "sweep", "status", "broken", "--store", store)
		if strings.Count(out, "no such module") == 3 && strings.Count(out, "what it waited for failed") == 3 {
			break
		}
		if time.Now().After(until) {
			t.Fatal(out, errs)
		}
	}
	// No job begins before the sweep was started twice.
	c.command("scontrol", "update", "PartitionName=low", "State=DOWN")
	out := start()
	if !strings.Contains(out, "27 shards handed to Slurm") || !strings.Contains(out, "afterok:") {
		t.Fatal(out)
	}
	if out := start(); !strings.Contains(out, "0 shards handed to Slurm, 27 were in its queue") {
		t.Error("started twice:", out)
	}
	found, err := sweep.Find(filepath.Join(store, ".sweeps"), "faults")
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	s := found[0]
	job := c.command("squeue", "-h", "-r", "-t", "PD,R", "-o", "%F", "--name=metamers-"+s.ID())
	if got := c.command("scontrol", "show", "job", strings.Fields(job)[0]); !strings.Contains(got, "Comment=faults") || !strings.Contains(got, "TimeLimit=00:30:00") || !strings.Contains(got, "gpu:1") {
		t.Error("the job lacks what the plan says:", got)
	}
	c.command("scontrol", "update", "PartitionName=low", "State=UP")

	running := func() string {
		return c.command("squeue", "-h", "-r", "-t", "R", "-o", "%i", "--name=metamers-"+s.ID())
	}
	faults := []struct {
		at   int // shards done
		what string
		do   func() bool // false: not now
	}{
		{2, "slurmd killed", func() bool { c.kill("slurmd"); time.Sleep(time.Second); c.run("slurmd"); return true }},
		{6, "a time limit came near", func() bool {
			jobs := strings.Fields(running())
			if len(jobs) == 0 {
				return false
			}
			return exec.Command("scancel", "--batch", "--signal=USR1", jobs[len(jobs)-1]).Run() == nil
		}},
		{9, "slurmctld killed", func() bool { c.kill("slurmctld"); time.Sleep(2 * time.Second); c.run("slurmctld"); return true }},
		{13, "preempted", func() bool {
			if running() == "" {
				return false
			}
			c.command("sbatch", "-p", "high", "-n", "2", "--output=/dev/null", "--wrap=sleep 1")
			return true
		}},
		{18, "the node crashed", func() bool {
			if running() == "" {
				return false
			}
			t.Logf("%d processes killed with the node", c.crash())
			c.down()
			c.run("slurmd")
			return true
		}},
	}
	began, starts := time.Now(), 1
	empty := time.Time{}
	for {
		pending, _, err := s.Pending()
		if err != nil {
			t.Fatal(err)
		}
		done := len(s.Shards) - len(pending)
		if len(faults) > 0 && done >= faults[0].at && faults[0].do() {
			t.Logf("%3.0f s, %d shards done: %s", time.Since(began).Seconds(), done, faults[0].what)
			faults = faults[1:]
		}
		if len(pending) == 0 {
			break
		}
		c.operate()
		queue, err := s.SlurmQueue(t.Context())
		switch {
		case err != nil || slices.ContainsFunc(slices.Collect(maps.Values(queue)), func(k sweep.Known) bool { return k.State != sweep.Lost }):
			empty = time.Time{}
		case empty.IsZero():
			empty = time.Now()
		case time.Since(empty) > 5*time.Second: // what a user would do
			starts++
			out, _, _ := try(t, "sweep", "status", "faults", "--store", store)
			t.Logf("%3.0f s, nothing is in the queue, started again:\n%s", time.Since(began).Seconds(), out)
			start()
			empty = time.Time{}
		}
		if time.Since(began) > 25*time.Minute || starts > 4 {
			out, _, _ := try(t, "sweep", "status", "faults", "--store", store)
			t.Fatalf("not complete after %v and %d starts:\n%s\n%s", time.Since(began), starts, out, c.command("squeue", "-r"))
		}
		time.Sleep(200 * time.Millisecond)
	}
	if len(faults) > 0 {
		t.Errorf("%d faults never came about, from %s on", len(faults), faults[0].what)
	}
	attempts, shared := 0, 0
	of := map[string]int{}
	for _, r := range s.Records() {
		attempts += r.Attempts
		if of[r.Job]++; of[r.Job] == 2 {
			shared++
		}
	}
	if shared == 0 {
		t.Error("no job carried out two shards, though the plan says so")
	}
	t.Logf("complete after %.0f s, %d starts of the sweep, %d attempts for %d shards, %d jobs carried out two", time.Since(began).Seconds(), starts, attempts, len(s.Shards), shared)

	if out, errs, status := try(t, "reproduce", "--scale", plan, "--store", alone, "--out", filepath.Join(work, "results")); status != 0 {
		t.Fatal(out, errs)
	}
	compareStores(t, alone, store, 3)
}

// compareStores holds every run of one store against the other's.
func compareStores(t *testing.T, alone, store string, want int) {
	t.Helper()
	made, err := filepath.Glob(filepath.Join(alone, "*", "manifest.json"))
	if err != nil || len(made) != want {
		t.Fatal(made, err)
	}
	for _, m := range made {
		id := filepath.Base(filepath.Dir(m))
		for _, name := range []string{"recipe.json", "metamers.safetensors", "start.safetensors", "trace.csv", "evidence.json", "contact.png"} {
			a, err := os.ReadFile(filepath.Join(alone, id, name))
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(filepath.Join(store, id, name))
			if err != nil {
				t.Error(err)
				continue
			}
			if name == "evidence.json" { // all but the seconds that it took
				a, b = withoutSeconds(t, a), withoutSeconds(t, b)
			}
			if !bytes.Equal(a, b) {
				t.Errorf("run %s: %s differs", id, name)
			}
		}
		rows := func(store string) (names []string) {
			files, err := filepath.Glob(filepath.Join(store, id, "rows", "*.csv"))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				data, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, fmt.Sprintf("%s %s", filepath.Base(f), data))
			}
			return names
		}
		if a, b := rows(alone), rows(store); len(a) == 0 || !slices.Equal(a, b) {
			t.Errorf("run %s: its rows differ", id)
		}
	}
}
