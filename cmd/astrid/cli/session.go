package cli

import (
	"github.com/google/uuid"

	"github.com/unicity-astrid/astrid-go/abi"
)

// sessionID turns what the user calls a session into its id: an id stays what it is, a
// name always gives the same id, and nothing gives a new one.
func sessionID(name string) (string, error) {
	if name == "" {
		return uuid.NewString(), nil
	}
	if len(name) > abi.MaxSessionID {
		return "", fail(ExitUsage, "--session: the name is longer than %d bytes", abi.MaxSessionID)
	}
	if id, err := uuid.Parse(name); err == nil {
		return id.String(), nil
	}
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(name)).String(), nil
}
