package metamerkit

import "github.com/ensemble-metamers/metamers/metamerkit/metamer"

// Names of measures and observers in rows that are asked for most; docs/evaluation.md
// has all.
const (
	Recognizability = metamer.Recognizability
	JSD             = metamer.JSD
	Members         = metamer.Members
	NonMembers      = metamer.NonMembers
)
