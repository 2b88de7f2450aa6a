package capsule

import (
	"fmt"
	"path"
	"strings"

	"github.com/unicity-astrid/astrid-go/capsule/stricttoml"
)

// capabilities checks one table as written; key is its path in the file.
func (c *checker) capabilities(key string, caps *Capabilities) {
	checks := map[string]func(string) error{
		"net":           c.checkNet,
		"kv":            checkEntry,
		"fs_read":       checkFSEntry,
		"fs_write":      checkFSEntry,
		"host_process":  c.checkProcess,
		"net_bind":      checkEntry,
		"ipc_publish":   checkPattern,
		"ipc_subscribe": checkPattern,
		"identity":      checkIdentity,
	}
	for _, list := range caps.lists() {
		for i, entry := range *list.values {
			if err := checks[list.key](entry); err != nil {
				c.fail(stricttoml.Elem(key+"."+list.key, i), "%v", err)
			} else if strings.HasPrefix(list.key, "fs_") && unreachable(entry) {
				c.warn(stricttoml.Elem(key+"."+list.key, i), "%q grants nothing: a capsule reaches only cwd://, home:// and /tmp", entry)
			}
		}
	}
}

func checkEntry(entry string) error {
	if strings.TrimSpace(entry) == "" {
		return fmt.Errorf("an entry is empty")
	}
	return nil
}

func (c *checker) checkNet(entry string) error {
	key, templated, err := template(entry)
	if err != nil {
		return err
	}
	if !templated {
		_, err = parseNetEntry(entry)
		return err
	}
	return c.checkTemplate(entry, key, "a URL that grants access must be shown")
}

// checkTemplate looks for the setting that an entry names.
func (c *checker) checkTemplate(entry, key, why string) error {
	field, ok := c.m.Env[key]
	if !ok {
		err := fmt.Errorf("entry %q: there is no [env.%s]", entry, key)
		if near := stricttoml.Suggest(key, sortedKeys(c.m.Env)); near != "" {
			err = fmt.Errorf("%w; did you mean %q?", err, near)
		}
		return err
	}
	if k := field.Kind(); k == EnvSecret || k == EnvArray {
		return fmt.Errorf("entry %q: [env.%s] is of type %s; %s", entry, key, field.Type, why)
	}
	return nil
}

// checkFSEntry refuses what could never match and what would match more than it shows.
func checkFSEntry(entry string) error {
	for _, retired := range []string{"workspace://", "global://"} {
		if strings.HasPrefix(entry, retired) {
			return fmt.Errorf("path %q: %s is retired; use cwd:// for the workspace or home:// for the home", entry, retired)
		}
	}
	rest, scheme := entry, ""
	for _, s := range []string{"cwd://", "home://"} {
		if tail, ok := strings.CutPrefix(entry, s); ok {
			rest, scheme = tail, s
		}
	}
	switch {
	case strings.TrimSpace(entry) == "":
		return fmt.Errorf("an entry is empty")
	case strings.ContainsRune(entry, 0):
		return fmt.Errorf("path %q has a NUL byte", entry)
	case entry == "*":
		return nil
	case scheme == "" && !strings.HasPrefix(entry, "/"):
		return fmt.Errorf("path %q never matches: begin it with cwd:// (workspace), home:// or /", entry)
	case scheme != "" && strings.HasPrefix(rest, "/"):
		return fmt.Errorf("path %q: %s is followed by a relative path", entry, scheme)
	case scheme == "" && path.Clean(entry) != entry && path.Clean(entry)+"/" != entry:
		return fmt.Errorf("path %q is not clean: write %q", entry, path.Clean(entry))
	}
	for _, part := range strings.Split(rest, "/") {
		if part == ".." {
			return fmt.Errorf("path %q leaves its root", entry)
		}
	}
	return nil
}

// unreachable reports an absolute path outside the trees that a capsule sees.
func unreachable(entry string) bool {
	return strings.HasPrefix(entry, "/") && entry != "/tmp" && !strings.HasPrefix(entry, "/tmp/")
}

func (c *checker) checkProcess(entry string) error {
	key, templated, err := template(entry)
	if err != nil {
		return err
	}
	if templated {
		return c.checkTemplate(entry, key, "programs that may run must be shown")
	}
	if strings.TrimSpace(entry) == "" {
		return fmt.Errorf("an entry is empty")
	}
	if entry != strings.Join(strings.Fields(entry), " ") {
		return fmt.Errorf("program %q: separate words by single spaces", entry)
	}
	return nil
}

var identityLevels = []string{"resolve", "link", "admin"}

func checkIdentity(entry string) error {
	if contains(identityLevels, entry) {
		return nil
	}
	return fmt.Errorf("%q is not one of %s", entry, strings.Join(identityLevels, ", "))
}
