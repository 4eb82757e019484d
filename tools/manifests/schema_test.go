// Package manifests holds Kubernetes manifests against the published schemas.
package manifests

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"
)

// schemas are the OpenAPI schemas of a Kubernetes version, which kubectl-validate's
// module carries as they are published. Objects take no fields but those they name, as
// the server does under strict validation.
func schemas(t *testing.T, version, group string) *jsonschema.Compiler {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kubectl-validate").Output()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "pkg/openapiclient/builtins", version, group+".json"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range doc.(map[string]any)["components"].(map[string]any)["schemas"].(map[string]any) {
		s := s.(map[string]any)
		if s["properties"] != nil && s["additionalProperties"] == nil {
			s["additionalProperties"] = false
		}
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4)
	if err := c.AddResource("https://k8s/openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	return c
}

// check validates one manifest.
func check(t *testing.T, c map[string]*jsonschema.Compiler, text []byte) error {
	t.Helper()
	data, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return err
	}
	var kind struct{ APIVersion, Kind string }
	if err := json.Unmarshal(data, &kind); err != nil {
		return err
	}
	group, name := "api/v1", "io.k8s.api.core.v1."+kind.Kind
	if kind.APIVersion == "batch/v1" {
		group, name = "apis/batch/v1", "io.k8s.api.batch.v1."+kind.Kind
	}
	schema, err := c[group].Compile("https://k8s/openapi.json#/components/schemas/" + name)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

// What metamers sweep --on kubernetes writes is valid by the schemas of Kubernetes
// 1.28 (the first with backoffLimitPerIndex) to 1.30, and these do find mistakes.
func TestManifests(t *testing.T) {
	dir := os.Getenv("METAMERS_MANIFESTS")
	if dir == "" {
		t.Skip("no manifests: scripts/test-manifests.sh makes them")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) != 4 {
		t.Fatal(files, err)
	}
	for _, version := range []string{"1.28", "1.29", "1.30"} {
		c := map[string]*jsonschema.Compiler{"api/v1": schemas(t, version, "api/v1"), "apis/batch/v1": schemas(t, version, "apis/batch/v1")}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if err := check(t, c, text); err != nil {
				t.Errorf("Kubernetes %s: %s: %v", version, filepath.Base(f), err)
			}
			if filepath.Base(f) != "1-runs.yaml" {
				continue
			}
			for old, bad := range map[string]string{
				"backoffLimitPerIndex: 3": "backoffLimitPerIndex: three", "completionMode:": "completionMood:", "restartPolicy:": "restartPolicies:",
				"name: metamers\n": "name: [metamers]\n", "mountPath:": "mountpath:", "action: Ignore": "actions: Ignore", "fieldPath:": "path:",
			} {
				broken := strings.Replace(string(text), old, bad, 1)
				if broken == string(text) {
					t.Errorf("the manifest has no %q", old)
				} else if err := check(t, c, []byte(broken)); err == nil {
					t.Errorf("Kubernetes %s: %q is taken for valid", version, bad)
				}
			}
		}
	}
	old := map[string]*jsonschema.Compiler{"apis/batch/v1": schemas(t, "1.27", "apis/batch/v1")}
	text, err := os.ReadFile(filepath.Join(dir, "1-runs.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := check(t, old, text); err == nil || !strings.Contains(err.Error(), "backoffLimitPerIndex") {
		t.Errorf("Kubernetes 1.27 takes backoffLimitPerIndex: %v", err)
	}
}
