package metamerkit

import (
	"errors"
	"html"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
)

// Page is the web page of an experiment with people.
type Page struct {
	File   string // index.html in the experiment's folder
	Design string // SHA-256 of design.json, which never changes
	About  string // conditions, trials and the exclusion rule, in sentences
}

// Experiment writes a web page in which people say what they see in the metamers of runs
// and in their references (docs/people.md): a condition each, balanced over participants.
// The folder must be new or empty. The references have labels, which are the choices. Of
// others, if given, come the images of practice and catch trials, else references are held
// out. metamers experiment serve and read go on from there; metamers experiment make has
// further settings.
func Experiment(folder string, runs []*Run, others ...Images) (*Page, error) {
	if len(others) > 1 {
		return nil, errors.New("metamerkit: an experiment takes one set of other images")
	}
	q := &api.Experiment{Out: folder}
	refs := others
	for _, r := range runs {
		if r == nil {
			return nil, errors.New("metamerkit: a run of the experiment is nil")
		}
		q.Runs, refs = append(q.Runs, r.ID), append(refs, r.References)
	}
	if len(others) == 1 {
		ref := others[0].ref()
		q.Others = &ref
	}
	reply, err := do(api.Request{Experiment: q}, refs...)
	if err != nil {
		return nil, err
	}
	if len(reply.Texts) != 3 {
		return nil, errors.New("metamerkit: the server returned no experiment")
	}
	return &Page{reply.Texts[0], reply.Texts[1], reply.Texts[2]}, nil
}

// MIMEBundle shows where the page is.
func (p *Page) MIMEBundle() (map[string][]byte, error) {
	text := p.File + "\ndesign " + p.Design + ", which never changes\n" + p.About
	return map[string][]byte{"text/plain": []byte(text), "text/html": []byte("<pre>" + html.EscapeString(text) + "</pre>")}, nil
}
