//go:build !unix

package audit

import "os"

// lockFile does nothing here: the daemon's own lock file is what keeps a second one away.
func lockFile(*os.File) error { return nil }
