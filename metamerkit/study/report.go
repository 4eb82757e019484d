package study

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	xdraw "golang.org/x/image/draw"

	"github.com/ensemble-metamers/metamers/metamerkit/claims"
	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

//go:embed index.html.tmpl
var indexText string

var index = template.Must(template.New("index").Parse(indexText))

// Write leaves the whole result in dir: figures as PNG, SVG and PDF, tables as
// Markdown, LaTeX and CSV, a contact sheet a model set, rows.csv, and index.html, which
// shows all of it and needs no other file. Figures that cannot be drawn are named in the
// page and returned as warnings.
func (r *Result) Write(dir string) (warnings []string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("study: %w", err)
	}
	page := page{Result: r, Kind: "Metamers", Made: r.told(time.Now()), Paper: Paper, Summary: r.summary()}
	if slices.ContainsFunc(r.Plan.Sets, ensemble) {
		page.Kind = "Ensemble metamers"
	}
	sheets, err := r.distortionSheets(dir)
	if err != nil {
		return nil, err
	}
	page.Directions = sheets
	asked := r.Available(slices.Concat(drawn, TableNames))
	page.LeftOut = r.leftOut(asked)
	saved, warnings, err := r.Save(dir, asked, []string{"png", "svg", "pdf", "md", "tex", "csv"}, 0)
	if err != nil {
		return warnings, err
	}
	page.Missing = warnings
	for _, name := range asked {
		if slices.Contains(drawn, name) {
			f, err := r.Figure(name)
			if err != nil {
				continue // Save has warned of it
			}
			data, err := os.ReadFile(filepath.Join(dir, name+".png"))
			if err != nil {
				return warnings, fmt.Errorf("study: %w", err)
			}
			s := shown{f, dataURL("image/png", data), strings.TrimPrefix(f.Name, "figure")}
			if name == lossesName {
				page.Losses = &s
			} else {
				page.Figures = append(page.Figures, s)
			}
			continue
		}
		t, err := r.Table(name)
		if err != nil {
			return warnings, err
		}
		s := &shownTable{t, template.HTML(t.HTML())}
		switch name {
		case matchName:
			page.Match = s
		case distortionsName:
			page.Distorted = s
		case "claims":
			page.Claims = s
		case claimsByPeople, peopleAndNetworks:
			page.People = append(page.People, s)
		default:
			page.Tables = append(page.Tables, s)
		}
	}
	list, err := r.Claims()
	if err != nil {
		return warnings, err
	}
	page.Untested = claims.Untested(list)
	if page.Claims != nil {
		page.Compared = r.compared()
	}
	if page.Thumbnails, page.More, err = r.thumbnails(); err != nil {
		return warnings, err
	}
	if page.Sheets, err = r.sheets(dir); err != nil {
		return warnings, err
	}
	if err := metamer.SaveRows(filepath.Join(dir, rowsName), r.Rows); err != nil {
		return warnings, err
	}
	var b strings.Builder
	if err := index.Execute(&b, page); err != nil {
		return warnings, fmt.Errorf("study: index.html: %w", err)
	}
	if err := put(filepath.Join(dir, "index.html"), b.String()); err != nil {
		return warnings, err
	}
	files := []string{"index.html", rowsName, recordName}
	for _, path := range saved {
		files = append(files, filepath.Base(path))
	}
	for _, s := range slices.Concat(page.Sheets, page.Directions) {
		files = append(files, s.File)
	}
	before := recorded(dir)
	gone, err := tidy(dir, before.Files, files)
	if len(gone) > 0 {
		warnings = append(warnings, fmt.Sprintf("%s: removed files of the earlier page of plan %s that this page does not have: %s", dir, before.Plan.Name, strings.Join(gone, ", ")))
	}
	if err != nil {
		return warnings, err
	}
	return warnings, r.record(dir, files)
}

// page is what the template shows.
type page struct {
	*Result
	Summary       string
	Losses        *shown
	Figures       []shown
	Match, Claims *shownTable
	Distorted     *shownTable   // sensitivities to distortions
	Directions    []sheet       // of distortions
	People        []*shownTable // claims by people, and how networks compare
	Tables        []*shownTable
	Thumbnails    []thumbnail
	More          string // images without one
	Sheets        []sheet
	Untested      string // claims that are not tested
	Compared      string // of how many metamers those are that are
	Kind, Made    string // of metamers; when and how long they were made
	Paper         string
	Missing       []string
	LeftOut       []string // figures that the plan does not ask for or cannot have
}

type shown struct {
	*figures.Figure
	Data   template.URL
	Number string
}

type shownTable struct {
	*figures.Table
	Body template.HTML
}

// thumbnail is a reference image, sheet a contact sheet and the file that it is.
type (
	thumbnail struct {
		Name string
		Data template.URL
	}
	sheet struct {
		Set, File string
		Data      template.URL
	}
)

