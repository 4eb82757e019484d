package metamer

import (
	"fmt"
	"math"
)

// Held reports whether the match of the members is held at a level while a difference is
// driven up: that of other models (Against) or of variants.
func (r Recipe) Held() bool { return r.Against != nil || r.Variants.Repel() }

// Level returns the largest relative L2 distance of a member in a recipe that holds it, 0 for
// that of the verdict, and the number of steps after which multipliers are updated.
func (r Recipe) Level() (level float64, every int) {
	switch {
	case r.Against != nil:
		return r.Against.Level, r.Against.Every
	case r.Variants != nil:
		return r.Variants.Level, r.Variants.Every
	}
	return 0, 0
}

// validateHeld reports what a recipe that holds the match at a level cannot have.
func (r Recipe) validateHeld() error {
	if !r.Held() {
		return nil
	}
	what, than := "against", "a recipe against other models"
	if r.Against == nil {
		what, than = "variants", "a recipe that drives variants apart"
	}
	level, every := r.Level()
	if !(level >= 0) || math.IsInf(level, 0) {
		return fmt.Errorf("%s: the level is %v, expected a relative L2 distance above 0, or 0 for that of the verdict", what, level)
	}
	if every < 1 {
		return fmt.Errorf("%s: multipliers are updated every %d steps, expected at least 1", what, every)
	}
	for _, c := range []struct {
		given bool
		what  string
	}{
		{r.Schedule.Kind != "" && r.Schedule.Kind != Average, "the schedule " + r.Schedule.Kind + ", expected average"},
		{r.Loss != "relative-l2", "the loss " + r.Loss + ", expected relative-l2"},
		{r.Start.Kind == "reference", "the start reference, which has no gradient"},
		{len(r.Penalties) > 0, "a penalty"},
		{r.Stop != Stop{}, "a stop criterion"},
		{r.WarmUp != nil, "a warm-up"},
		{r.Round > 0, "steps on rounded images"},
	} {
		if c.given {
			return fmt.Errorf("%s: %s cannot have %s", what, than, c.what)
		}
	}
	if level == 0 && r.Null.Name == NoNull {
		return fmt.Errorf("%s: without a null set no level follows from the verdict, expected a level such as 0.05", what)
	}
	return nil
}
