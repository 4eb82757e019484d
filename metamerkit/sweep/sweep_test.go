package sweep

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/study"
)

// asShard makes the test's own binary the program that shards start: it makes a run's
// folder, after what the file named by the variable says of the shard.
const asShard = "METAMERS_TEST_AS_SHARD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asShard); dir != "" {
		os.Exit(shardCommand(dir))
	}
	os.Exit(m.Run())
}

// shardCommand obeys the file named by its set, stage and part: "fail REASON", "fail
// once REASON", "kill", or "wait", which lasts until it is told to end.
func shardCommand(dir string) int {
	value := func(flag string) string {
		if i := slices.Index(os.Args, flag); i > 0 {
			return os.Args[i+1]
		}
		return ""
	}
	name := strings.Join([]string{value("--set"), value("--stage"), value("--part")}, "_")
	f, err := os.OpenFile(filepath.Join(dir, "asked"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(f, name)
	f.Close()
	order, err := os.ReadFile(filepath.Join(dir, name))
	if err == nil {
		what, why, _ := strings.Cut(strings.TrimSpace(string(order)), " ")
		switch what {
		case "wait":
			told := make(chan os.Signal, 1)
			signal.Notify(told, syscall.SIGTERM)
			if err := os.WriteFile(filepath.Join(dir, "waiting"), nil, 0o666); err != nil {
				panic(err)
			}
			<-told
			fmt.Fprintln(os.Stderr, "metamers: stopped at step 7")
			return 130
		case "kill":
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		case "once":
			os.Remove(filepath.Join(dir, name))
		}
		fmt.Fprintln(os.Stderr, "metamers: "+why)
		return 1
	}
	run := fmt.Sprintf("%.8x", sha256.Sum256([]byte(name)))
	if err := os.MkdirAll(filepath.Join(value("--store"), run), 0o777); err != nil {
		panic(err)
	}
	if err := os.WriteFile(filepath.Join(value("--store"), run, "manifest.json"), nil, 0o666); err != nil {
		panic(err)
	}
	fmt.Printf(`{"Runs":[%q]}`, run)
	return 0
}

// tiny is a sweep of two sets at two stages, five images in blocks of two: twelve runs
// and four evaluations.
func tiny(t *testing.T) *Sweep {
	t.Helper()
	p, err := study.Parse([]byte("name: Tiny plan\nimages: photos:5\nsize: 32\nsets: [[a], [a, b]]\nstages: [early, late]\nobservers: [a]\nsettings: {steps: 10, batch: 2, optimizer: {name: adam, beta2: 0.9}}"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s, err := New(p, Options{Home: filepath.Join(dir, "sweeps"), Store: filepath.Join(dir, "runs"), Images: 5, Block: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Write(); err != nil {
		t.Fatal(err)
	}
	return s
}

// local carries s out with the test's own binary; orders is the folder that tells it
// what to do.
func local(t *testing.T, ctx context.Context, s *Sweep, orders string, workers, retries int) error {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asShard, orders)
	return s.Local(ctx, LocalOptions{Program: self, Workers: Workers(nil, "", workers), Retries: retries})
}

func asked(t *testing.T, orders string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(orders, "asked"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(data))
}

func order(t *testing.T, orders, name, what string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(orders, name), []byte(what), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestSplit(t *testing.T) {
	s := tiny(t)
	if len(s.Shards) != 16 || s.Block != 2 {
		t.Fatalf("%d shards of %d images", len(s.Shards), s.Block)
	}
	covered := map[string]int{}
	for i, sh := range s.Shards {
		if sh.Index != i {
			t.Errorf("shard %d has the index %d", i, sh.Index)
		}
		if sh.Phase == Runs {
			covered[strings.Join(sh.Set, "+")+sh.Stage] += sh.To - sh.From
			continue
		}
		for k := range s.Shards {
			n := s.Shards[k]
			needed := n.Phase == Runs && slices.Equal(n.Set, sh.Set) && n.Stage == sh.Stage
			if needed != (k >= sh.Needs[0] && k < sh.Needs[1]) {
				t.Errorf("%s needs %v", sh, sh.Needs)
			}
		}
	}
	for name, n := range covered {
		if n != 5 {
			t.Errorf("%s: %d images in its shards", name, n)
		}
	}
	if got := strings.Join(s.Args(s.Shards[2]), " "); !strings.HasSuffix(got, "--set a --stage early --part 4-5") {
		t.Error(got)
	}
	if got := strings.Join(s.Args(s.Shards[14]), " "); !strings.HasSuffix(got, "--set a,b --stage early --blocks 2") {
		t.Error(got)
	}
	for _, bad := range []int{1, 3, -2} {
		if _, _, err := Split(s.Plan, 5, bad); err == nil || !strings.Contains(err.Error(), "multiple of the batch, 2") {
			t.Errorf("block %d: %v", bad, err)
		}
	}
	if whole, block, err := Split(s.Plan, 5, 100); err != nil || block != 5 || len(whole) != 8 {
		t.Errorf("%d shards of %d: %v", len(whole), block, err)
	}
}

// What shards read is what the plan says, and the folder's name depends on what
// changes results only.
func TestFolder(t *testing.T) {
	s := tiny(t)
	back, err := Open(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back.Plan, s.Plan) || !reflect.DeepEqual(back.Shards, s.Shards) {
		t.Errorf("%+v\nbecame %+v", s.Plan, back.Plan)
	}
	p := s.Plan
	p.Sweep.Slurm.Partition = "other"
	o := Options{Home: filepath.Dir(s.Dir), Store: s.Store, Images: 5, Block: 2}
	if other, err := New(p, o); err != nil || other.Dir != s.Dir {
		t.Errorf("another partition makes another sweep: %v", err)
	}
	p.Settings.Steps++
	if other, err := New(p, o); err != nil || other.Dir == s.Dir {
		t.Errorf("other steps make the same sweep: %v", err)
	}
	if found, err := Find(o.Home, "Tiny plan"); err != nil || len(found) != 1 {
		t.Errorf("%v %v", found, err)
	}
	if err := os.WriteFile(filepath.Join(s.Dir, "sweep.json"), []byte("{"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(o.Home, ""); err == nil || !strings.Contains(err.Error(), "sweep.json") {
		t.Error(err)
	}
}

// A shard that fails is tried again; one that goes on failing keeps its evaluation
// from beginning, and nothing else. Started again, only what is not done is done.
func TestLocal(t *testing.T) {
	s, orders := tiny(t), t.TempDir()
	order(t, orders, "a_early_0-2", "once the disk was full")
	order(t, orders, "a,b_late_2-4", "kill")
	order(t, orders, "a_late_4-5", "fail no such weights")
	err := local(t, context.Background(), s, orders, 3, 1)
	if err == nil || !strings.Contains(err.Error(), "2 of 16 shards failed") {
		t.Fatal(err)
	}
	st, err := s.Status(nil)
	if err != nil {
		t.Fatal(err)
	}
	if p := st.Phases[0]; p.Done != 10 || p.Failed != 2 || p.Queued+p.Running != 0 {
		t.Errorf("%+v", p)
	}
	if p := st.Phases[1]; p.Done != 2 || p.Queued != 2 {
		t.Errorf("%+v", p)
	}
	for _, r := range st.Failures {
		want := map[bool]string{true: "no such weights", false: "SIGKILL"}[s.Shards[r.Shard].Stage == "late" && len(s.Shards[r.Shard].Set) == 1]
		if !strings.Contains(r.Reason, want) || r.Attempts != 2 {
			t.Errorf("%s: %q after %d attempts, expected %q", s.Shards[r.Shard], r.Reason, r.Attempts, want)
		}
		if log, err := os.ReadFile(s.LogPath(r.Shard)); err != nil || strings.Count(string(log), "--- ") != 4 {
			t.Errorf("%s %v", log, err)
		}
	}
	before := asked(t, orders)
	for _, shard := range s.Shards[12:] { // an evaluation comes after its blocks
		name := strings.Join(shard.Set, ",") + "_" + shard.Stage + "_"
		if at := slices.Index(before, name); at >= 0 {
			for i := at; i < len(before); i++ {
				if before[i] != name && strings.HasPrefix(before[i], name) {
					t.Errorf("%s was evaluated before %s", name, before[i])
				}
			}
		}
	}
	os.Remove(filepath.Join(orders, "a,b_late_2-4"))
	os.Remove(filepath.Join(orders, "a_late_4-5"))
	os.Remove(filepath.Join(orders, "asked"))
	if err := local(t, context.Background(), s, orders, 1, 0); err != nil {
		t.Fatal(err)
	}
	if got := asked(t, orders); len(got) != 4 {
		t.Errorf("done again: %v", got)
	}
	// A run that was removed is made again, and no other.
	r := s.Record(3)
	if err := os.RemoveAll(filepath.Join(s.Store, r.Run)); err != nil {
		t.Fatal(err)
	}
	if pending, _, err := s.Pending(); err != nil || len(pending) != 0 {
		t.Errorf("a block is wanted whose whole is there: %v %v", pending, err)
	}
	if err := os.RemoveAll(filepath.Join(s.Store, s.Record(13).Run)); err != nil {
		t.Fatal(err)
	}
	if pending, _, err := s.Pending(); err != nil || !slices.Equal(pending, []int{3, 13}) {
		t.Errorf("pending %v %v, expected 3 and 13", pending, err)
	}
}

// Two sweeps of the same plan at once end well.
func TestTwoAtOnce(t *testing.T) {
	s, orders := tiny(t), t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asShard, orders)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if err := s.Local(context.Background(), LocalOptions{Program: self, Workers: Workers(nil, "", 2)}); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if pending, _, err := s.Pending(); err != nil || len(pending) != 0 {
		t.Errorf("%v %v", pending, err)
	}
}

// A sweep that is told to end tells its commands, and says what they said.
func TestStop(t *testing.T) {
	s, orders := tiny(t), t.TempDir()
	order(t, orders, "a_early_0-2", "wait")
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for {
			if _, err := os.Stat(filepath.Join(orders, "waiting")); err == nil {
				cancel()
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	err := local(t, ctx, s, orders, 1, 1)
	if err == nil || !strings.Contains(err.Error(), "to resume") {
		t.Fatal(err)
	}
	r := s.Record(0)
	if r.State != Stopped || r.Reason != "stopped at step 7" {
		t.Errorf("%+v", r)
	}
	if on, err := s.StopLocal(); on || err != nil {
		t.Errorf("a sweep that ended can be stopped: %v %v", on, err)
	}
}

// A worker that nothing was heard of is lost, and its shard is done again.
func TestLost(t *testing.T) {
	s := tiny(t)
	if err := s.write(Record{Shard: 5, State: Running, Host: "node7", PID: 42}); err != nil {
		t.Fatal(err)
	}
	if r := s.Record(5); r.State != Running {
		t.Error(r)
	}
	old := time.Now().Add(-2 * Silence)
	if err := os.Chtimes(s.recordPath(5), old, old); err != nil {
		t.Fatal(err)
	}
	if r := s.Record(5); r.State != Lost || !strings.Contains(r.Reason, "node7") {
		t.Errorf("%+v", r)
	}
	if err := os.WriteFile(s.recordPath(6), []byte(`{"shard": 6, "sta`), 0o666); err != nil {
		t.Fatal(err)
	}
	if r := s.Record(6); r.State != Queued {
		t.Errorf("half a record counts: %+v", r)
	}
}

func TestWorkers(t *testing.T) {
	eight := []string{"/dev/nvidia0", "/dev/nvidia10", "/dev/nvidia2", "/dev/nvidia3", "/dev/nvidia4", "/dev/nvidia5", "/dev/nvidia6", "/dev/nvidia7"}
	for _, c := range []struct {
		gpus    []string
		visible string
		n       int
		want    string
	}{
		{eight, "", 0, "0 1 2 3 4 5 6 7"},
		{eight, "", 2, "0 1"},
		{eight, "5,GPU-8932f937", 0, "5 GPU-8932f937"},
		{eight, "-1", 0, ""},
		{nil, "", 0, ""},
	} {
		var got []string
		for _, w := range Workers(c.gpus, c.visible, c.n) {
			for _, e := range w.Env {
				got = append(got, strings.TrimPrefix(e, "CUDA_VISIBLE_DEVICES="))
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%v %q %d: %v, expected %s", c.gpus, c.visible, c.n, got, c.want)
		}
	}
	if w := Workers(nil, "", 3); len(w) != 3 || w[2].Name != "CPU 2" || w[2].Env != nil {
		t.Errorf("%+v", w)
	}
}

// The estimate comes from earlier runs where there are any, else from the plan.
func TestExpect(t *testing.T) {
	s := tiny(t)
	c, err := s.Expect()
	if err != nil || c.Hours != 0 || len(c.Unknown) != 2 {
		t.Fatalf("%+v %v", c, err)
	}
	s.Plan.Sweep.Seconds = map[string]float64{"a": 36, "b": 108}
	// 2 stages × 5 images × 10 steps of 36 s for a; for {a, b} 72 s.
	if c, err = s.Expect(); err != nil || c.Hours < 2.999 || c.Hours > 3.001 || c.Unknown != nil {
		t.Errorf("%+v %v, expected 3 hours", c, err)
	}
	run := filepath.Join(s.Store, "0123456789abcdef")
	if err := os.MkdirAll(run, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"recipe.json":   `{"models": [{"name": "a"}], "stage": "late", "images": {"count": 4, "size": 32}, "schedule": {"kind": "switch"}, "backend": "xla"}`,
		"evidence.json": `{"stepsRun": 50, "seconds": 14400}`, // 72 s a step and image
	} {
		if err := os.WriteFile(filepath.Join(run, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if c, err = s.Expect(); err != nil || c.Hours < 3.999 || c.Hours > 4.001 || len(c.Measured) != 2 {
		t.Errorf("%+v %v, expected 4 hours", c, err)
	}
	if text, err := json.Marshal(c); err != nil || !strings.Contains(string(text), "Bytes") {
		t.Error(err)
	}
}

// Arrays hold each wanted shard once, with task numbers below the site's limit, and an
// evaluation waits for all of its blocks that are not done.
func TestArrays(t *testing.T) {
	s := tiny(t)
	whole, _, err := Split(s.Plan, 5, 5) // four runs, four evaluations
	if err != nil {
		t.Fatal(err)
	}
	for _, shards := range [][]Shard{s.Shards, whole} {
		for _, max := range []int{1, 2, 3, 1000} {
			for seed := range uint64(200) {
				draw := rand.New(rand.NewPCG(seed, uint64(max)))
				wanted, queued := map[int]bool{}, map[int]string{}
				for i, sh := range shards {
					switch draw.IntN(3) {
					case 0:
						wanted[i] = true
					case 1:
						queued[i] = fmt.Sprintf("7_%d", i)
						if sh.Phase == Evaluations {
							delete(queued, i)
						}
					}
				}
				list := arrays(shards, wanted, queued, max)
				var jobs []Job
				at := map[int]int{} // shard → array
				for k, a := range list {
					jobs = append(jobs, Job{ID: fmt.Sprint(100 + k)})
					for _, task := range a.tasks {
						if _, twice := at[a.offset+task]; twice || task >= max || task < 0 || !wanted[a.offset+task] {
							t.Fatalf("task %d of %+v, at most %d, wanted %v", task, a, max, wanted)
						}
						at[a.offset+task] = k
					}
				}
				if len(at) != len(wanted) {
					t.Fatalf("%d of %d shards in arrays", len(at), len(wanted))
				}
				for i, k := range at {
					dep := list[k].dependency(jobs[:k])
					for n := shards[i].Needs[0]; n < shards[i].Needs[1]; n++ {
						need := queued[n]
						if wanted[n] {
							need = jobs[at[n]].ID
						}
						if need != "" && !slices.Contains(strings.Split(dep, ":"), need) {
							t.Fatalf("%s depends on %q, which lacks %s", shards[i], dep, need)
						}
					}
					if shards[i].Phase == Runs && dep != "" {
						t.Fatalf("%s depends on %q", shards[i], dep)
					}
				}
			}
		}
	}
	for want, tasks := range map[string][]int{"0-2,5%2": {5, 1, 0, 2}, "3%2": {3}, "0,2-3%2": {0, 2, 3}} {
		if got := (array{tasks: tasks}).spec(1, 2); got != want {
			t.Errorf("%v: %s, expected %s", tasks, got, want)
		}
	}
}

// Shards that share a job are neighbours, each is in one job, and the job finds them.
func TestShardsPerJob(t *testing.T) {
	a := array{offset: 10, tasks: []int{4, 0, 1, 2, 3, 7, 8, 11}}
	if got := a.spec(3, 0); got != "0,3,7,11" {
		t.Error(got)
	}
	if got := a.sharing(3); got != " --groups 10-12,13-14,17-18,21-21" {
		t.Error(got)
	}
	if got := a.sharing(1); got != "" {
		t.Error(got)
	}
	text := strings.TrimPrefix(a.sharing(3), " --groups ")
	for first, want := range map[int][]int{10: {10, 11, 12}, 13: {13, 14}, 21: {21}} {
		if got, err := Group(text, first); err != nil || !slices.Equal(got, want) {
			t.Errorf("%d: %v, %v", first, got, err)
		}
	}
	if got, err := Group("", 5); err != nil || !slices.Equal(got, []int{5}) {
		t.Error(got, err)
	}
	for _, bad := range []string{"11-12", "10", "10-", "12-10", "x", "10-12 "} {
		if got, err := Group(bad, 10); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
	// An evaluation waits for its namesake's job only where the groups are the same.
	runs := Job{ID: "7", PerJob: 2, Tasks: []int{0, 1, 2}}
	for want, tasks := range map[string][]int{"aftercorr:7": {0, 1, 2}, "afterok:7": {1, 2}} {
		if got := (array{tasks: tasks, needs: []int{0}, corresponding: true}).dependency([]Job{runs}); got != want {
			t.Errorf("%v: %s, expected %s", tasks, got, want)
		}
	}
}

// A plan with pairs has shards of each pair, whose commands name the other set.
func TestSplitPairs(t *testing.T) {
	p, err := study.Parse([]byte("images: photos:4\nsize: 32\nsets: [[a], [b, c]]\npairs: true\nstages: [late]\nobservers: [a, b]\nsettings: {steps: 10, batch: 2, optimizer: {name: adam}}"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s, err := New(p, Options{Home: filepath.Join(dir, "sweeps"), Store: filepath.Join(dir, "runs"), Images: 4, Block: 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Shards) != 4*2+4 {
		t.Fatalf("%d shards", len(s.Shards))
	}
	pair, evaluation := s.Shards[7], s.Shards[11]
	if args := strings.Join(s.Args(pair), " "); !strings.HasSuffix(args, "--set b,c --stage late --against a --part 2-4") || !strings.Contains(pair.String(), "b+c, late, against a") {
		t.Error(pair, args)
	}
	if args := strings.Join(s.Args(evaluation), " "); !strings.Contains(args, "--against a") || evaluation.Needs != [2]int{6, 8} {
		t.Error(evaluation, args, evaluation.Needs)
	}
	if s.Shards[0].Work*3 != pair.Work { // one model, and two against one
		t.Errorf("work %v and %v", s.Shards[0].Work, pair.Work)
	}
}
