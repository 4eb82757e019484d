package people

import (
	"encoding/csv"
	"fmt"
	"hash/crc32"
	"strings"
)

// Header is the first line of a participant's file, without its end.
func Header() string {
	names := make([]string, len(Columns))
	for i, c := range Columns {
		names[i] = c.Name
	}
	return strings.Join(names, ",")
}

// Line is a row of a participant's file.
type Line struct {
	Text   string // without its end
	fields []string
}

var columnAt = func() map[string]int {
	at := map[string]int{}
	for i, c := range Columns {
		at[c.Name] = i
	}
	return at
}()

// Field returns the text of a column.
func (l Line) Field(column string) string { return l.fields[columnAt[column]] }

// ParseLine splits a row and checks it against its checksum, which also covers that of
// the row before ("" for the first row).
func ParseLine(text, before string) (Line, error) {
	if strings.ContainsAny(text, "\r\n") {
		return Line{}, fmt.Errorf("it has a line break inside")
	}
	fields, err := csv.NewReader(strings.NewReader(text)).Read()
	if err != nil {
		return Line{}, fmt.Errorf("it is no line of CSV: %w", err)
	}
	if len(fields) != len(Columns) {
		return Line{}, fmt.Errorf("it has %d fields, expected %d", len(fields), len(Columns))
	}
	check := fields[len(fields)-1]
	body := strings.TrimSuffix(text, ","+check)
	if want := fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(before+"\n"+body))); check != want {
		return Line{}, fmt.Errorf("its checksum is %q, expected %q: this line or the one before was changed or removed", check, want)
	}
	return Line{text, fields}, nil
}

// FileName is that of a participant's file.
func (d *Design) FileName(participant int) string {
	return fmt.Sprintf("subject-%03d_task-%s_data.csv", participant, d.TaskName())
}

// TaskName is the task in names of files, which have no hyphen in a part (Psych-DS, BIDS).
func (d *Design) TaskName() string { return strings.ReplaceAll(d.Kind(), "-", "") }
