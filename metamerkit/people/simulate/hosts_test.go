package simulate

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/ensemble-metamers/metamers/metamerkit/people"
	"github.com/ensemble-metamers/metamers/metamerkit/people/answers"
	"github.com/ensemble-metamers/metamers/metamerkit/people/page"
	"github.com/ensemble-metamers/metamers/metamerkit/people/peopletest"
)

// The hosts cannot be had here without an account. These tests have their documented parts:
// what the page calls, what they keep and what they give back.

// host is a host's server, with what it keeps.
type host struct {
	mu    sync.Mutex
	texts map[string]string // results by name, the runs' or the files'
	ended []string
	shut  string // a path that is refused
}

func newHost() *host { return &host{texts: map[string]string{}} }

func (h *host) keep(name, text string) (again bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, again = h.texts[name]
	h.texts[name] = text
	return again
}

// kept returns what was kept.
func (h *host) kept() (texts map[string]string, ended []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.texts), slices.Clone(h.ended)
}

func (h *host) shutDown(path string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shut = path
}

func (h *host) isShut(path string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.shut == path
}

// exportFor makes an experiment and exports it. The settings are those of other tests, with
// the calibration, whose row comes between jsPsych's own columns.
func exportFor(t *testing.T, name, id string) (d *people.Design, out string) {
	t.Helper()
	folder, d := experiment(t, peopletest.Source(16), func(d *people.Design) { d.Display.Calibrate = true })
	out = filepath.Join(t.TempDir(), "exported.jzip") // the name of a folder for other hosts
	if err := page.Export(folder, name, id, out); err != nil {
		t.Fatal(err)
	}
	return d, out
}

// takePart has participants answer at addresses; stimuli differ in whether they are right.
func takePart(t *testing.T, b *Browser, d *people.Design, addresses ...string) *Participants {
	t.Helper()
	s := &Participants{Design: d, Choices: make([]int, len(d.Stimuli))}
	for i, st := range d.Stimuli {
		s.Choices[i] = (st.Answer + i%2) % len(d.Choices)
	}
	if err := s.Run(context.Background(), b, addresses, 1, func() {}); err != nil {
		t.Fatal(err)
	}
	return s
}

// same reads data back and compares them with the answers.
func same(t *testing.T, s *Participants, names []string, files ...string) {
	t.Helper()
	data, err := answers.Load(s.Design, files)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range data.Participants {
		got = append(got, p.Name)
		if !p.Complete || len(p.Trials) != len(s.Design.Schedules[0]) {
			t.Errorf("%s: participant %s has %d trials, complete: %v", files, p.Name, len(p.Trials), p.Complete)
		}
		for _, tr := range p.Trials {
			if tr.Choice != s.Choices[tr.Stimulus] {
				t.Errorf("%s: stimulus %d: choice %d was read, %d given", files, tr.Stimulus, tr.Choice, s.Choices[tr.Stimulus])
			}
		}
	}
	if names != nil && !slices.Equal(got, names) || len(got) != 2 {
		t.Errorf("%s: participants %q were read, expected %q", files, got, names)
	}
}

// write writes a file of a test.
func write(t *testing.T, dir, name string, data []byte) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

const jatosJS = `// The part of https://www.jatos.org/jatos.js-Reference.html that the page uses.
var jatos = {
  onLoad: f => setTimeout(() => { jatos.studyResultId = Number(location.pathname.split("/")[2]); f(); }, 20),
  submitResultData: data => fetch("resultData", { method: "PUT", body: data }),
  endStudyWithoutRedirect: () => fetch("end", { method: "POST" })
};`

