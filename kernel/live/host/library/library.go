// Package library is in the shared library of a session, beside packages of the standard
// library. Its metamers.addModule, which package module calls, makes a plugin known to Go's
// run-time.
package library

import _ "runtime"
