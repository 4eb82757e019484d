package client

import (
	"fmt"
	"strings"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
)

// UnreachableError says that no engine answers at an address.
type UnreachableError struct {
	Address string
	Err     error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("client: no engine answers at %s: %v", e.Address, e.Err)
}

// Unwrap returns what the network said.
func (e *UnreachableError) Unwrap() error { return e.Err }

// VersionError says that the engine that runs is of another version.
type VersionError struct {
	Address string
	Status  api.Status
}

func (e *VersionError) Error() string {
	if strings.HasPrefix(e.Address, "tcp:") { // not ours to start again
		return fmt.Sprintf("client: the engine at %s (process %d, since %s) speaks protocol %d, this program %d: start the same version there",
			e.Address, e.Status.PID, e.Status.Started.Format(time.DateTime), e.Status.Protocol, api.Protocol)
	}
	return fmt.Sprintf("client: the engine that runs (process %d, since %s) speaks protocol %d, this program %d: stop it with \"metamers engine stop\"; the next request starts the right one",
		e.Status.PID, e.Status.Started.Format(time.DateTime), e.Status.Protocol, api.Protocol)
}

// LostError says that the engine ended while it worked.
type LostError struct {
	Address string
	Err     error
}

func (e *LostError) Error() string {
	return fmt.Sprintf("client: the engine at %s ended while it worked (%v): saved work is not lost, and the same request resumes it; its log says why", e.Address, e.Err)
}

// Unwrap returns what the network said.
func (e *LostError) Unwrap() error { return e.Err }
