package evaluate

import "slices"

// Merge joins two clusters of a hierarchy. Clusters 0 to n−1 are the n things that are
// clustered; merge i makes cluster n+i.
type Merge struct {
	A, B   int     // the clusters that are joined, A < B
	Height float64 // the mean distance between their things
	Size   int     // things in the new cluster
}

// Linkage clusters n things by their symmetric distances [n][n] (average linkage, UPGMA;
// Sokal and Michener 1958), as SciPy's linkage(method="average"): n−1 merges by rising height.
// Of equal distances the first counts.
func Linkage(distances [][]float64) (merges []Merge) {
	n := len(distances)
	between := map[[2]int]float64{}
	size := map[int]int{}
	var open []int
	for i, row := range distances {
		open, size[i] = append(open, i), 1
		for j := range i {
			between[[2]int{j, i}] = row[j]
		}
	}
	pair := func(a, b int) [2]int { return [2]int{min(a, b), max(a, b)} }
	for len(open) > 1 {
		best := pair(open[0], open[1])
		for i, b := range open {
			for _, a := range open[:i] {
				if between[pair(a, b)] < between[best] {
					best = pair(a, b)
				}
			}
		}
		a, b, c := best[0], best[1], n+len(merges)
		merges = append(merges, Merge{a, b, between[best], size[a] + size[b]})
		size[c] = size[a] + size[b]
		open = slices.DeleteFunc(open, func(k int) bool { return k == a || k == b })
		for _, k := range open {
			between[pair(k, c)] = (float64(size[a])*between[pair(a, k)] + float64(size[b])*between[pair(b, k)]) / float64(size[c])
		}
		open = append(open, c)
	}
	return merges
}

// Leaves are the things of a hierarchy in an order in which each cluster's stand together.
func Leaves(merges []Merge) (order []int) {
	n := len(merges) + 1
	var add func(c int)
	add = func(c int) {
		if c < n {
			order = append(order, c)
			return
		}
		add(merges[c-n].A)
		add(merges[c-n].B)
	}
	add(2*n - 2)
	return order
}