// A JATOS study: the archive is as JATOS imports it, a run's ID is the participant, and
// both exports of results are read.
func TestJATOS(t *testing.T) {
	b := browser(t, 800, 700)
	d, archive := exportFor(t, "jatos", "")
	z, err := zip.OpenReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	study := t.TempDir()
	if err := os.CopyFS(study, z); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(study) // JATOS takes an archive of one folder and one .jas file
	if err != nil || len(entries) != 2 || !entries[0].IsDir() || entries[1].Name() != entries[0].Name()+".jas" {
		t.Fatalf("the archive has %v at the top, expected a folder and its .jas file (%v)", entries, err)
	}
	var jas struct {
		Version string
		Data    struct {
			UUID, DirName, Title string
			ComponentList        []struct {
				UUID, HTMLFilePath string
				Active, Reloadable bool
			}
			BatchList []struct{ AllowedWorkerTypes []string }
		}
	}
	text, err := os.ReadFile(filepath.Join(study, entries[1].Name()))
	if err != nil || json.Unmarshal(text, &jas) != nil {
		t.Fatalf("%s: %v", text, err)
	}
	c := jas.Data.ComponentList
	if jas.Version != "3" || jas.Data.DirName != entries[0].Name() || len(jas.Data.UUID) != 36 || len(c) != 1 || len(c[0].UUID) != 36 || !c[0].Active || !c[0].Reloadable || len(jas.Data.BatchList) != 1 {
		t.Fatalf("the study is %+v", jas)
	}
	h := newHost()
	assets := http.FileServer(http.Dir(filepath.Join(study, jas.Data.DirName)))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /publix/{run}/{file...}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("file") == "jatos.js" {
			w.Header().Set("Content-Type", "text/javascript")
			io.WriteString(w, jatosJS)
			return
		}
		http.StripPrefix("/publix/"+r.PathValue("run"), assets).ServeHTTP(w, r)
	})
	mux.HandleFunc("PUT /publix/{run}/resultData", func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		h.keep(r.PathValue("run"), string(text))
	})
	mux.HandleFunc("POST /publix/{run}/end", func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.ended = append(h.ended, r.PathValue("run"))
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	at := s.URL + "/publix/%d/" + c[0].HTMLFilePath
	p := takePart(t, b, d, fmt.Sprintf(at, 41), fmt.Sprintf(at, 42))
	texts, ended := h.kept()
	if !slices.Equal(ended, []string{"41", "42"}) {
		t.Errorf("the runs %v were ended", ended)
	}
	dir := t.TempDir()
	same(t, p, []string{"41", "42"}, write(t, dir, "results.txt", []byte(texts["41"]+"\n"+texts["42"]+"\n")))
	var results bytes.Buffer
	w := zip.NewWriter(&results)
	for name, text := range map[string]string{"metadata.json": "{}", "study_result_41/comp-result_50/data.txt": texts["41"], "study_result_42/comp-result_51/data.txt": texts["42"]} {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, text)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	same(t, p, nil, write(t, dir, "results.jrzip", results.Bytes()))
}

// DataPipe's address is its real one, and the name leads to a server here: conditions are
// the schedules, and each participant's file is written once.
func TestDataPipe(t *testing.T) {
	h := newHost()
	conditions := 0
	pipe := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Allow-Headers", "Content-Type")
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodOptions {
			return
		}
		var q struct{ ExperimentID, Filename, Data string }
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || r.Method != http.MethodPost || q.ExperimentID != "abcDEF123456" {
			http.Error(w, `{"error":"INVALID_EXPERIMENT"}`, http.StatusBadRequest)
			return
		}
		switch r.URL.Path {
		case "/api/condition/":
			h.mu.Lock()
			defer h.mu.Unlock()
			fmt.Fprintf(w, `{"message":"Success","condition":%d}`, conditions)
			conditions++
		case "/api/data/":
			if q.Data == "" || h.keep(q.Filename, q.Data) {
				http.Error(w, `{"error":"OSF_FILE_EXISTS"}`, http.StatusBadRequest)
				return
			}
			w.WriteHeader(http.StatusCreated)
			io.WriteString(w, `{"message":"Success"}`)
		}
	}))
	defer pipe.Close()
	b := browser(t, 800, 700, chromedp.Flag("host-resolver-rules", "MAP pipe.jspsych.org "+pipe.Listener.Addr().String()), chromedp.Flag("ignore-certificate-errors", true))
	d, folder := exportFor(t, "datapipe", "abcDEF123456")
	s := httptest.NewServer(http.FileServer(http.Dir(folder)))
	defer s.Close()
	p := takePart(t, b, d, s.URL, s.URL)
	dir := t.TempDir()
	texts, _ := h.kept()
	for name, text := range texts {
		write(t, dir, name, []byte(text))
	}
	same(t, p, nil, dir)
	data, err := answers.Load(d, []string{dir})
	if err != nil {
		t.Fatal(err)
	}
	var schedules []int
	for _, p := range data.Participants {
		schedules = append(schedules, slices.IndexFunc(d.Schedules, func(list []int) bool { return list[0] == p.Trials[0].Stimulus && list[1] == p.Trials[1].Stimulus }))
	}
	if slices.Sort(schedules); !slices.Equal(schedules, []int{0, 1}) {
		t.Errorf("the participants had the schedules %v", schedules)
	}
}

