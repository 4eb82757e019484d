package metamer

import (
	"fmt"
	"testing"
)

func TestUnknown(t *testing.T) {
	var many []string
	for i := range 200 {
		many = append(many, fmt.Sprintf("model%03d", i))
	}
	for want, got := range map[string]error{
		`unknown stage "midle": did you mean middle?`:                                                            Unknown("stage", "midle", Stages),
		`unknown stage "x": expected one of early, middle, late`:                                                 Unknown("stage", "x", Stages),
		`unknown model "x": expected one of 200 names, such as model000, model001, model002, model003, model004`: Unknown("model", "x", many),
		`unknown model "model0077": did you mean model007 or model077 or model000?`:                              Unknown("model", "model0077", many),
	} {
		if got.Error() != want {
			t.Errorf("%s\nexpected %s", got, want)
		}
	}
}
