package cli

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/zeebo/blake3"

	"github.com/unicity-astrid/astrid-go/capsule/distro"
	"github.com/unicity-astrid/astrid-go/distros"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// outdatedFix brings them up to date and keeps what was answered before.
const outdatedFix = "astrid distro update"

// outdated says how many capsules of a built-in distribution are of another build than those in this program, "" for
// none. Versions do not tell: a build in between has that of the last release.
func outdated(p home.Principal) (string, error) {
	lock, err := distro.LoadLock(p.DistroLock())
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	origin, err := loadOrigin(p)
	if err != nil || !slices.Contains(distros.Names(), origin.Distro) { // from elsewhere: whoever made it says what is in it
		return "", err
	}
	files, err := distros.Open(origin.Distro)
	if err != nil {
		return "", err
	}
	others, err := differ(files, lock)
	if err != nil || others == 0 {
		return "", err
	}
	return fmt.Sprintf("%d of %d capsules of %s are of another build than this astrid", others, len(lock.Capsules), origin.Distro), nil
}

// differ counts the capsules of a lock that files has too, in another build.
func differ(files fs.FS, lock *distro.Lock) (n int, err error) {
	for _, e := range lock.Capsules {
		if !strings.HasPrefix(e.Source, "@") || e.ArchiveHash() == "" { // the person's own, or not known
			continue
		}
		b, err := fs.ReadFile(files, "dist/"+e.Name+".capsule")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		if sum := blake3.Sum256(b); hex.EncodeToString(sum[:]) != e.ArchiveHash() {
			n++
		}
	}
	return n, nil
}

// noteOutdated says after a refusal why a capsule may lack what one of today has.
func (s System) noteOutdated() {
	h, err := home.Resolve(s.Getenv)
	if err != nil {
		return // nothing would have run without
	}
	p, err := h.Principal(home.DefaultPrincipal)
	if err != nil {
		return
	}
	if old, err := outdated(p); err != nil {
		s.notef("the installed distribution: %v", err)
	} else if old != "" {
		s.notef("%s: `%s` brings them up to date", old, outdatedFix)
	}
}
