package evaluate

import "fmt"

// Undefined is the error of a measure that has no value for these inputs. Its text
// is the reason, as it stands in rows.
type Undefined string

func (u Undefined) Error() string { return "evaluate: " + string(u) }

func undefined(format string, args ...any) error { return Undefined(fmt.Sprintf(format, args...)) }
