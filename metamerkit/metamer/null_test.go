package metamer

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// A recipe names its null set, whose pixels its ID depends on; recipes of before keep
// their JSON.
func TestNullOfRecipe(t *testing.T) {
	r := Recipe{Models: []ModelRef{{Name: "m"}}, Stage: "late"}.WithDefaults()
	if got := r.NullOf(); r.Null.Name != DefaultNull || got != "pairs of photos:64" {
		t.Errorf("%+v: %s", r.Null, got)
	}
	r.Null = NullRef{Name: "photos:64", Count: 64, SHA256: "ab", Pairs: 2016}
	if got := (Null{Set: "two", Pairs: 1}); got.Of() != "1 pair of two" || got.Untested() != "the null set two has 1 pair, expected at least 1000" {
		t.Error(got.Of(), got.Untested())
	}
	if got := r.NullOf(); got != "2016 pairs of photos:64" || r.Null.Untested() != "" {
		t.Errorf("%s, %s", got, r.Null.Untested())
	}
	other := r
	other.Null.SHA256 = "cd"
	if other.ID() == r.ID() {
		t.Error("another null set gives the same run")
	}
	old := Recipe{Models: r.Models, Stage: "late", NullPairs: 1000}
	text, err := json.Marshal(old.WithDefaults())
	if err != nil || strings.Contains(string(text), `"null"`) || !strings.Contains(string(text), `"nullPairs":1000`) {
		t.Errorf("%s: %v", text, err)
	}
	made, err := r.Made().Recipe()
	if err != nil || made.Null != r.Null {
		t.Errorf("rows say %+v: %v", made.Null, err)
	}
	if old, err = old.WithDefaults().Made().Recipe(); err != nil || old.NullOf() != "at most 1000 random pairs of the run's own references" {
		t.Errorf("rows of before say %s: %v", old.NullOf(), err)
	}
	if got := (Recipe{}).NullOf(); got != "not stated" {
		t.Errorf("metamers made elsewhere: %s", got)
	}
}

// An image passes if it does for all members, fails if it does for one, and is not tested
// otherwise.
func TestOutcomes(t *testing.T) {
	r := &Run{Recipe: Recipe{Images: ImageRef{Count: 5}}, Nulls: []Null{{Member: "a", Set: "none"}}}
	for i, v := range [][2]string{{Pass, Pass}, {Pass, Fail}, {NotTested, Fail}, {NotTested, Pass}, {"none", "none"}} {
		r.Statistics = append(r.Statistics, MatchStatistics{Image: i, Member: "a", Verdict: v[0], PSNR: 0.1 * float64(i)}, MatchStatistics{Image: i, Member: "b", Verdict: v[1]})
	}
	if got := r.Outcomes(); !slices.Equal(got, []string{Pass, Fail, Fail, NotTested, NotTested}) {
		t.Error(got)
	}
	if got := r.Verdict(); got != "1 of 3 images are metamers for every member, 2 not tested" || r.PassCount() != 1 {
		t.Error(got)
	}
	if m := r.Matches(); len(m) != 1 || m[0].Pass != 2 || m[0].Tested != 2 || m[0].Count != 5 || m[0].PSNR != 0.4 {
		t.Errorf("%+v", m)
	}
	r.Statistics = nil
	if got := r.Verdict(); got != "5 images not tested: there is no null set" {
		t.Error(got)
	}
}
