package sweep

import (
	"time"
)

// Status is how far a sweep is.
type Status struct {
	ID, Plan, Store string
	Phases          []PhaseStatus
	Running         []Record
	Failures        []Record // failed, stopped or lost, and not done since
	// Throughput is in gradient evaluations of one image per second, of the workers
	// together, from the shards that were computed; 0: not known yet.
	Throughput float64
	Left       time.Duration // with the workers there are now; 0: not known
	Hours      float64       // that the shards that are done took, summed over workers
}

// PhaseStatus counts the shards of a phase.
type PhaseStatus struct {
	Phase                                  string
	Total, Done, Running, Failed, Queued   int
	Work, WorkDone, WorkMeasured, Measured float64 // Measured seconds were taken by WorkMeasured
}

// Known is what a scheduler says of a shard: Queued, Running, or Lost with the reason
// when it was handed over and is there no more.
type Known struct{ State, Reason string }

// Status looks at the records and the store. queue is what a scheduler says of shards,
// by index; nil: nothing.
func (s *Sweep) Status(queue map[int]Known) (*Status, error) {
	pending, records, err := s.Pending()
	if err != nil {
		return nil, err
	}
	undone := map[int]bool{}
	for _, i := range pending {
		undone[i] = true
	}
	st := &Status{ID: s.ID(), Plan: s.Name, Store: s.Store, Phases: []PhaseStatus{{Phase: Runs}, {Phase: Evaluations}}}
	for i, sh := range s.Shards {
		p := &st.Phases[0]
		if sh.Phase == Evaluations {
			p = &st.Phases[1]
		}
		r := records[i]
		p.Total++
		p.Work += sh.Work
		if !undone[i] {
			p.Done++
			p.WorkDone += sh.Work
			st.Hours += r.Seconds / 3600
			if !r.Cached && r.Seconds > 0 {
				p.WorkMeasured += sh.Work
				p.Measured += r.Seconds
			}
			continue
		}
		switch k := queue[i]; {
		case k.State == Queued:
			r.State = Queued
		case k.State == Running && r.State != Running:
			r.State, r.Reason = Running, ""
		case k.State == Lost && (r.State == Queued || r.State == Running):
			r.State, r.Reason = Lost, k.Reason
		}
		switch r.State {
		case Running:
			p.Running++
			st.Running = append(st.Running, r)
		case Failed, Stopped, Lost:
			p.Failed++
			st.Failures = append(st.Failures, r)
		default:
			p.Queued++
		}
	}
	st.estimate()
	return st, nil
}

// estimate fills in throughput and time left. What is measured of one phase says
// nothing of the other.
func (st *Status) estimate() {
	workers := float64(len(st.Running))
	seconds, known := 0.0, true
	for _, p := range st.Phases {
		if p.WorkMeasured == 0 {
			known = known && p.Done == p.Total
			continue
		}
		seconds += (p.Work - p.WorkDone) * p.Measured / p.WorkMeasured
	}
	if r := st.Phases[0]; r.Measured > 0 && workers > 0 {
		st.Throughput = r.WorkMeasured / r.Measured * workers
	}
	for _, r := range st.Running {
		seconds -= min(time.Since(r.Began).Seconds(), seconds)
	}
	// Until an evaluation has been measured, the runs alone give the estimate.
	if r := st.Phases[0]; workers > 0 && seconds > 0 && (known || r.WorkMeasured > 0) {
		st.Left = time.Duration(seconds / workers * float64(time.Second)).Round(time.Second)
	}
}
