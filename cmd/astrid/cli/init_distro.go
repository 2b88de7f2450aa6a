package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/unicity-astrid/astrid-go/capability"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/distro"
	"github.com/unicity-astrid/astrid-go/capsule/remote"
	"github.com/unicity-astrid/astrid-go/distros"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// openedDistro is a distribution to install.
type openedDistro struct {
	origin   string // what finds it again
	text     []byte
	manifest *distro.Manifest
	source   distro.Source
	lock     *distro.Lock // the one that came with it; nil if none did
}

// openDistro finds a distribution: built in, a directory, a Distro.toml, an exported file,
// @org/name or an address. scratch is where it may write.
func (o *initOptions) openDistro(ctx context.Context, h home.Home, c *capsules, scratch string) (*openedDistro, error) {
	client, err := o.sys.remote(h, o.offline)
	if err != nil {
		return nil, err
	}
	d := &openedDistro{origin: o.distro}
	network := distro.Network(client, c.store, scratch)
	if fsys, err := distros.Open(o.distro); err == nil {
		archives, err := fs.Sub(fsys, "dist")
		if err != nil {
			return nil, err
		}
		if d.text, err = fs.ReadFile(fsys, distro.ManifestName); err != nil {
			return nil, err
		}
		d.source = distro.First(distro.Archives(archives), network)
		d.manifest, err = distro.Parse(distro.ManifestName, d.text)
		return d, err
	}
	var path string
	if remote.Is(o.distro) {
		if path, err = fetchDistro(ctx, client, o.distro, scratch); err != nil {
			return nil, err
		}
		o.sys.progressDone()
	} else if path, err = o.localDistro(); err != nil {
		return nil, err
	}
	if strings.HasSuffix(path, distro.BundleSuffix) {
		d.origin = path
		return d, o.openBundle(ctx, h, d, path, filepath.Join(scratch, "bundle"))
	}
	if d.text, err = os.ReadFile(path); err != nil {
		return nil, err
	}
	if d.manifest, err = distro.Parse(path, d.text); err != nil {
		return nil, err
	}
	d.source = network
	if !remote.Is(o.distro) {
		// Only what lies here may refer to what lies here.
		d.origin = path
		d.source = distro.First(distro.Directory(filepath.Dir(path)), network)
		d.lock, err = distro.LoadLock(filepath.Join(filepath.Dir(path), "Distro.lock"))
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	return d, err
}

// localDistro is the absolute path of the file that --distro means.
func (o *initOptions) localDistro() (string, error) {
	path := o.distro
	if !filepath.IsAbs(path) {
		dir, err := o.sys.Getwd()
		if err != nil {
			return "", err
		}
		path = filepath.Join(dir, path)
	}
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		path = filepath.Join(path, distro.ManifestName)
		info, err = os.Stat(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "", fail(ExitUsage, "there is no distribution %q: name %s, a directory with a %s, a %s file, @org/name or an https address", o.distro, strings.Join(distros.Names(), ", "), distro.ManifestName, distro.BundleSuffix)
	}
	if err == nil && (!info.Mode().IsRegular() || info.Size() > distro.MaxSize && !strings.HasSuffix(path, distro.BundleSuffix)) {
		err = fmt.Errorf("%s: want a file of at most %d bytes", path, distro.MaxSize)
	}
	return path, err
}

// fetchDistro downloads a Distro.toml or an exported distribution.
func fetchDistro(ctx context.Context, cl *remote.Client, text, scratch string) (string, error) {
	s, err := remote.Parse(text)
	if err != nil {
		return "", fail(ExitUsage, "%w", err)
	}
	r, err := cl.FindAsset(ctx, s, distro.ManifestName, s.Name+distro.BundleSuffix)
	if err != nil {
		return "", err
	}
	if strings.HasSuffix(r.URL.Path, distro.BundleSuffix) {
		return cl.FetchFile(ctx, r, scratch, "download"+distro.BundleSuffix, distro.MaxBundleSize)
	}
	return cl.FetchFile(ctx, r, scratch, distro.ManifestName, distro.MaxSize)
}

// openBundle unpacks an exported distribution whose key is trusted.
func (o *initOptions) openBundle(ctx context.Context, h home.Home, d *openedDistro, path, dir string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	b, err := distro.OpenBundle(f, dir, func(b *distro.Bundle) error { return o.trust(ctx, h, b) })
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	d.text, d.manifest, d.lock, d.source = b.Text, b.Manifest, b.Lock, b.Source
	return nil
}

// trust decides about the key of an exported distribution. The first key for a distribution
// is pinned when the user agrees to it, or has named its fingerprint; another one later is
// refused.
func (o *initOptions) trust(ctx context.Context, h home.Home, b *distro.Bundle) error {
	print := distro.Fingerprint(b.Key)
	pins, err := loadPins(h)
	if err != nil {
		return err
	}
	o.sys.notef("%s %s, signed by %s", b.Distro, b.Version, print)
	pinned := pins[b.Distro]
	own, err := capability.LoadKey(h.DistroKey())
	ours := err == nil && distro.Fingerprint(own.Public()) == print
	switch {
	case o.fingerprint != "" && o.fingerprint != print:
		return fail(ExitError, "it is signed by %s, not by %s: do not install it", print, o.fingerprint)
	case pinned == print || ours:
		return nil
	case pinned != "" && o.fingerprint == "":
		return fail(ExitError, "%s was signed by %s before: somebody else made this file. If its maker has told you of a new key, add --fingerprint %s", b.Distro, pinned, print)
	case o.fingerprint == print:
	case !o.asks():
		return fail(ExitUsage, "nobody has said that this key is trusted: compare it with what its maker tells you, then add --fingerprint %s", print)
	default:
		ok, err := o.sys.confirm(ctx, o.in, "Compare the fingerprint with what its maker tells you. Trust this key for "+b.Distro+"?", false)
		if err != nil || !ok {
			return errors.Join(err, fail(ExitError, "nothing was installed"))
		}
	}
	pins[b.Distro] = print
	text, err := json.MarshalIndent(pins, "", "  ")
	if err != nil {
		return err
	}
	return capsule.WriteFileAtomic(h.DistroKeys(), append(text, '\n'), 0o600)
}

// loadPins reads which key signs which distribution.
func loadPins(h home.Home) (map[string]string, error) {
	pins := map[string]string{}
	b, err := os.ReadFile(h.DistroKeys())
	if errors.Is(err, fs.ErrNotExist) {
		return pins, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &pins)
	}
	if err != nil || pins == nil {
		return nil, fmt.Errorf("%s: correct or delete it: %w", h.DistroKeys(), err)
	}
	return pins, nil
}

// distroOrigin is what is remembered about the installed distribution beside its lock.
type distroOrigin struct {
	Distro string              `json:"distro"`
	Groups map[string][]string `json:"groups,omitempty"`
}

// remember keeps what show, update and export need.
func (d *openedDistro) remember(p home.Principal, groups map[string][]string) error {
	if err := capsule.WriteFileAtomic(p.DistroManifest(), d.text, 0o600); err != nil {
		return err
	}
	b, err := json.MarshalIndent(distroOrigin{d.origin, groups}, "", "  ")
	if err != nil {
		return err
	}
	return capsule.WriteFileAtomic(p.DistroOrigin(), append(b, '\n'), 0o600)
}
