package metamerkit

import "github.com/ensemble-metamers/metamers/metamerkit/metamer"

// Names of the measures and observers in rows that are used most; docs/evaluation.md lists all.
const (
	Recognizability = metamer.Recognizability
	JSD             = metamer.JSD
	Members         = metamer.Members
	NonMembers      = metamer.NonMembers
)
