package figures

import "github.com/ensemble-metamers/metamers/metamerkit/table"

// Inline is the resolution of figures inside a notebook.
const Inline = 110

// Table is a table of text, Column one of its columns.
type (
	Table  = table.Table
	Column = table.Column
)

// MIMEBundle shows the figure in a notebook.
func (f *Figure) MIMEBundle() (map[string][]byte, error) {
	png, err := f.PNG(Inline)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"image/png": png, "text/plain": []byte(f.Title + ". " + f.Caption)}, nil
}
