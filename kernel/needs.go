package kernel

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// maxNeeds bounds the list of needs, in bytes.
const maxNeeds = 1 << 20

// needsFile keeps the names of capsules in the order in which the daemon before had use for them. It says what
// to make ready first, and nothing else.
func (k *Kernel) needsFile() string { return filepath.Join(k.opts.Home.CacheDir(), "needs.json") }

// byNeed are the capsules, those first that were needed first the last time.
func (k *Kernel) byNeed() []*capsule.Capsule {
	needs := k.needs()
	rank := func(c *capsule.Capsule) int {
		if i := slices.Index(needs, c.ID()); i >= 0 {
			return i
		}
		return len(needs)
	}
	all := k.registry.List()
	slices.SortStableFunc(all, func(a, b *capsule.Capsule) int { return rank(a) - rank(b) })
	return all
}

func (k *Kernel) needs() (names []string) {
	info, err := os.Stat(k.needsFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nobody has asked for anything yet
	}
	var raw []byte
	if err == nil && info.Size() > maxNeeds {
		err = errors.New("it is too long")
	}
	if err == nil {
		raw, err = os.ReadFile(k.needsFile())
	}
	if err == nil {
		err = json.Unmarshal(raw, &names)
	}
	if err != nil {
		slog.Warn("What is needed first is not known", "file", k.needsFile(), "error", err)
	}
	return names
}

// keepNeeds writes what was needed, for the next daemon. One that was asked for nothing has learnt nothing.
func (k *Kernel) keepNeeds() {
	type need struct {
		name string
		at   time.Time
	}
	var all []need
	for _, c := range k.registry.List() {
		if at := engineOf(c).NeededAt(); !at.IsZero() {
			all = append(all, need{c.ID(), at})
		}
	}
	if len(all) == 0 {
		return
	}
	slices.SortFunc(all, func(a, b need) int { return a.at.Compare(b.at) })
	names := make([]string, len(all))
	for i, n := range all {
		names[i] = n.name
	}
	raw, err := json.Marshal(names)
	if err == nil {
		err = home.WriteFileAtomic(k.needsFile(), raw, 0o600) // a daemon may be killed meanwhile
	}
	if err != nil {
		slog.Warn("What is needed first could not be kept", "file", k.needsFile(), "error", err)
	}
}
