// Package upstream holds a minimal reproduction of each known defect of the
// GoMLX modules at the pinned versions (gomlx v0.28.13, compute v0.1.11,
// go-xla v0.4.10). It has tests only.
//
// Each test passes while its defect is there. When a new version mends one, its
// test fails and names the guard in this project that can go. docs/notes/upstream.md
// tells symptoms, versions, what this project does instead and what to report.
package upstream
