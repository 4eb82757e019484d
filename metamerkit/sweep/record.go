package sweep

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// What becomes of a shard.
const (
	Queued  = "queued"
	Running = "running"
	Done    = "done"
	Failed  = "failed"
	Stopped = "stopped" // ended by a signal; what was done is kept
	Lost    = "lost"    // it was running, and nothing has been heard of it since
)

// Record is what became of a shard. The worker writes it; while it runs, the file's
// time is renewed every Beat.
type Record struct {
	Shard    int       `json:"shard"`
	State    string    `json:"state"`
	Run      string    `json:"run,omitempty"`    // ID
	Cached   bool      `json:"cached,omitempty"` // the run was there already
	Attempts int       `json:"attempts"`
	Host     string    `json:"host"`
	PID      int       `json:"pid"`
	Worker   string    `json:"worker,omitempty"` // such as "GPU 3"
	Job      string    `json:"job,omitempty"`    // of Slurm or Kubernetes
	Began    time.Time `json:"began"`
	Ended    time.Time `json:"ended,omitzero"`
	Seconds  float64   `json:"seconds"` // over all attempts
	Reason   string    `json:"reason,omitempty"`

	seen time.Time
}

// Beat is how often a worker says that it lives; after Silence it is taken for lost.
const (
	Beat    = 10 * time.Second
	Silence = 2 * time.Minute
)

func (s *Sweep) recordPath(shard int) string {
	return s.path("records", fmt.Sprintf("%06d.json", shard))
}

// LogPath is the file that a shard's command writes to.
func (s *Sweep) LogPath(shard int) string { return s.path("logs", fmt.Sprintf("%06d.log", shard)) }

// Record reads what became of a shard; one that never began is queued. A record that
// cannot be read counts as none: the shard is done again, which costs little.
func (s *Sweep) Record(shard int) Record {
	none := Record{Shard: shard, State: Queued}
	f, err := os.Open(s.recordPath(shard))
	if err != nil {
		return none
	}
	defer f.Close()
	st, err := f.Stat()
	var r Record
	if err != nil || json.NewDecoder(f).Decode(&r) != nil || r.Shard != shard {
		return none
	}
	if r.seen = st.ModTime(); r.State == Running && time.Since(r.seen) > Silence {
		r.State, r.Reason = Lost, fmt.Sprintf("nothing was heard of process %d on %s since %s", r.PID, r.Host, r.seen.Format(time.DateTime))
	}
	return r
}

func (s *Sweep) write(r Record) error { return putJSON(s.recordPath(r.Shard), r) }

// Records reads all.
func (s *Sweep) Records() []Record {
	out := make([]Record, len(s.Shards))
	for i := range out {
		out[i] = s.Record(i)
	}
	return out
}

// has says whether the store holds a run, as far as can be seen from here.
func (s *Sweep) has(run string) (bool, error) {
	if run == "" {
		return false, nil
	}
	store, err := runs.Locate(s.Store)
	if err != nil {
		return false, err
	}
	return store.Has(context.Background(), run)
}

// Pending returns the shards that are not done, by index, and everything's record. A
// shard is done when its record says so and its run is in the store; a block also when
// the run that it became part of is.
func (s *Sweep) Pending() (pending []int, records []Record, err error) {
	records = s.Records()
	there := make([]bool, len(records))
	for i, r := range records {
		if r.State == Done {
			if there[i], err = s.has(r.Run); err != nil {
				return nil, nil, fmt.Errorf("sweep: %w", err)
			}
		}
	}
	for _, e := range s.Shards {
		if e.Phase == Evaluations && there[e.Index] {
			for k := e.Needs[0]; k < e.Needs[1]; k++ {
				there[k] = there[k] || records[k].State == Done
			}
		}
	}
	for i := range there {
		if !there[i] {
			if records[i].State == Done { // its run was removed since
				records[i] = Record{Shard: i, State: Queued, Attempts: records[i].Attempts}
			}
			pending = append(pending, i)
		}
	}
	return pending, records, nil
}
