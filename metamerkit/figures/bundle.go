package figures

// inline is the resolution of figures inside a notebook.
const inline = 110

// MIMEBundle shows the figure in a notebook.
func (f *Figure) MIMEBundle() (map[string][]byte, error) {
	png, err := f.PNG(inline)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"image/png": png, "text/plain": []byte(f.Title + ". " + f.Caption)}, nil
}

// MIMEBundle shows the table in a notebook.
func (t *Table) MIMEBundle() (map[string][]byte, error) {
	return map[string][]byte{"text/html": []byte(t.HTML()), "text/latex": []byte(t.LaTeX()), "text/plain": []byte(t.Markdown())}, nil
}
