package vfs

import (
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"
)

// cleanName checks a caller's name and returns its canonical spelling: no leading slash, no "." or ".." and no doubled
// slashes; "." for the root. A ".." may not step above the root even if the name comes back later.
func cleanName(name string) (string, error) {
	if len(name) > MaxName || !utf8.ValidString(name) || strings.IndexByte(name, 0) >= 0 {
		return "", ErrName
	}
	if fs.ValidPath(name) { // already canonical: the common case costs no allocation
		return name, nil
	}
	depth := 0
	for part := range strings.SplitSeq(name, "/") {
		switch part {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return "", ErrEscape
			}
		default:
			depth++
		}
	}
	if depth == 0 {
		return ".", nil
	}
	return path.Clean("/" + name)[1:], nil
}

// below reports whether name is dir or lies under it; both are canonical.
func below(name, dir string) bool {
	return dir == "." || name == dir || strings.HasPrefix(name, dir) && name[len(dir)] == '/'
}

// linkEscapes reports whether a link at the canonical name with the given target text leaves the root by its text alone.
// What it reaches through other links is decided when it is followed.
func linkEscapes(target, name string) bool {
	if strings.HasPrefix(target, "/") {
		return true
	}
	_, err := cleanName(path.Dir(name) + "/" + target)
	return err != nil
}

// hasPart reports whether one of a canonical name's components is part.
func hasPart(name, part string) bool {
	for p := range strings.SplitSeq(name, "/") {
		if p == part {
			return true
		}
	}
	return false
}
