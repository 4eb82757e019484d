package images_test

import (
	"fmt"
	"log"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
	_ "github.com/ensemble-metamers/metamers/metamerkit/images/photos"
)

// An image set is opened by name, here the first two of the embedded photographs.
func ExampleOpen() {
	set, err := images.Open([]string{"photos:2"}, images.Options{Size: 32})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(set.Len(), "images of", set.Size, "pixels per side,", len(set.Pixels), "values")
	// Output: 2 images of 32 pixels per side, 6144 values
}

// Spaces separate files, and quotes keep a name with spaces together.
func ExampleSplit() {
	parts, err := images.Split(`photos:8 "my cat.png"`, ".")
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range parts {
		fmt.Println(p)
	}
	// Output:
	// photos:8
	// my cat.png
}

func ExampleSpan() {
	from, to, err := images.Span("100-116", 10000)
	fmt.Println(from, to, err)
	_, _, err = images.Span("20000", 10000)
	fmt.Println(err)
	// Output:
	// 100 116 <nil>
	// "20000" is not a range of the 10000 images, expected N or FROM-TO
}

// Pixels are rounded to 8 bits per channel.
func ExampleToImage() {
	m := images.ToImage([]float32{1, 0.5, 0}, 1)
	fmt.Println(m.At(0, 0))
	// Output: {255 128 0 255}
}
