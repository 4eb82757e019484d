package sweep

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Labels and limits of what is written.
const (
	jobTTL        = 7 * 24 * 3600 // seconds that a finished Job stays
	graceSeconds  = 90            // for a pod that is told to end: it saves what was done
	mostIndexes   = 100000        // of an Indexed Job with backoffLimitPerIndex
	planMount     = "/plan"
	defaultOfGPUs = "nvidia.com/gpu"
)

// object is a Kubernetes object: a map that is written in the usual order of keys.
type object = yaml.MapSlice

func field(k string, v any) yaml.MapItem { return yaml.MapItem{Key: k, Value: v} }

// WriteManifests writes what Kubernetes is to be given: a ConfigMap with the plan, an
// Indexed Job for the runs, one for the evaluations, and one that says how far they
// are.
func (s *Sweep) WriteManifests(dir string) error {
	k := s.Plan.Sweep.Kubernetes
	if k.Image == "" {
		return fmt.Errorf("sweep: plan %s: sweep: {kubernetes: {image: …}} is missing: a container image with the program", s.Name)
	}
	plan, err := yaml.Marshal(s.Plan)
	if err != nil {
		return fmt.Errorf("sweep: plan %s: %w", s.Name, err)
	}
	settings, err := jsonText(s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	files := map[string]object{
		"0-plan.yaml": {
			field("apiVersion", "v1"), field("kind", "ConfigMap"), field("metadata", s.meta("")),
			field("data", object{field("plan.yaml", string(plan)), field("sweep.json", settings)}),
		},
		"1-runs.yaml":        s.job("runs", s.phase(Runs)),
		"2-evaluations.yaml": s.job("evaluations", s.phase(Evaluations)),
		"3-status.yaml":      s.statusJob(),
	}
	for name, o := range files {
		if job := o[1].Value; job == "Job" && name != "3-status.yaml" {
			if n := len(s.phase(map[string]string{"1-runs.yaml": Runs, "2-evaluations.yaml": Evaluations}[name])); n > mostIndexes {
				return fmt.Errorf("sweep: %d shards in one Job, Kubernetes takes %d: larger blocks are needed", n, mostIndexes)
			}
		}
		text, err := yaml.MarshalWithOptions(o, yaml.UseLiteralStyleIfMultiline(true))
		if err != nil {
			return fmt.Errorf("sweep: %s: %w", name, err)
		}
		if err := put(filepath.Join(dir, name), text); err != nil {
			return err
		}
	}
	return nil
}

// ManifestHelp says how to apply what WriteManifests wrote.
func (s *Sweep) ManifestHelp(dir string) string {
	ns, id := s.namespace(), s.jobName()
	return fmt.Sprintf(`sweep %[1]s: manifests in %[2]s

  kubectl apply -f %[2]s/0-plan.yaml -f %[2]s/1-runs.yaml
  kubectl -n %[3]s wait --for=condition=Complete --timeout=-1s job/%[4]s-runs
  kubectl apply -f %[2]s/2-evaluations.yaml

  kubectl apply -f %[2]s/3-status.yaml && kubectl -n %[3]s logs -f job/%[4]s-status
  kubectl -n %[3]s get pods -l metamers/sweep=%[1]s
  kubectl -n %[3]s delete job,configmap -l metamers/sweep=%[1]s     # stop; runs stay

To go on after a change or a failure: delete, then apply again; what the store holds is
not computed again.
`, s.ID(), dir, ns, id)
}

func (s *Sweep) namespace() string {
	if ns := s.Plan.Sweep.Kubernetes.Namespace; ns != "" {
		return ns
	}
	return "default"
}

func (s *Sweep) phase(name string) (out []Shard) {
	for _, sh := range s.Shards {
		if sh.Phase == name {
			out = append(out, sh)
		}
	}
	return out
}

func (s *Sweep) meta(suffix string) object {
	return object{field("name", s.jobName()+suffix), field("namespace", s.namespace()), field("labels", object{field("metamers/sweep", s.ID())})}
}

// job is an Indexed Job with an index for each shard. A pod's index is added to that
// of the first shard by the shell, since commands expand no arithmetic.
func (s *Sweep) job(suffix string, shards []Shard) object {
	k := s.Plan.Sweep.Kubernetes
	retries := 3
	if k.Retries != nil {
		retries = *k.Retries
	}
	parallel := k.Parallelism
	if parallel == 0 {
		parallel = len(shards)
	}
	// exec, so that the signal that ends a pod reaches the program.
	run := fmt.Sprintf("exec %s sweep shard --from %s --dir %s $((%d + JOB_COMPLETION_INDEX))", quote(s.program()), planMount, quote(s.podDir()), shards[0].Index)
	spec := object{
		field("completionMode", "Indexed"), field("completions", len(shards)), field("parallelism", min(parallel, len(shards))),
		field("backoffLimitPerIndex", retries), field("maxFailedIndexes", len(shards)),
		// A pod that lost its node, or was preempted, is no failure of its shard.
		field("podFailurePolicy", object{field("rules", []object{{field("action", "Ignore"), field("onPodConditions", []object{{field("type", "DisruptionTarget"), field("status", "True")}})}})}),
		field("ttlSecondsAfterFinished", jobTTL),
		field("template", s.pod(run, k.GPUs)),
	}
	return object{field("apiVersion", "batch/v1"), field("kind", "Job"), field("metadata", s.meta("-"+suffix)), field("spec", spec)}
}

func (s *Sweep) statusJob() object {
	run := fmt.Sprintf("exec %s sweep status %s --store %s", quote(s.program()), quote(s.ID()), quote(s.Store))
	return object{field("apiVersion", "batch/v1"), field("kind", "Job"), field("metadata", s.meta("-status")),
		field("spec", object{field("backoffLimit", 0), field("ttlSecondsAfterFinished", 300), field("template", s.pod(run, 0))})}
}

func (s *Sweep) program() string {
	if p := s.Plan.Sweep.Program; p != "" {
		return p
	}
	return "metamers"
}

// podDir is the sweep's folder in a pod: beside the runs on the volume, else in the
// pod's own cache.
func (s *Sweep) podDir() string {
	if strings.Contains(s.Store, "://") {
		return s.Plan.Sweep.Kubernetes.Folder() + "/sweeps/" + s.ID()
	}
	return s.Store + "/.sweeps/" + s.ID()
}

// pod is a pod's template.
func (s *Sweep) pod(run string, gpus int) object {
	k := s.Plan.Sweep.Kubernetes
	mount := k.Folder()
	env := []object{
		{field("name", "POD_NAME"), field("valueFrom", object{field("fieldRef", object{field("fieldPath", "metadata.name")})})},
	}
	set := map[string]string{"METAMERS_CACHE": mount + "/cache", "METAMERS_DATA": mount + "/data"}
	maps.Copy(set, k.Env)
	for _, name := range slices.Sorted(maps.Keys(set)) {
		env = append(env, object{field("name", name), field("value", set[name])})
	}
	limits := object{}
	if gpus > 0 {
		resource := k.GPU
		if resource == "" {
			resource = defaultOfGPUs
		}
		limits = append(limits, field(resource, fmt.Sprint(gpus)))
	}
	requests := object{}
	if k.CPUs != "" {
		requests = append(requests, field("cpu", k.CPUs))
	}
	if k.Memory != "" {
		requests, limits = append(requests, field("memory", k.Memory)), append(limits, field("memory", k.Memory))
	}
	resources := object{}
	if len(limits) > 0 {
		resources = append(resources, field("limits", limits))
	}
	if len(requests) > 0 {
		resources = append(resources, field("requests", requests))
	}
	work := object{field("name", "work")}
	if k.Claim != "" {
		work = append(work, field("persistentVolumeClaim", object{field("claimName", k.Claim)}))
	} else {
		work = append(work, field("emptyDir", object{}))
	}
	container := object{
		field("name", "metamers"), field("image", k.Image), field("command", []string{"/bin/sh", "-c", run}), field("workingDir", mount), field("env", env),
	}
	if k.EnvSecret != "" {
		container = append(container, field("envFrom", []object{{field("secretRef", object{field("name", k.EnvSecret)})}}))
	}
	container = append(container, field("resources", resources), field("volumeMounts", []object{
		{field("name", "work"), field("mountPath", mount)},
		{field("name", "plan"), field("mountPath", planMount), field("readOnly", true)},
	}))
	spec := object{field("restartPolicy", "Never"), field("terminationGracePeriodSeconds", graceSeconds)}
	if len(k.Selector) > 0 {
		selector := object{}
		for _, name := range slices.Sorted(maps.Keys(k.Selector)) {
			selector = append(selector, field(name, k.Selector[name]))
		}
		spec = append(spec, field("nodeSelector", selector))
	}
	spec = append(spec, field("containers", []object{container}), field("volumes", []object{
		work, {field("name", "plan"), field("configMap", object{field("name", s.jobName())})},
	}))
	return object{field("metadata", object{field("labels", object{field("metamers/sweep", s.ID())})}), field("spec", spec)}
}

// Copy makes a sweep's folder from one that has its plan and settings only, unless it
// is there.
func Copy(from, dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "sweep.json")); err == nil {
		return nil
	}
	s, err := Open(from)
	if err != nil {
		return err
	}
	s.Dir = dir
	return s.Write()
}
