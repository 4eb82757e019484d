package main

import (
	"fmt"
	"os"

	"github.com/ensemble-metamers/metamers/metamerkit/claims"
	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/people"
	"github.com/ensemble-metamers/metamers/metamerkit/people/answers"
)

// peopleFlag adds the answers of people to rows.
type peopleFlag struct {
	People []string `help:"Answers of people: the folder of an experiment, or rows made by metamers experiment read." placeholder:"FOLDER|ROWS.csv" predictor:"file"`
}

// rows reads the rows of people. It is called before long work, so that what is wrong with
// them is said at once.
func (f peopleFlag) rows(b evaluate.Bootstrap) (out metamer.Rows, err error) {
	for _, path := range f.People {
		rows, err := peopleRows(path, b)
		if err != nil {
			return nil, fmt.Errorf("--people %s: %w", path, err)
		}
		out = append(out, rows...)
	}
	return out, nil
}

func peopleRows(path string, b evaluate.Bootstrap) (metamer.Rows, error) {
	if st, err := os.Stat(path); err != nil {
		return nil, err
	} else if st.IsDir() {
		d, err := people.Load(path)
		if err != nil {
			return nil, err
		}
		data, err := answers.Load(d, []string{path})
		if err != nil {
			return nil, err
		}
		return data.Rows(b)
	}
	rows, err := metamer.LoadRows(path)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if r.Observer != metamer.People {
			return nil, fmt.Errorf("a row has the observer %q, expected rows of people, as metamers experiment read writes them", r.Observer)
		}
	}
	return rows, nil
}

// printPeople says what people say of the paper's claims, and how networks compare.
func printPeople(rows metamer.Rows, list []claims.Claim) {
	if len(list) > 0 {
		fmt.Println("\nthe claims, with people as the observer:")
	}
	for _, c := range list {
		fmt.Println("-", c)
	}
	fmt.Println()
	for _, c := range claims.Correlate(rows) {
		fmt.Println(c)
	}
}
