package evaluate

import "fmt"

// Undefined is the error of a measure that has no value for its inputs. Its text is the
// reason, which rows repeat.
type Undefined string

func (u Undefined) Error() string { return "evaluate: " + string(u) }

func undefined(format string, args ...any) error { return Undefined(fmt.Sprintf(format, args...)) }
