package distro

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/unicity-astrid/astrid-go/capsule/remote"
	"github.com/unicity-astrid/astrid-go/capsule/store"
)

// Network is a Source for entries whose source is @org/name or an address. Releases are those of the entry's
// version. What is downloaded goes to dir, once each; what the store has already is not downloaded.
func Network(c *remote.Client, s *store.Store, dir string) Source {
	return &network{client: c, store: s, dir: dir, known: map[string]Package{}}
}

type network struct {
	client *remote.Client
	store  *store.Store
	dir    string
	known  map[string]Package // by name
}

func (n *network) Open(ctx context.Context, e Entry) (Package, error) {
	if !remote.Is(e.Source) {
		return Package{}, fmt.Errorf("%w: %q is no network source", ErrNoSource, e.Source)
	}
	if p, ok := n.known[e.Name]; ok {
		return p, nil
	}
	p, err := n.find(ctx, e)
	if err == nil {
		n.known[e.Name] = p
	}
	return p, err
}

func (n *network) find(ctx context.Context, e Entry) (Package, error) {
	s, err := remote.Parse(e.Source)
	if err != nil {
		return Package{}, err
	}
	if s.URL == nil && s.Version == "" {
		s.Version = e.Version.String()
	}
	have := n.installed(e)
	r, err := n.client.Find(ctx, s)
	if errors.Is(err, remote.ErrOffline) && have != "" {
		return Package{Installed: have}, nil
	}
	if err != nil {
		return Package{}, err
	}
	if have != "" && r.Sum == (remote.Checksum{Algorithm: "blake3", Hex: have}) {
		return Package{Installed: have}, nil
	}
	dir := filepath.Join(n.dir, e.Name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return Package{}, err
	}
	path, err := n.client.Fetch(ctx, r, dir)
	return Package{Path: path}, err
}

// installed is the hash of the archive of what is installed, if it is of this version and source.
func (n *network) installed(e Entry) string {
	i, err := n.store.Get(e.Name)
	if err != nil || i.Err != nil || i.Meta.Source != e.Source || i.Manifest.Package.Version.Compare(e.Version) != 0 {
		return ""
	}
	return i.Meta.ArchiveHash
}
