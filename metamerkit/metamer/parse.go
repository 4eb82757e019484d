package metamer

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseSchedule reads switch, switch:EVERY, switch:EVERY:random or average, as the command
// line and plans write a schedule; "" is the recipe's default.
func ParseSchedule(text string) (s Schedule, err error) {
	parts := strings.Split(text, ":")
	s.Kind = parts[0]
	if len(parts) > 1 {
		if s.Every, err = strconv.Atoi(parts[1]); err != nil || s.Every < 1 {
			return s, fmt.Errorf("schedule %q: expected a number of steps above 0 after the colon", text)
		}
	}
	if len(parts) > 2 {
		s.Order = parts[2]
	}
	if len(parts) > 3 || s.Kind == Average && len(parts) > 1 {
		return s, fmt.Errorf("schedule %q: expected switch, switch:EVERY, switch:EVERY:random or average", text)
	}
	return s, nil
}

// ParseWarmUp reads STAGE:EVALUATIONS[:PRECISION], such as middle:40; "" is nil.
func ParseWarmUp(text string) (*WarmUp, error) {
	if text == "" {
		return nil, nil
	}
	at, rest, _ := strings.Cut(text, ":")
	n, precision, _ := strings.Cut(rest, ":")
	evaluations, err := strconv.Atoi(n)
	if err != nil {
		return nil, fmt.Errorf("warm-up %q: expected STAGE:EVALUATIONS[:PRECISION], such as middle:40", text)
	}
	return &WarmUp{Stage: at, Evaluations: evaluations, Precision: precision}, nil
}
