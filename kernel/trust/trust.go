package trust

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/zeebo/blake3"

	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// State says how a project's files for agents and the person's answer fit together.
type State string

// The states.
const (
	Nothing  State = "nothing"  // there are no such files
	New      State = "new"      // nobody was asked about them
	Changed  State = "changed"  // they are not what was answered about
	Trusted  State = "trusted"  // they are used
	Declined State = "declined" // they are not
)

// Status is what is known about a workspace.
type Status struct {
	Workspace string    `json:"workspace"`
	State     State     `json:"state"`
	Files     []File    `json:"files"`             // as they are now
	Changed   []string  `json:"changed,omitempty"` // of these and of those that are gone, what differs from the answer
	At        time.Time `json:"answered_at,omitzero"`
}

// Used tells whether the project's files may be used. A project without any has nothing to be asked about.
func (s Status) Used() bool { return s.State == Trusted || s.State == Nothing }

// Asks tells whether the person should be asked.
func (s Status) Asks() bool { return s.State == New || s.State == Changed }

// Store keeps the answers.
type Store struct{ home home.Home }

// Open returns the store of a home.
func Open(h home.Home) Store { return Store{h} }

// answer is a file of the store.
type answer struct {
	Workspace string    `json:"workspace"`
	Trusted   bool      `json:"trusted"`
	Files     []File    `json:"files"`
	At        time.Time `json:"at"`
}

func (s Store) file(workspace string) string {
	sum := blake3.Sum256([]byte(workspace))
	return filepath.Join(s.home.TrustDir(), hex.EncodeToString(sum[:])+".json")
}

// Status looks at the files of a workspace, an absolute path without links. With an error nothing may be used.
func (s Store) Status(workspace string) (Status, error) {
	st := Status{Workspace: workspace, State: Nothing, Files: []File{}}
	if err := s.home.Apart(workspace); err != nil { // what Astrid itself keeps below .astrid is no project's
		st.State = New
		return st, err
	}
	files, err := Find(workspace)
	if err != nil {
		st.State = New
		return st, fmt.Errorf("the project's files for agents are not used: %w", err)
	}
	if len(files) == 0 {
		return st, nil
	}
	st.State, st.Files = New, files
	a, err := s.load(workspace)
	if err != nil || a == nil {
		return st, err
	}
	st.At = a.At
	if st.Changed = differing(a.Files, files); len(st.Changed) > 0 {
		st.State = Changed
	} else if st.State = Declined; a.Trusted {
		st.State = Trusted
	}
	return st, nil
}

func (s Store) load(workspace string) (*answer, error) {
	raw, err := os.ReadFile(s.file(workspace))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var a answer
	if err == nil {
		err = json.Unmarshal(raw, &a)
	}
	if err == nil && a.Workspace != workspace {
		err = fmt.Errorf("it is about %s", a.Workspace)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w (remove it to be asked again)", s.file(workspace), err)
	}
	return &a, nil
}

// differing lists the paths that are not the same in both.
func differing(old, now []File) []string {
	was := map[string]string{}
	for _, f := range old {
		was[f.Path] = f.Hash
	}
	var out []string
	for _, f := range now {
		if hash, ok := was[f.Path]; !ok || hash != f.Hash {
			out = append(out, f.Path)
		}
		delete(was, f.Path)
	}
	for gone := range was {
		if gone != memoryFile {
			out = append(out, gone)
		}
	}
	slices.Sort(out)
	return out
}

// Answer keeps what a person said about the files of a status: those that were shown, whatever the disk has by now.
func (s Store) Answer(st Status, trusted bool, now time.Time) error {
	if err := os.MkdirAll(s.home.TrustDir(), 0o700); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(answer{st.Workspace, trusted, st.Files, now.UTC()}, "", "  ")
	if err != nil {
		return err
	}
	return home.WriteFileAtomic(s.file(st.Workspace), append(raw, '\n'), 0o600)
}

// Forget makes a workspace one that nobody was asked or told about. It tells whether somebody was asked.
func (s Store) Forget(workspace string) (bool, error) {
	if err := os.Remove(s.told(workspace)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	err := os.Remove(s.file(workspace))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
