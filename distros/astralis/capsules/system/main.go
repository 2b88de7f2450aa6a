// Capsule system lets the model look at the capsules it is made of. It reads their manifests
// and the records of their installation, and changes nothing.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/unicity-astrid/astrid-go/sdk"
	astridfs "github.com/unicity-astrid/astrid-go/sdk/fs"
)

var (
	_ = sdk.Describe("What this system is made of. Read only.")
	_ = sdk.Tool("list_capsules", "List the installed capsules with what they import and export.", listCapsules)
	_ = sdk.Tool("inspect_capsule", "Show a capsule's manifest, which says what it handles and may do, and its installation.", inspectCapsule)
	_ = sdk.Tool("list_interfaces", "List the interface descriptions that capsules have brought.", listInterfaces)
	_ = sdk.Tool("read_interface", "Read an interface description.", readInterface)
	_ = sdk.Tool("system_status", "Count capsules, and say which imports are satisfied.", systemStatus)
)

func main() {}

const (
	capsules = "home://.local/capsules"
	wit      = "home://wit"
	maxText  = 64 << 10 // bytes of one file that are shown
)

type none struct{}

// record is the part of a capsule's meta.json that is shown.
type record struct {
	Name        string                       `json:"name"`
	Version     string                       `json:"version"`
	InstalledAt string                       `json:"installed_at,omitempty"`
	UpdatedAt   string                       `json:"updated_at,omitempty"`
	Source      string                       `json:"source,omitempty"`
	Imports     map[string]map[string]string `json:"imports,omitempty"`
	Exports     map[string]map[string]string `json:"exports,omitempty"`
	Optional    map[string][]string          `json:"optional,omitempty"`
	Error       string                       `json:"error,omitempty"`
}

func names(dir string) ([]string, error) {
	all, err := astridfs.ReadNames(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return slices.DeleteFunc(all, func(n string) bool { return strings.HasPrefix(n, ".") || strings.HasSuffix(n, ".bak") }), err
}

func records() ([]record, error) {
	ids, err := names(capsules)
	if err != nil {
		return nil, err
	}
	out := []record{}
	for _, id := range ids {
		r := record{}
		b, err := astridfs.ReadFile(capsules + "/" + id + "/meta.json")
		if err == nil {
			err = json.Unmarshal(b, &r)
		}
		if r.Name = id; err != nil {
			r = record{Name: id, Error: err.Error()} // one that is damaged is listed too
		}
		out = append(out, r)
	}
	return out, nil
}

func listCapsules(*sdk.Context, none) ([]record, error) { return records() }

// checkName refuses what would lead elsewhere.
func checkName(name string) error {
	if name == "" || strings.ContainsAny(name, "/\\\x00") || strings.Contains(name, "..") {
		return fmt.Errorf("%q is not a name", name)
	}
	return nil
}

type nameArgs struct {
	Name string `json:"name" desc:"Name, as listed; capsules also without astrid-capsule-"`
}

type inspection struct {
	record
	Manifest string `json:"manifest"`
}

func inspectCapsule(_ *sdk.Context, a nameArgs) (*inspection, error) {
	if err := checkName(a.Name); err != nil {
		return nil, err
	}
	all, err := records()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(r record) bool { return r.Name == a.Name })
	if i < 0 {
		i = slices.IndexFunc(all, func(r record) bool { return r.Name == "astrid-capsule-"+a.Name })
	}
	if i < 0 {
		return nil, fmt.Errorf("no capsule %q is installed: list_capsules shows what is", a.Name)
	}
	text, err := read(capsules + "/" + all[i].Name + "/Capsule.toml")
	return &inspection{all[i], text}, err
}

func read(path string) (string, error) {
	b, err := astridfs.ReadFile(path)
	if err != nil {
		return "", err
	}
	text := string(b)
	if len(text) > maxText {
		text = text[:maxText] + fmt.Sprintf("\n[cut at %d of %d bytes]", maxText, len(b))
	}
	return strings.ToValidUTF8(text, "\uFFFD"), nil
}

func listInterfaces(*sdk.Context, none) ([]string, error) {
	all, err := names(wit)
	if all == nil {
		all = []string{}
	}
	return all, err
}

func readInterface(_ *sdk.Context, a nameArgs) (string, error) {
	if err := checkName(a.Name); err != nil {
		return "", err
	}
	text, err := read(wit + "/" + a.Name)
	if errors.Is(err, fs.ErrNotExist) && !strings.Contains(a.Name, ".") {
		text, err = read(wit + "/" + a.Name + ".wit")
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no interface %q: list_interfaces shows what there is", a.Name)
	}
	return text, err
}

type status struct {
	CapsuleCount       int      `json:"capsule_count"`
	Exports            []string `json:"exports"`
	ImportsSatisfied   []string `json:"imports_satisfied"`
	ImportsUnsatisfied []string `json:"imports_unsatisfied"` // optional ones are not missed
}

func systemStatus(*sdk.Context, none) (*status, error) {
	all, err := records()
	if err != nil {
		return nil, err
	}
	s := &status{CapsuleCount: len(all), Exports: []string{}, ImportsSatisfied: []string{}, ImportsUnsatisfied: []string{}}
	for _, r := range all {
		for ns, list := range r.Exports {
			for name, version := range list {
				s.Exports = append(s.Exports, ns+":"+name+"@"+version)
			}
		}
	}
	for _, r := range all {
		for ns, list := range r.Imports {
			for name, requirement := range list {
				line := r.Name + " wants " + ns + ":" + name + " " + requirement
				switch {
				case slices.ContainsFunc(s.Exports, func(e string) bool { return strings.HasPrefix(e, ns+":"+name+"@") }):
					s.ImportsSatisfied = append(s.ImportsSatisfied, line)
				case !slices.Contains(r.Optional[ns], name):
					s.ImportsUnsatisfied = append(s.ImportsUnsatisfied, line)
				}
			}
		}
	}
	for _, l := range [][]string{s.Exports, s.ImportsSatisfied, s.ImportsUnsatisfied} {
		slices.Sort(l)
	}
	return s, nil
}
