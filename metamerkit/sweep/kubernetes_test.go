package sweep

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/ensemble-metamers/metamers/metamerkit/study"
)

// kubernetesSweep is tiny's plan with all settings of Kubernetes.
func kubernetesSweep(t *testing.T) *Sweep {
	t.Helper()
	s := tiny(t)
	three := 3
	s.Plan.Sweep.Kubernetes = study.Kubernetes{
		Image: "registry.example/metamers:1", Namespace: "vision", GPUs: 1, CPUs: "4", Memory: "16Gi", Parallelism: 8, Retries: &three, Claim: "runs",
		Env: map[string]string{"HF_HOME": "/metamers/hub"}, EnvSecret: "object-store", Selector: map[string]string{"gpu": "h100"},
	}
	var err error
	if s.Store, err = s.Plan.Sweep.Kubernetes.Store("runs"); err != nil {
		t.Fatal(err)
	}
	return s
}

// tools/manifests holds what is written here against the schemas of Kubernetes.
func TestManifests(t *testing.T) {
	dir := os.Getenv("METAMERS_MANIFESTS")
	if dir == "" {
		dir = t.TempDir()
	}
	if err := kubernetesSweep(t).WriteManifests(dir); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) != 4 {
		t.Error(files, err)
	}
}

// A pod finds its shard: the command in the manifest, read as the shell does, names
// every shard of its phase once, and the ConfigMap holds the sweep.
func TestPodsFindTheirShards(t *testing.T) {
	s, dir := kubernetesSweep(t), t.TempDir()
	if err := s.WriteManifests(dir); err != nil {
		t.Fatal(err)
	}
	type manifest struct {
		Data map[string]string `yaml:"data"`
		Spec struct {
			Completions int `yaml:"completions"`
			Template    struct {
				Spec struct {
					Containers []struct {
						Command []string `yaml:"command"`
					} `yaml:"containers"`
				} `yaml:"spec"`
			} `yaml:"template"`
		} `yaml:"spec"`
	}
	read := func(name string) (m manifest) {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	from, in := t.TempDir(), filepath.Join(t.TempDir(), "sweep")
	for name, text := range read("0-plan.yaml").Data {
		if err := os.WriteFile(filepath.Join(from, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second pod finds it there
		if err := Copy(from, in); err != nil {
			t.Fatal(err)
		}
	}
	copied, err := Open(in)
	if err != nil || len(copied.Shards) != len(s.Shards) || copied.Store != "/metamers/runs" {
		t.Fatalf("%+v %v", copied, err)
	}
	seen := map[string]bool{}
	for _, name := range []string{"1-runs.yaml", "2-evaluations.yaml"} {
		m := read(name)
		command := m.Spec.Template.Spec.Containers[0].Command
		line := strings.Replace(command[2], "exec 'metamers'", "echo", 1)
		for index := range m.Spec.Completions {
			c := exec.Command(command[0], command[1], line)
			c.Env = []string{"JOB_COMPLETION_INDEX=" + string(rune('0'+index%10))}
			if index > 9 {
				c.Env = []string{"JOB_COMPLETION_INDEX=1" + string(rune('0'+index%10))}
			}
			out, err := c.Output()
			if err != nil {
				t.Fatal(err)
			}
			f := strings.Fields(string(out))
			seen[f[len(f)-1]] = true
			if want := "--dir /metamers/runs/.sweeps/" + s.ID(); !strings.Contains(string(out), want) {
				t.Errorf("%s lacks %s", out, want)
			}
		}
	}
	if len(seen) != len(s.Shards) || !seen["0"] || !seen["15"] {
		t.Errorf("the pods do %v", seen)
	}
	s.Plan.Sweep.Kubernetes.Image = ""
	if err := s.WriteManifests(dir); err == nil || !strings.Contains(err.Error(), "image") {
		t.Error(err)
	}
	if _, err := (study.Kubernetes{}).Store("runs"); err == nil || !strings.Contains(err.Error(), "claim") {
		t.Error(err)
	}
}
