package runs

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// An archive of runs for publication is a zip file that is an RO-Crate 1.1
// (https://w3id.org/ro/crate/1.1): runs/<id>/ as in a store, with its rows,
// environment.json, and ro-crate-metadata.json, which describes each file and gives its
// SHA-256.

// Crate is the metadata of an archive.
type Crate struct {
	Name        string   // default: Metamers, with the number of runs
	Description string   // default: models, stages and images of the runs
	License     string   // a URL or a name; "": the archive says that no licence is given
	Authors     []string // names
	Published   time.Time
}

const (
	crateName       = "ro-crate-metadata.json"
	environmentName = "environment.json"
	runsPrefix      = "runs/"
)

type entity map[string]any

func ref(id string) entity { return entity{"@id": id} }

// Export writes runs as an archive. Every file is verified while it is copied; a damaged
// run is an error, and then no archive is left.
func (s *Store) Export(ctx context.Context, path string, ids []string, c Crate) error {
	if len(ids) == 0 {
		return fmt.Errorf("runs: no run to export in %s", s.Where())
	}
	return paths.WriteFile(path, func(f *os.File) error {
		z := zip.NewWriter(f)
		g := &graph{z: z}
		for _, id := range ids {
			if err := ctx.Err(); err != nil {
				return err
			}
			run, err := s.LoadContext(ctx, id)
			if err != nil {
				return err
			}
			if err := g.run(run); err != nil {
				return fmt.Errorf("runs: exporting run %s: %w", id, err)
			}
		}
		if err := g.finish(c); err != nil {
			return err
		}
		return z.Close()
	})
}

// graph is the archive under way and what is said of it.
type graph struct {
	z        *zip.Writer
	entities []entity
	parts    []entity
	sets     []string
	versions map[string]string
	backends []string
	runs     int
}

func (g *graph) add(name string, data []byte, e entity) (entity, error) {
	if err := packReader(g.z, name, bytes.NewReader(data)); err != nil {
		return nil, err
	}
	e["@id"], e["@type"], e["contentSize"], e["sha256"] = name, "File", fmt.Sprint(len(data)), digest(data)
	e["encodingFormat"] = mediaType(name)
	g.entities = append(g.entities, e)
	return ref(name), nil
}

func mediaType(name string) string {
	switch filepath.Ext(name) {
	case ".json":
		return "application/json"
	case ".csv":
		return "text/csv"
	case ".png":
		return "image/png"
	}
	return "application/octet-stream" // safetensors has no registered type
}

var described = map[string]string{
	"recipe.json":          "Everything that determines the run; its hash is the run's name",
	"evidence.json":        "Match statistics and verdict of every image and model, and the null distribution",
	"trace.csv":            "Inversion loss by step, model and image",
	"metamers.safetensors": "The metamers, float32 in [0,1], RGB, [N,Size,Size,3]",
	"start.safetensors":    "The initial images, likewise",
	"contact.png":          "Contact sheet: references and metamers",
	"loss.png":             "Plot of the inversion loss",
	manifestName:           "SHA-256 of the run's files",
}

func (g *graph) run(run *metamer.Run) error {
	m, err := readManifest(run.Dir)
	if err != nil {
		return err
	}
	base := runsPrefix + run.ID + "/"
	var files []entity
	put := func(name, what, want string) error {
		data, err := os.ReadFile(filepath.Join(run.Dir, name))
		if err != nil {
			return err
		}
		if want != "" && !strings.HasPrefix(digest(data), want) {
			return &CorruptError{Dir: run.Dir, Problem: fmt.Sprintf("%s has the SHA-256 %s, expected %s", name, digest(data), want)}
		}
		e := entity{"name": name}
		if what != "" {
			e["description"] = what
		}
		r, err := g.add(base+name, data, e)
		files = append(files, r)
		return err
	}
	for _, name := range m.listed() {
		what := described[name]
		if strings.HasPrefix(name, "previews/") {
			what = "A metamer, rounded to 8 bits"
		}
		if err := put(name, what, m.Files[name]); err != nil {
			return err
		}
	}
	rows, err := fs.Glob(os.DirFS(run.Dir), "rows/*.csv")
	if err != nil {
		return err
	}
	for _, name := range rows {
		m := rowsForm.FindStringSubmatch(filepath.Base(name))
		if m == nil {
			continue
		}
		if err := put(name, "Rows of an evaluation: one value a line", m[2]); err != nil {
			return err
		}
	}
	r := run.Recipe
	title := fmt.Sprintf("Metamers of %d images of %s for {%s} at %s%s", r.Images.Count, r.Images.Name, strings.Join(r.ModelNames(), ", "), r.Stage, r.Opponents())
	var models []entity
	for _, ref := range r.Tapped() {
		models = append(models, entity{"@id": "#model-" + ref.Name + "-" + ref.SHA256})
		g.once(entity{"@id": "#model-" + ref.Name + "-" + ref.SHA256, "@type": "CreativeWork", "name": ref.Name, "identifier": "sha256:" + ref.SHA256,
			"description": "A neural network; the identifier is of its weight file"})
	}
	images := "#images-" + r.Images.SHA256
	g.once(entity{"@id": images, "@type": "CreativeWork", "name": r.Images.Name, "identifier": "sha256:" + r.Images.SHA256,
		"description": fmt.Sprintf("The %d reference images of %d² pixels; they are not in the archive", r.Images.Count, r.Images.Size)})
	g.entities = append(g.entities,
		entity{"@id": base, "@type": "Dataset", "name": title, "identifier": run.ID, "hasPart": files,
			"description": fmt.Sprintf("%d steps of %s, %s", run.StepsRun, r.Optimizer.Name, run.Verdict())},
		entity{"@id": "#synthesis-" + run.ID, "@type": "CreateAction", "name": title, "instrument": ref("#metamers"), "object": append(models, ref(images)), "result": ref(base)})
	g.parts = append(g.parts, ref(base))
	if set := strings.Join(r.ModelNames(), "+") + " " + r.Stage; !slices.Contains(g.sets, set) {
		g.sets = append(g.sets, set)
	}
	if g.versions == nil {
		g.versions = map[string]string{}
	}
	maps.Copy(g.versions, r.Versions)
	if !slices.Contains(g.backends, r.Backend) {
		g.backends = append(g.backends, r.Backend)
	}
	g.runs++
	return nil
}

