package evaluate

// Categories are the 16 entry-level categories of Geirhos et al. 2018 ("Generalisation
// in humans and deep neural networks"), which Feather et al. 2023 use too, each with
// its ImageNet-1k class indices: 207 classes in all, as in the file
// modelvshuman/helper/human_categories.py of bethgelab/model-vs-human.
var Categories = []struct {
	Name    string
	Classes []int
}{
	{"airplane", []int{404}},
	{"bear", run(294, 297)},
	{"bicycle", []int{444, 671}},
	{"bird", join(run(8, 8), run(10, 16), run(18, 20), run(22, 24), run(80, 83), run(87, 96), run(98, 100), run(127, 133), run(135, 145))},
	{"boat", []int{472, 554, 625, 814, 914}},
	{"bottle", []int{440, 720, 737, 898, 899, 901, 907}},
	{"car", []int{436, 511, 817}},
	{"cat", run(281, 286)},
	{"chair", []int{423, 559, 765, 857}},
	{"clock", []int{409, 530, 892}},
	{"dog", join(run(152, 191), run(193, 203), run(205, 226), run(228, 241), run(243, 250), run(252, 257), run(259, 259), run(261, 263), run(265, 268))},
	{"elephant", []int{385, 386}},
	{"keyboard", []int{508, 878}},
	{"knife", []int{499}},
	{"oven", []int{766}},
	{"truck", []int{555, 569, 656, 675, 717, 734, 864, 867}},
}

// run lists the classes from first to last.
func run(first, last int) (out []int) {
	for k := first; k <= last; k++ {
		out = append(out, k)
	}
	return out
}

func join(parts ...[]int) (out []int) {
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}
