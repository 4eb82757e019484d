package api

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// Sweep says how a plan is divided into shards, and where these are carried out. No setting
// changes a result.
type Sweep struct {
	Block  int `yaml:"block,omitempty"`  // images in a shard, a multiple of the batch; 0: four batches
	Images int `yaml:"images,omitempty"` // number of images in the plan's set, if the machine that starts the sweep cannot open it
	// Checkpoint is the time between two checkpoints of a shard, such as 10m; default 30s. A
	// checkpoint holds all finished images of its block, so that many workers with large
	// blocks write much to a shared file system.
	Checkpoint string `yaml:"checkpoint,omitempty"`
	Program    string `yaml:"program,omitempty"` // the program on the workers; default: the one that starts the sweep

	Slurm      Slurm      `yaml:"slurm,omitempty"`
	Kubernetes Kubernetes `yaml:"kubernetes,omitempty"`

	// Seconds are the expected seconds of one step of one image, by the model's name in the
	// plan, for the dry run. Times of stored runs are preferred.
	Seconds map[string]float64 `yaml:"seconds,omitempty"`
}

// Slurm are the settings of sbatch. An empty setting is the site's default.
type Slurm struct {
	Partition  string   `yaml:"partition,omitempty"`
	Account    string   `yaml:"account,omitempty"`
	QOS        string   `yaml:"qos,omitempty"`
	Constraint string   `yaml:"constraint,omitempty"`
	Time       string   `yaml:"time,omitempty"`           // limit of a job, such as 4:00:00; a job that reaches it is requeued and resumes
	GRES       string   `yaml:"gres,omitempty"`           // generic resources of a job, such as gpu:1
	CPUs       int      `yaml:"cpus,omitempty"`           // of a task
	Memory     string   `yaml:"memory,omitempty"`         // of a node, such as 16G
	Throttle   int      `yaml:"throttle,omitempty"`       // largest number of jobs of an array that run at the same time
	PerJob     int      `yaml:"shards per job,omitempty"` // consecutive shards that a job carries out one after the other; default 1
	Flags      []string `yaml:"flags,omitempty"`          // any further flags of sbatch
	Setup      []string `yaml:"setup,omitempty"`          // shell lines before the program, such as module load cuda
}

// Kubernetes are the settings of the sweep's Jobs.
type Kubernetes struct {
	Image       string `yaml:"image,omitempty"`     // a container image with the program
	Namespace   string `yaml:"namespace,omitempty"` // default default
	GPU         string `yaml:"gpu,omitempty"`       // resource of the device; default nvidia.com/gpu
	GPUs        int    `yaml:"gpus,omitempty"`      // of a pod
	CPUs        string `yaml:"cpus,omitempty"`      // of a pod, such as 4 or 500m
	Memory      string `yaml:"memory,omitempty"`    // of a pod, such as 16Gi
	Parallelism int    `yaml:"parallelism,omitempty"`
	Retries     *int   `yaml:"retries,omitempty"` // of each shard; default 3

	Claim     string            `yaml:"claim,omitempty"` // PersistentVolumeClaim of runs, weights and data (ReadWriteMany)
	Mount     string            `yaml:"mount,omitempty"` // where it is mounted; default /metamers
	Env       map[string]string `yaml:"env,omitempty"`
	EnvSecret string            `yaml:"env secret,omitempty"` // a Secret whose keys become environment, such as keys of an object store
	Selector  map[string]string `yaml:"node selector,omitempty"`
}

// Validate returns an error for the first invalid setting: a negative number, a checkpoint
// that is no duration above 0, a flag without "-", a mount that is no absolute path, or
// seconds outside (0, 10⁶].
func (s Sweep) Validate() error {
	if s.Block < 0 || s.Images < 0 || s.Slurm.CPUs < 0 || s.Slurm.Throttle < 0 || s.Slurm.PerJob < 0 || s.Kubernetes.GPUs < 0 || s.Kubernetes.Parallelism < 0 {
		return fmt.Errorf("block %d, images %d, slurm cpus %d, throttle %d, shards per job %d, kubernetes gpus %d, parallelism %d: expected no negative numbers",
			s.Block, s.Images, s.Slurm.CPUs, s.Slurm.Throttle, s.Slurm.PerJob, s.Kubernetes.GPUs, s.Kubernetes.Parallelism)
	}
	if r := s.Kubernetes.Retries; r != nil && *r < 0 {
		return fmt.Errorf("kubernetes retries %d: expected no negative number", *r)
	}
	if s.Checkpoint != "" {
		if d, err := time.ParseDuration(s.Checkpoint); err != nil || d <= 0 {
			return fmt.Errorf("checkpoint %q: expected a duration above 0, such as 10m", s.Checkpoint)
		}
	}
	for _, f := range s.Slurm.Flags {
		if !strings.HasPrefix(f, "-") {
			return fmt.Errorf("slurm flags: %q, expected a flag of sbatch such as --exclusive or --mail-type=END", f)
		}
	}
	if m := s.Kubernetes.Mount; m != "" && !path.IsAbs(m) {
		return fmt.Errorf("kubernetes mount %q: expected an absolute path", m)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Seconds)) {
		if v := s.Seconds[name]; !(v > 0) || v > 1e6 {
			return fmt.Errorf("seconds of %s: %v, expected a number above 0", name, v)
		}
	}
	return nil
}

// Folder returns the path at which the volume is mounted in a pod, which is also the working
// directory of the program.
func (k Kubernetes) Folder() string {
	if k.Mount == "" {
		return "/metamers"
	}
	return path.Clean(k.Mount)
}

// Store returns the store of the pods: wanted if it is a URL, else the folder runs on the
// volume. Without a volume (Claim) it returns an error.
func (k Kubernetes) Store(wanted string) (string, error) {
	switch {
	case strings.Contains(wanted, "://"):
		return wanted, nil
	case k.Claim == "":
		return "", fmt.Errorf("sweep: {kubernetes: {claim: …}} is missing: a PersistentVolumeClaim for runs, weights and data (or --store with the URL of an object store)")
	}
	return k.Folder() + "/runs", nil
}
