package answers

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/people"
	"github.com/ensemble-metamers/metamers/metamerkit/people/peopletest"
)

// table is jsPsych's data with other columns, as a host gives them: two participants, of
// whom the first reloaded the page, which a host takes for another run.
func table(d *people.Design) string {
	rows := func(p int) []string {
		text := peopletest.File(d, p, func(i int) int { return d.Stimuli[i].Answer })
		return strings.Split(strings.TrimSuffix(text, "\n"), "\n")[1:]
	}
	one, two := rows(1), rows(2)
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	w.Write([]string{"run_id", "stimulus", column, "condition"})
	w.Write([]string{"1", "<p>Consent,\n\"please\"</p>", "", ""})
	run := func(id string, rows []string) {
		for _, r := range rows {
			w.Write([]string{id, "7", r, "A"})
		}
	}
	run("1", one[:6])
	run("2", two)
	run("3", one[6:])
	w.Flush()
	return b.String()
}

func archive(t *testing.T, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What hosts give is read like the page's own files, or is an error that names its place.
func TestSources(t *testing.T) {
	d := design(t, nil)
	file := func(p int) string { return peopletest.File(d, p, func(i int) int { return d.Stimuli[i].Answer }) }
	whole := table(d)
	dir := t.TempDir()
	for name, c := range map[string]struct{ text, want string }{
		"table":        {whole, ""},
		"lines":        {file(1) + "\n" + file(2) + "\n", ""}, // as JATOS joins results
		"from Windows": {strings.ReplaceAll(file(1)+file(2), "\n", "\r\n"), ""},
		"archive":      {archive(t, map[string]string{"metadata.json": "{}", "study_result_1/comp-result_1/data.txt": file(1), "study_result_2/comp-result_2/data.txt": file(2)}), ""},
		"edited":       {strings.Replace(whole, ",trial,", ",catch,", 1), "its checksum"},
		"a row less":   {strings.Replace(whole, strings.SplitAfter(whole, "\r\n")[4], "", 1), "its checksum"},
		"not a row":    {strings.Replace(whole, "\"<p>", "\"<p>\",x\r\n1,\"", 1), "line 2"},
		"no rows":      {strings.SplitAfter(whole, "\r\n")[0], "no data"},
		"empty line":   {strings.Replace(file(1), "\n", "\n\n", 1), "line 2: it is no line of CSV"},
		"not data":     {archive(t, map[string]string{"metadata.json": "{}"}), "no .csv or .txt"},
		"cut archive":  {archive(t, map[string]string{"data.txt": file(1)})[:300], "zip"},
		"cut member":   {archive(t, map[string]string{"data.txt": file(1)[:700]}), "data.txt: line"},
		"other column": {strings.Replace(whole, column, "my_"+column, 1), "no column " + column},
	} {
		path := filepath.Join(dir, "x.csv")
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		data, err := Load(d, []string{path})
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "x.csv") && name != "no rows" {
				t.Errorf("%s: error %v, expected one with %q", name, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, p := range data.Participants {
			if !p.Complete || len(p.Trials) != len(d.Schedules[0]) {
				t.Errorf("%s: participant %s has %d trials, complete: %v", name, p.Name, len(p.Trials), p.Complete)
			}
		}
		if len(data.Participants) != 2 {
			t.Errorf("%s: %d participants, expected 2", name, len(data.Participants))
		}
	}
}