// leftOut says which figures are not shown, and why.
func (r *Result) leftOut(asked []string) (out []string) {
	reasons := map[string][]string{}
	var order []string
	for _, name := range FigureNames {
		if slices.Contains(asked, name) {
			continue
		}
		why := "the plan does not measure them"
		switch {
		case name == "figure8":
			continue // only plans with pairs have it
		case (name == "figure6" || name == "figure7") && !slices.ContainsFunc(r.Plan.Sets, single):
			why = "the plan has no single models"
		case (name == "figure6" || name == "figure7") && !slices.ContainsFunc(r.Plan.Sets, ensemble):
			why = "the plan has no ensembles, so that Figures 4 and 5 would be the same"
		case (name == "figure5" || name == "figure7") && r.withheld() != "":
			why = r.withheld()
		}
		order = once(order, why)
		reasons[why] = append(reasons[why], strings.TrimPrefix(name, "figure"))
	}
	for _, why := range order {
		n := reasons[why]
		out = append(out, fmt.Sprintf("%s %s left out: %s.", english.PluralWord(len(n), "Figure", "")+" "+english.WordSeries(n, "and"), english.PluralWord(len(n), "is", "are"), why))
	}
	return out
}

// The largest number of thumbnails and their side, and the width of a contact sheet.
const (
	mostThumbnails = 48
	thumbnailSide  = 96
	sheetWidth     = 960
)

// thumbnails are small pictures of the references, and more says how many have none.
func (r *Result) thumbnails() (out []thumbnail, more string, err error) {
	each := max(r.Images.Copies, 1) // of variants one
	for i := 0; i < min(r.Images.Len(), mostThumbnails*each); i += each {
		n := r.Images.Size
		img := image.NewRGBA(image.Rect(0, 0, n, n))
		for p, px := 0, r.Images.Image(i); p < n*n; p++ {
			b := func(c int) uint8 { return uint8(min(max(px[3*p+c], 0), 1)*255 + 0.5) }
			img.SetRGBA(p%n, p/n, color.RGBA{b(0), b(1), b(2), 255})
		}
		var buf bytes.Buffer
		if err := png.Encode(&buf, shrunk(img, thumbnailSide)); err != nil {
			return nil, "", fmt.Errorf("study: thumbnail of %s: %w", r.Images.Names[i], err)
		}
		out = append(out, thumbnail{r.Images.Names[i], dataURL("image/png", buf.Bytes())})
	}
	if rest := r.Images.Len()/each - len(out); rest > 0 {
		more = fmt.Sprintf("and %s", english.Plural(rest, "other", ""))
	}
	return out, more, nil
}

// sheets writes a contact sheet of each model set and returns them in small.
func (r *Result) sheets(dir string) (out []sheet, err error) {
	for _, set := range r.Plan.Sets {
		var runs []*metamer.Run
		for _, stage := range r.Plan.Stages {
			for _, run := range r.Runs {
				if run.Recipe.Stage == stage && slices.Equal(run.Recipe.ModelNames(), set) {
					runs = append(runs, run)
				}
			}
		}
		if runs == nil {
			continue
		}
		img, err := figures.Contact(fmt.Sprintf("Metamers of %s for {%s}", r.Images.Name, strings.Join(set, ", ")), r.Images, runs...)
		if err != nil {
			return nil, err
		}
		s, err := writeSheet(dir, "sheet_"+strings.Join(set, "_"), r.Study().Label(set), img)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// fileName takes out of names of models and layers what a file name cannot have.
var fileName = strings.NewReplacer("/", "-", `\`, "-", ":", "-")

// writeSheet writes a picture as PNG and returns it in small, with its label.
func writeSheet(dir, name, label string, img image.Image) (sheet, error) {
	name = fileName.Replace(name) + ".png"
	var full, small bytes.Buffer
	if err := png.Encode(&full, img); err != nil {
		return sheet{}, fmt.Errorf("study: %s: %w", name, err)
	}
	if err := jpeg.Encode(&small, shrunk(img, sheetWidth), &jpeg.Options{Quality: 85}); err != nil {
		return sheet{}, fmt.Errorf("study: %s: %w", name, err)
	}
	if err := paths.WriteBytes(filepath.Join(dir, name), full.Bytes()); err != nil {
		return sheet{}, fmt.Errorf("study: %w", err)
	}
	return sheet{label, name, dataURL("image/jpeg", small.Bytes())}, nil
}

// shrunk is an image no wider than w.
func shrunk(img image.Image, w int) image.Image {
	b := img.Bounds()
	if b.Dx() <= w {
		return img
	}
	out := image.NewRGBA(image.Rect(0, 0, w, b.Dy()*w/b.Dx()))
	xdraw.CatmullRom.Scale(out, out.Bounds(), img, b, xdraw.Src, nil)
	return out
}

func dataURL(kind string, data []byte) template.URL {
	return template.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(data))
}

// put writes a file under its name when it is whole.
func put(path, text string) error {
	if err := paths.WriteBytes(path, []byte(text)); err != nil {
		return fmt.Errorf("study: %w", err)
	}
	return nil
}
