package sweep

import (
	"fmt"
	"slices"
	"strings"
)

// array is a job array to be submitted: task t is shard offset+t, and where jobs carry
// out several shards, those of its group.
type array struct {
	offset int
	tasks  []int
	// what its tasks need: arrays of this submission (each task its namesake, when
	// corresponding), or jobs in the queue.
	needs         []int
	corresponding bool
	queued        []string
}

// arrays forms job arrays of the wanted shards, whose task numbers stay below max.
// queued are the jobs of shards that are in the queue.
//
// Where a run is one shard, evaluations form arrays like those of the runs, and each
// waits for its namesake (aftercorr). Where a run has several blocks, the blocks of one
// set and stage form arrays of their own, and its evaluation waits for all of them.
func arrays(shards []Shard, wanted map[int]bool, queued map[int]string, max int) (out []array) {
	var evaluations []Shard
	single := true
	for _, sh := range shards {
		if sh.Phase == Evaluations {
			evaluations = append(evaluations, sh)
			single = single && sh.Needs[1]-sh.Needs[0] == 1
		}
	}
	// cut makes arrays of the wanted shards from up to to.
	cut := func(from, to int) (made []int) {
		for lo := from; lo < to; lo += max {
			a := array{offset: lo}
			for i := lo; i < min(lo+max, to); i++ {
				if wanted[i] {
					a.tasks = append(a.tasks, i-lo)
				}
			}
			if a.tasks != nil {
				made, out = append(made, len(out)), append(out, a)
			}
		}
		return made
	}
	if !single {
		for _, e := range evaluations {
			made := cut(e.Needs[0], e.Needs[1])
			if !wanted[e.Index] {
				continue
			}
			a := array{offset: e.Index, tasks: []int{0}, needs: made}
			for k := e.Needs[0]; k < e.Needs[1]; k++ {
				if queued[k] != "" {
					a.queued = append(a.queued, queued[k])
				}
			}
			out = append(out, a)
		}
		return out
	}
	n := len(evaluations)
	made := cut(0, n)
	// Evaluations by what they wait for: an array of runs, nothing, or a queued run.
	for _, k := range made {
		runs := out[k]
		a := array{offset: n + runs.offset, needs: []int{k}, corresponding: true}
		for _, t := range runs.tasks {
			if wanted[a.offset+t] {
				a.tasks = append(a.tasks, t)
			}
		}
		if a.tasks != nil {
			out = append(out, a)
		}
	}
	for lo := n; lo < 2*n; lo += max {
		free := array{offset: lo}
		for i := lo; i < min(lo+max, 2*n); i++ {
			run := i - n
			switch {
			case !wanted[i] || wanted[run]:
			case queued[run] != "":
				out = append(out, array{offset: lo, tasks: []int{i - lo}, queued: []string{queued[run]}})
			default:
				free.tasks = append(free.tasks, i-lo)
			}
		}
		if free.tasks != nil {
			out = append(out, free)
		}
	}
	return out
}

// groups divides an array's tasks into those that share a job: at most per, one behind
// the other without a gap. The job has the number of the first.
func groups(tasks []int, per int) (out [][]int) {
	for _, t := range slices.Sorted(slices.Values(tasks)) {
		if k := len(out) - 1; k >= 0 && len(out[k]) < per && t == out[k][len(out[k])-1]+1 {
			out[k] = append(out[k], t)
		} else {
			out = append(out, []int{t})
		}
	}
	return out
}

// leaders are the first tasks of groups.
func leaders(groups [][]int) (out []int) {
	for _, g := range groups {
		out = append(out, g[0])
	}
	return out
}

// sharing is what metamers sweep shard is told of jobs that carry out several shards:
// the first and last of each.
func (a array) sharing(per int) string {
	if per <= 1 {
		return ""
	}
	var parts []string
	for _, g := range groups(a.tasks, per) {
		parts = append(parts, fmt.Sprintf("%d-%d", a.offset+g[0], a.offset+g[len(g)-1]))
	}
	return " --groups " + strings.Join(parts, ",")
}

// Group is the shards that share a job with the shard first, which begins it; groups
// are FROM-TO,FROM-TO…; "": first alone.
func Group(groups string, first int) ([]int, error) {
	if groups == "" {
		return []int{first}, nil
	}
	for part := range strings.SplitSeq(groups, ",") {
		var from, to int
		if n, err := fmt.Sscanf(part, "%d-%d", &from, &to); n != 2 || err != nil || fmt.Sprintf("%d-%d", from, to) != part || to < from {
			return nil, fmt.Errorf("sweep: groups of shards %q: expected FROM-TO,FROM-TO…, such as 0-3,4-7", groups)
		}
		if from == first {
			var out []int
			for i := from; i <= to; i++ {
				out = append(out, i)
			}
			return out, nil
		}
	}
	return nil, fmt.Errorf("sweep: no group of %q begins with shard %d", groups, first)
}

// dependency is sbatch's, given the jobs that the arrays before became. Namesakes
// correspond as long as their groups are the same.
func (a array) dependency(jobs []Job) string {
	if a.corresponding && (jobs[a.needs[0]].PerJob <= 1 || slices.Equal(a.tasks, jobs[a.needs[0]].Tasks)) {
		return "aftercorr:" + jobs[a.needs[0]].ID
	}
	var ids []string
	for _, k := range a.needs {
		ids = append(ids, jobs[k].ID)
	}
	if ids = append(ids, a.queued...); ids == nil {
		return ""
	}
	return "afterok:" + strings.Join(ids, ":")
}

// spec is sbatch's list of tasks, such as 0-3,7%2: the first of each group.
func (a array) spec(per, throttle int) string {
	var parts []string
	for _, g := range groups(leaders(groups(a.tasks, per)), len(a.tasks)) {
		if len(g) == 1 {
			parts = append(parts, fmt.Sprint(g[0]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", g[0], g[len(g)-1]))
		}
	}
	out := strings.Join(parts, ",")
	if throttle > 0 {
		out += fmt.Sprintf("%%%d", throttle)
	}
	return out
}