// once adds an entity that several runs share.
func (g *graph) once(e entity) {
	if !slices.ContainsFunc(g.entities, func(o entity) bool { return o["@id"] == e["@id"] }) {
		g.entities = append(g.entities, e)
	}
}

// Environment is the file environment.json of an archive: the software that made the runs,
// from their recipes, and the software that exported them.
type Environment struct {
	MadeWith map[string]string `json:"madeWith"`
	Backends []string          `json:"backends"`
	Exported struct {
		Go, OS, Arch string
		Modules      map[string]string
	} `json:"exportedBy"`
}

func (g *graph) finish(c Crate) error {
	env := Environment{MadeWith: g.versions, Backends: g.backends}
	env.Exported.Go, env.Exported.OS, env.Exported.Arch = runtime.Version(), runtime.GOOS, runtime.GOARCH
	version := "unknown"
	if b, ok := debug.ReadBuildInfo(); ok {
		env.Exported.Modules = map[string]string{b.Main.Path: b.Main.Version}
		version = b.Main.Version
		for _, d := range b.Deps {
			env.Exported.Modules[d.Path] = d.Version
		}
	}
	text, err := json.MarshalIndent(env, "", "  ")
	if err != nil {
		return err
	}
	r, err := g.add(environmentName, append(text, '\n'), entity{"name": environmentName, "description": "Software that the runs were made with, and the program that exported them"})
	if err != nil {
		return err
	}
	if c.Published.IsZero() {
		c.Published = time.Now()
	}
	root := entity{
		"@id": "./", "@type": "Dataset", "name": c.Name, "description": c.Description, "datePublished": c.Published.UTC().Format(time.DateOnly),
		"hasPart": append(g.parts, r), "license": c.License,
	}
	if c.Name == "" {
		root["name"] = fmt.Sprintf("Metamers: %d runs", g.runs)
	}
	if c.Description == "" {
		root["description"] = "Metamers of neural networks, by model set and stage: " + strings.Join(g.sets, "; ")
	}
	switch {
	case c.License == "":
		root["license"] = "No licence is named"
	case strings.Contains(c.License, "://"):
		root["license"] = ref(c.License)
		g.once(entity{"@id": c.License, "@type": "CreativeWork", "name": c.License})
	}
	var people []entity
	for i, name := range c.Authors {
		id := fmt.Sprintf("#author-%d", i+1)
		people = append(people, ref(id))
		g.once(entity{"@id": id, "@type": "Person", "name": name})
	}
	if people != nil {
		root["author"] = people
	}
	g.once(entity{"@id": "#metamers", "@type": "SoftwareApplication", "name": "metamers", "softwareVersion": version,
		"url": "https://github.com/ensemble-metamers/metamers", "description": "Metamers and ensemble metamers of neural networks"})
	doc := entity{
		// The context of RO-Crate 1.1 has no term for a file's sum.
		"@context": []any{"https://w3id.org/ro/crate/1.1/context", entity{"sha256": "https://schema.org/sha256"}},
		"@graph": append([]entity{
			{"@id": crateName, "@type": "CreativeWork", "conformsTo": ref("https://w3id.org/ro/crate/1.1"), "about": ref("./")}, root,
		}, g.entities...),
	}
	data, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return err
	}
	return packReader(g.z, crateName, bytes.NewReader(append(data, '\n')))
}
