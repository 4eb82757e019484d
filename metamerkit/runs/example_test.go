package runs_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// A run is made once: Begin takes the lock of its recipe, and Finish publishes the
// folder. A second Begin returns the stored run.
func Example() {
	dir, err := os.MkdirTemp("", "runs")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := runs.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	recipe := metamer.Recipe{
		Models: []metamer.ModelRef{{Name: "resnet20", Layer: "layer2"}},
		Stage:  "middle",
		Images: metamer.ImageRef{Name: "two", Count: 2, Size: 4},
	}.WithDefaults()

	work, _, err := store.Begin(context.Background(), recipe)
	if err != nil {
		log.Fatal(err)
	}
	run := &metamer.Run{ID: recipe.ID(), Recipe: recipe, Names: []string{"cat", "dog"},
		Metamers: make([]float32, 2*4*4*3), Start: make([]float32, 2*4*4*3)}
	if err := work.Finish(run, nil); err != nil {
		log.Fatal(err)
	}
	if err := work.Close(); err != nil {
		log.Fatal(err)
	}

	work, stored, err := store.Begin(context.Background(), recipe)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(work == nil, stored.ID == recipe.ID(), stored.Names)
	ids, err := store.IDs()
	fmt.Println(len(ids), err)
	// Output:
	// true true [cat dog]
	// 1 <nil>
}

// Rows are stored in a run's folder under a key of 16 hexadecimal digits.
func ExampleKeepRows() {
	dir, err := os.MkdirTemp("", "run")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	rows := metamer.Rows{{Measure: metamer.Recognizability, Observer: "resnet56", Value: 0.75}}
	if err := runs.KeepRows(dir, "00000000000000aa", rows); err != nil {
		log.Fatal(err)
	}
	again, _, err := runs.ReadRows(dir, "00000000000000aa")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(again[0].Observer, again[0].Value)
	_, _, err = runs.ReadRows(dir, "00000000000000bb")
	fmt.Println(runs.Missing(err))
	// Output:
	// resnet56 0.75
	// true
}
