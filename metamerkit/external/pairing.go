package external

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// match brings metamers into the order of their references: by file name where the
// names are the same, else by the numbers in the names where these are the same. Where
// neither holds, images of a set (which is not asked for by files) are taken in order if
// the metamers are numbered. Anything else is an error.
func match(met *stack, ref stack, isSet bool, notes *[]string) error {
	how := "file name"
	order := find(met.names, ref.names)
	if order == nil {
		how, order = "the numbers in their names", find(numbers(met.names), numbers(ref.names))
	}
	switch {
	case order != nil:
	case len(ref.names) == 1:
		how, order = "order", []int{0}
	case isSet && numbers(met.names) != nil:
		how = "order, the metamers by number: the set has other names"
	default:
		a, b := apart(met.names, ref.names)
		return fmt.Errorf("external: it is not clear which metamer belongs to which reference: %s has %s, which %s lacks, and lacks %s; expected the same names, or the same numbers in them", met.path, a, ref.path, b)
	}
	if order != nil {
		met.arrange(order)
	}
	*notes = append(*notes, "metamers and references paired by "+how)
	return nil
}

// arrange puts image order[i] at place i.
func (s *stack) arrange(order []int) {
	per := s.size * s.size * 3
	out := stack{path: s.path, n: s.n, size: s.size, classes: s.classes}
	for _, i := range order {
		out.pixels = append(out.pixels, s.pixels[i*per:(i+1)*per]...)
		out.names, out.labels = append(out.names, s.names[i]), append(out.labels, s.labels[i])
	}
	*s = out
}

// find returns where each of the second names is among the first; nil if one is
// missing.
func find(in, names []string) []int {
	var order []int
	for _, n := range names {
		i := slices.Index(in, n)
		if i < 0 {
			return nil
		}
		order = append(order, i)
	}
	return order
}

// apart are the first names that are in one list only.
func apart(a, b []string) (onlyA, onlyB string) {
	first := func(list, other []string) string {
		for _, n := range list {
			if !slices.Contains(other, n) {
				return n
			}
		}
		return "no other name"
	}
	return first(a, b), first(b, a)
}

var digits = regexp.MustCompile(`\d+`)

// numbers are the numbers in names by which these differ, without leading zeros and
// separated by spaces; nil where they do not tell all names apart.
func numbers(names []string) []string {
	var all [][]string
	for _, n := range names {
		found := digits.FindAllString(n, -1)
		for i, d := range found {
			found[i] = strings.TrimLeft(d[:len(d)-1], "0") + d[len(d)-1:]
		}
		if len(found) == 0 || len(all) > 0 && len(found) != len(all[0]) {
			return nil
		}
		all = append(all, found)
	}
	out := make([]string, len(all))
	for i := range len(all[0]) {
		if len(all) > 1 && !slices.ContainsFunc(all, func(n []string) bool { return n[i] != all[0][i] }) {
			continue // the same in all names
		}
		for k := range all {
			out[k] = strings.TrimLeft(out[k]+" "+all[k][i], " ")
		}
	}
	if sorted := slices.Sorted(slices.Values(out)); len(slices.Compact(sorted)) != len(out) {
		return nil
	}
	return out
}

// byNumber puts images that are told apart by the numbers in their names into the order
// of these: 2 comes before 10.
func (s *stack) byNumber() {
	keys := numbers(s.names)
	if keys == nil {
		return
	}
	order := make([]int, s.n)
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return slices.CompareFunc(strings.Fields(keys[a]), strings.Fields(keys[b]), func(x, y string) int {
			return cmp.Or(len(x)-len(y), strings.Compare(x, y))
		})
	})
	s.arrange(order)
}
