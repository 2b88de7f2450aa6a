package store

import (
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// names admits the entries of one package: each path stays inside, none occurs twice, and no two differ only
// in case, because a case-insensitive file system would let the second overwrite the first after it was
// checked.
type names struct {
	seen  map[string]entry // folded path → entry
	count int
	total int64
}

type entry struct {
	path string
	dir  bool
	full bool // named itself, not only as the parent of another
}

func newNames() *names { return &names{seen: map[string]entry{}} }

// admit checks the next entry and returns its clean path; "" means the root itself.
func (n *names) admit(name string, dir bool) (string, error) {
	if n.count++; n.count > MaxEntries {
		return "", fmt.Errorf("%w: more than %d entries", ErrTooLarge, MaxEntries)
	}
	if dir {
		name = strings.TrimSuffix(name, "/")
		if name == "." {
			return "", nil
		}
	}
	if !utf8.ValidString(name) || len(name) > MaxPathLength {
		return "", fmt.Errorf("%w: invalid path %.80q", ErrMalicious, name)
	}
	if err := capsule.LocalPath(name); err != nil {
		return "", fmt.Errorf("%w: invalid %w", ErrMalicious, err)
	}
	clean := path.Clean(name)
	if strings.Count(clean, "/") >= MaxDepth {
		return "", fmt.Errorf("%w: %.80q lies deeper than %d directories", ErrTooLarge, clean, MaxDepth)
	}
	for i := range len(clean) {
		if clean[i] == '/' {
			if err := n.record(clean[:i], true, false); err != nil {
				return "", err
			}
		}
	}
	if err := n.record(clean, dir, true); err != nil {
		return "", err
	}
	if !dir && strings.EqualFold(path.Base(clean), capsule.ManifestName) && clean != capsule.ManifestName {
		return "", fmt.Errorf("%w: a second manifest, %q", ErrBadPackage, clean)
	}
	return clean, nil
}

func (n *names) record(clean string, dir, full bool) error {
	// Upper first: some letters only meet after both (ſ and s, K and k).
	key := strings.ToLower(strings.ToUpper(clean))
	old, ok := n.seen[key]
	switch {
	case !ok:
		n.seen[key] = entry{clean, dir, full}
		return nil
	case old.path != clean:
		return fmt.Errorf("%w: %q and %q differ only in case", ErrMalicious, old.path, clean)
	case old.dir != dir:
		return fmt.Errorf("%w: %q is a file and a directory", ErrMalicious, clean)
	case !dir:
		return fmt.Errorf("%w: %q occurs twice", ErrMalicious, clean)
	case full && old.full:
		return fmt.Errorf("%w: %q occurs twice", ErrMalicious, clean)
	}
	old.full = old.full || full
	n.seen[key] = old
	return nil
}

// charge counts the size of a file before it is written.
func (n *names) charge(name string, size int64) error {
	if size < 0 || size > MaxFileSize {
		return fmt.Errorf("%w: %q has more than %d bytes", ErrTooLarge, name, MaxFileSize)
	}
	if n.total += size; n.total > MaxTotalSize {
		return fmt.Errorf("%w: more than %d bytes unpacked", ErrTooLarge, MaxTotalSize)
	}
	return nil
}
