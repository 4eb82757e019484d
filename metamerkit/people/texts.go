package people

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// ReadTexts reads consent, instructions and debrief from a YAML file.
func ReadTexts(path string) (t Texts, err error) {
	data, err := paths.ReadText(path)
	if err != nil {
		return t, fmt.Errorf("experiment: %w", err)
	}
	if err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(&t); err != nil {
		return t, fmt.Errorf("experiment: %s: %w; expected the keys consent, instructions (a list of pages) and debrief", path, err)
	}
	return t, nil
}

// withDefaults fills in the texts that are missing.
func (t Texts) withDefaults(d *Design) Texts {
	if t.Consent == "" {
		t.Consent = `<h1>Taking part</h1>
<p>In this study you see images for a short time and say what you saw. Some images look unusual. There is no risk beyond that of looking at a screen.</p>
<p>You may stop at any time by closing this page, without giving a reason. We store your answers, their times, the size of your window and the name of your browser. We store no name, address or other data by which you could be found.</p>
<p>Please agree only if you are at least 18 years old and want to take part.</p>`
	}
	if t.Instructions == nil {
		t.Instructions = []string{
			"<h1>What to do</h1>\n<p>Look at the small cross. " + whatToDo(d) + `</p>
<p>Press the key that stands beside your choice, or click on it. If you are not sure, guess.</p>`,
			`<p>You practise first, and are told what was right. Then the experiment begins.</p>
<p>Sit as you usually do, keep your distance from the screen, and make the window as large as you can.</p>`,
		}
	}
	if t.Debrief == "" {
		t.Debrief = `<h1>Thank you</h1>
<p>Many of the images were made by a computer so that artificial neural networks take them for the same thing as a photograph. ` + aim(d) + `</p>`
	}
	return t
}

// whatToDo says what a participant sees and is asked.
func whatToDo(d *Design) string {
	switch d.Task {
	case SameDifferent:
		return "Two images appear in its place for a moment, one after the other, then a pattern. After that, say whether the two images were the same or different. Look closely: the differences may be small."
	case MoreNatural:
		return "Two images appear beside each other for a moment, then a pattern. After that, choose the image that looked more natural: the left or the right one."
	}
	names := make([]string, len(d.Choices))
	for i, c := range d.Choices {
		names[i] = c.Name
	}
	return "An image appears in its place for a moment, then a pattern. After that, choose what you saw: " + strings.Join(names, ", ") + "."
}

func aim(d *Design) string {
	switch d.Task {
	case SameDifferent:
		return "We want to know whether people tell them from the photograph."
	case MoreNatural:
		return "We want to know how natural they look to people."
	}
	return "We want to know whether people recognise them too."
}