const pavloviaJS = `// The interface of https://pavlovia.org/docs/experiments/create-jsPsych: commands, parameters, and that it goes on after an error.
var jsPsychPavlovia = (function (jsPsych) {
  class PavloviaPlugin {
    constructor(j) { this.j = j; }
    async trial(element, trial) {
      const send = (path, body) => fetch(path, { method: "POST", body }).then(r => { if (!r.ok) throw { context: "when asking " + path, error: "status " + r.status }; });
      try {
        if (trial.command === "init") await send("sessions");
        else await send("results?key=" + trial.participantId, trial.dataFilter(this.j.data.get().csv()));
      } catch (e) { trial.errorCallback(e); }
      this.j.finishTrial();
    }
  }
  const T = jsPsych.ParameterType;
  PavloviaPlugin.info = { name: "pavlovia", version: "2022.1.1", data: {}, parameters: {
    command: { type: T.STRING, default: "init" }, participantId: { type: T.STRING, default: "PARTICIPANT" },
    errorCallback: { type: T.FUNCTION, default: e => { document.body.innerHTML = e; } }, dataFilter: { type: T.FUNCTION, default: data => data } } };
  return PavloviaPlugin;
})(jsPsychModule);`

// Pavlovia's plugin opens a session and takes the participant's file. Where it fails the
// page says so, and at the end it offers the file.
func TestPavlovia(t *testing.T) {
	b := browser(t, 800, 700)
	d, folder := exportFor(t, "pavlovia", "")
	h := newHost()
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServer(http.Dir(folder)))
	mux.HandleFunc("GET /lib/jspsych-7-pavlovia-2022.1.1.js", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		io.WriteString(w, pavloviaJS)
	})
	mux.HandleFunc("POST /{path}", func(w http.ResponseWriter, r *http.Request) {
		if h.isShut(r.PathValue("path")) {
			http.Error(w, "the experiment is not running", http.StatusForbidden)
			return
		}
		if text, _ := io.ReadAll(r.Body); len(text) > 0 {
			h.keep(r.URL.Query().Get("key"), string(text))
		}
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	p := takePart(t, b, d, s.URL+"?participant=7", s.URL+"?participant=8")
	dir := t.TempDir()
	texts, _ := h.kept()
	for name, text := range texts {
		write(t, dir, name+".csv", []byte(text))
	}
	same(t, p, []string{"7", "8"}, dir)

	h.shutDown("sessions")
	if err := p.Run(context.Background(), b, []string{s.URL}, 1, func() {}); err == nil || !strings.Contains(err.Error(), "Pavlovia: status 403") {
		t.Errorf("no session: %v", err)
	}
	h.shutDown("results")
	one, err := b.Page(d, s.URL+"?participant=9")
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	ctx := context.Background()
	if err := one.Participate(ctx, func(i int) int { return p.Choices[i] }); err != nil {
		t.Fatal(err)
	}
	got, err := Evaluate[[]string](ctx, one, `(async () => [document.body.innerText, await (await fetch(document.querySelector("a.data").href)).text()])()`)
	if err != nil || !strings.Contains(got[0], "The answers could not be sent (Pavlovia: status 403)") {
		t.Fatalf("the page says %q, %v", got, err)
	}
	same(t, p, []string{"7", "9"}, filepath.Join(dir, "7.csv"), write(t, t.TempDir(), "saved.csv", []byte(got[1])))
}

// cognition.run puts a source after its own jsPsych, without folders for stimuli, and keeps
// jsPsych's data, of which it makes a table of all runs with columns of its own.
func TestCognition(t *testing.T) {
	b := browser(t, 800, 700)
	d, folder := exportFor(t, "cognition.run", "")
	task, err := os.ReadFile(filepath.Join(folder, "task.js"))
	if err != nil {
		t.Fatal(err)
	}
	external, err := os.ReadDir(filepath.Join(folder, "external"))
	if err != nil {
		t.Fatal(err)
	}
	js, err := page.JSPsych(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	html := `<!DOCTYPE html><html><head><meta charset="utf-8"><link rel="icon" href="data:,"><script src="jspsych.js"></script><link rel="stylesheet" href="jspsych.css">`
	for _, e := range external {
		switch filepath.Ext(e.Name()) {
		case ".js":
			html += `<script src="external/` + e.Name() + `"></script>`
		case ".css":
			html += `<link rel="stylesheet" href="external/` + e.Name() + `">`
		}
	}
	html += `</head><body><script>var sent = []; { const init = initJsPsych, run = location.search;
		initJsPsych = o => init({ ...o, on_data_update: data => sent.push(fetch("trials" + run, { method: "POST", body: JSON.stringify(data) })) }); }</script><script>` +
		string(task) + `</script></body></html>`
	runs := map[string][]map[string]any{}
	var mu sync.Mutex
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, html) })
	mux.Handle("GET /external/", http.FileServer(http.Dir(folder)))
	for _, name := range []string{"jspsych.js", "jspsych.css"} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(js[name]))
		})
	}
	mux.Handle("GET /", http.FileServer(http.Dir(filepath.Join(folder, "stimuli"))))
	mux.HandleFunc("POST /trials", func(w http.ResponseWriter, r *http.Request) {
		trial := map[string]any{}
		dec := json.NewDecoder(r.Body)
		dec.UseNumber()
		if err := dec.Decode(&trial); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		run := r.URL.Query().Get("participant")
		runs[run] = append(runs[run], trial)
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	p := &Participants{Design: d, Choices: make([]int, len(d.Stimuli))}
	for i, st := range d.Stimuli {
		p.Choices[i] = (st.Answer + i%2) % len(d.Choices)
	}
	ctx := context.Background()
	for _, name := range []string{"3", "4"} {
		one, err := b.Page(d, s.URL+"/?participant="+name)
		if err != nil {
			t.Fatal(err)
		}
		if err := one.Participate(ctx, func(i int) int { return p.Choices[i] }); err != nil {
			t.Fatal(err)
		}
		// The page must not close before its last trial is there.
		if _, err := Evaluate[int](ctx, one, `Promise.all(sent).then(all => all.length)`); err != nil {
			t.Fatal(err)
		}
		one.Close()
	}
	s.Close()
	names := map[string]bool{"run_id": true, "recorded_at": true, "ip": true}
	for _, trials := range runs {
		for _, trial := range trials {
			for name := range trial {
				names[name] = true
			}
		}
	}
	header := slices.Sorted(maps.Keys(names))
	var table bytes.Buffer
	w := csv.NewWriter(&table)
	w.UseCRLF = true
	w.Write(header)
	for _, run := range slices.Sorted(maps.Keys(runs)) {
		slices.SortFunc(runs[run], func(a, b map[string]any) int { return index(t, a) - index(t, b) })
		for _, trial := range runs[run] {
			fields := make([]string, len(header))
			for k, name := range header {
				if v := trial[name]; v != nil {
					fields[k] = fmt.Sprint(v)
				}
			}
			w.Write(fields)
		}
	}
	w.Flush()
	same(t, p, []string{"3", "4"}, write(t, t.TempDir(), "cognition.csv", table.Bytes()))
}

// index is that of a trial in jsPsych's data.
func index(t *testing.T, trial map[string]any) int {
	n, ok := trial["trial_index"].(json.Number)
	if !ok {
		t.Errorf("a trial without an index: %v", trial)
		return 0
	}
	i, err := n.Int64()
	if err != nil {
		t.Error(err)
	}
	return int(i)
}
