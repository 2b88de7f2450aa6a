package distro

import (
	"archive/tar"
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"github.com/zeebo/blake3"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/store"
)

// BundleSuffix is the file name ending of an exported distribution.
const BundleSuffix = ".distro"

// MaxBundleSize bounds an exported distribution in bytes.
const MaxBundleSize = 2 << 30

// A bundle is a tar of these, in this order; the capsules follow, by name, in bundleCapsules.
const (
	bundleIndex     = "bundle.json"
	bundleSignature = "bundle.sig"
	bundleLock      = "Distro.lock"
	bundleCapsules  = "capsules/"
)

// signed comes before the index in what is signed, so that the signature is good for nothing else.
const signed = "astrid distro bundle v1\n"

// ErrSignature refuses a bundle that is not as it was signed.
var ErrSignature = errors.New("the signature of the distribution is not right")

// index lists everything else that a bundle holds.
type index struct {
	Format  int         `json:"format"`
	Distro  string      `json:"distro"`
	Version string      `json:"version"`
	Key     string      `json:"key"` // ed25519, hex
	Files   []indexFile `json:"files"`
}

type indexFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	Blake3 string `json:"blake3"`
}

// Fingerprint is what people compare of a signing key.
func Fingerprint(key ed25519.PublicKey) string {
	sum := blake3.Sum256(key)
	return hex.EncodeToString(sum[:16])
}

// Signer signs exports.
type Signer interface {
	Public() ed25519.PublicKey
	Sign(message []byte) ([]byte, error)
}

// WriteBundle writes a distribution with all its capsules as they are installed, which must be as the lock
// says. The same content and key give the same bytes.
func WriteBundle(w io.Writer, manifest []byte, l *Lock, s *store.Store, key Signer) error {
	lock, err := l.Encode()
	if err != nil {
		return err
	}
	files := []store.File{{Name: ManifestName, Data: manifest}, {Name: bundleLock, Data: lock}}
	for _, e := range l.Capsules {
		var b bytes.Buffer
		if err := s.Repack(&b, e.Name); err != nil {
			return err
		}
		if have := capsule.Hash(b.Bytes()); e.Archive != "" && have != e.ArchiveHash() {
			return fmt.Errorf("capsule %s: its archive was made by another packer, and cannot be made again: it would have hash %s, locked is %s; build it with astrid-build and install that", e.Name, have, e.ArchiveHash())
		}
		files = append(files, store.File{Name: bundleCapsules + e.Name + store.ArchiveSuffix, Data: b.Bytes()})
	}
	x := index{Format: 1, Distro: l.Distro.ID, Version: l.Distro.Version, Key: hex.EncodeToString(key.Public())}
	for _, f := range files {
		x.Files = append(x.Files, indexFile{f.Name, int64(len(f.Data)), capsule.Hash(f.Data)})
	}
	head, err := json.MarshalIndent(x, "", "  ")
	if err != nil {
		return err
	}
	sig, err := key.Sign(append([]byte(signed), head...))
	if err != nil {
		return err
	}
	tw := tar.NewWriter(w)
	for _, f := range append([]store.File{{Name: bundleIndex, Data: head}, {Name: bundleSignature, Data: []byte(hex.EncodeToString(sig) + "\n")}}, files...) {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: f.Name, Size: int64(len(f.Data)), Mode: 0o644, ModTime: time.Unix(0, 0)}
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		if _, err := tw.Write(f.Data); err != nil {
			return err
		}
	}
	return tw.Close()
}

// Bundle is an exported distribution that was opened.
type Bundle struct {
	Distro   string
	Version  string
	Key      ed25519.PublicKey
	Manifest *Manifest // with the capsules that the bundle has, and no others
	Text     []byte    // of the manifest
	Lock     *Lock
	Source   Source
}

// OpenBundle checks an exported distribution and unpacks it into dir. trust is asked about the key, whose
// signature is good by then, before anything is unpacked.
func OpenBundle(r io.Reader, dir string, trust func(b *Bundle) error) (*Bundle, error) {
	tr := tar.NewReader(io.LimitReader(r, MaxBundleSize))
	head, err := bundleEntry(tr, bundleIndex)
	if err != nil {
		return nil, err
	}
	sig, err := bundleEntry(tr, bundleSignature)
	if err != nil {
		return nil, err
	}
	x, key, err := checkIndex(head, sig)
	if err != nil {
		return nil, err
	}
	b := &Bundle{Distro: x.Distro, Version: x.Version, Key: key}
	if err := trust(b); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if err := root.Mkdir(path.Clean(bundleCapsules), 0o700); err != nil {
		return nil, err
	}
	for _, f := range x.Files {
		data, err := bundleFile(tr, f)
		if err != nil {
			return nil, err
		}
		if err := root.WriteFile(f.Name, data, 0o600); err != nil {
			return nil, err
		}
	}
	if _, err := tr.Next(); err != io.EOF {
		return nil, fmt.Errorf("%w: something follows its end", ErrSignature)
	}
	return b, b.load(root)
}

// checkIndex checks the signature first: nothing else is looked at before.
func checkIndex(head, sig []byte) (x index, key ed25519.PublicKey, err error) {
	if err := json.Unmarshal(head, &x); err != nil {
		return x, nil, fmt.Errorf("%s: %w", bundleIndex, err)
	}
	raw, err := hex.DecodeString(x.Key)
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return x, nil, fmt.Errorf("%w: it names no key", ErrSignature)
	}
	s, err := hex.DecodeString(strings.TrimSpace(string(sig)))
	if err != nil || !ed25519.Verify(raw, append([]byte(signed), head...), s) {
		return x, nil, ErrSignature
	}
	if x.Format != 1 {
		return x, nil, fmt.Errorf("%s has format %d, this runtime reads 1", bundleIndex, x.Format)
	}
	for i, f := range x.Files {
		want := ""
		if i < 2 {
			want = []string{ManifestName, bundleLock}[i]
		}
		name, isCapsule := strings.CutPrefix(f.Name, bundleCapsules)
		name, suffixed := strings.CutSuffix(name, store.ArchiveSuffix)
		switch {
		case want != "" && f.Name != want, want == "" && (!isCapsule || !suffixed || capsule.ValidName(name) != nil):
			return x, nil, fmt.Errorf("%s lists %q, which does not belong there", bundleIndex, f.Name)
		case f.Size < 0 || f.Size > store.MaxArchiveSize || want != "" && f.Size > MaxSize:
			return x, nil, fmt.Errorf("%s: %q is too large", bundleIndex, f.Name)
		}
	}
	if len(x.Files) < 2 {
		return x, nil, fmt.Errorf("%s lists neither %s nor %s", bundleIndex, ManifestName, bundleLock)
	}
	return x, raw, nil
}

// bundleEntry reads one of the first two entries.
func bundleEntry(tr *tar.Reader, name string) ([]byte, error) {
	h, err := tr.Next()
	if err != nil || h.Name != name || h.Typeflag != tar.TypeReg || h.Size > MaxSize {
		return nil, fmt.Errorf("it is no exported distribution: %s is not where it should be", name)
	}
	return io.ReadAll(tr)
}

// bundleFile reads an entry, which must be the listed one.
func bundleFile(tr *tar.Reader, f indexFile) ([]byte, error) {
	h, err := tr.Next()
	if err != nil || h.Name != f.Name || h.Typeflag != tar.TypeReg || h.Size != f.Size {
		return nil, fmt.Errorf("%w: %s is not as listed", ErrSignature, f.Name)
	}
	data, err := io.ReadAll(tr)
	if err != nil {
		return nil, fmt.Errorf("%w: %s is cut off: %w", ErrSignature, f.Name, err)
	}
	if capsule.Hash(data) != f.Blake3 {
		return nil, fmt.Errorf("%w: %s has another hash than listed", ErrSignature, f.Name)
	}
	return data, nil
}

// load reads what was unpacked.
func (b *Bundle) load(root *os.Root) error {
	var err error
	if b.Text, err = root.ReadFile(ManifestName); err != nil {
		return err
	}
	if b.Manifest, err = Parse(ManifestName, b.Text); err != nil {
		return err
	}
	lock, err := root.ReadFile(bundleLock)
	if err != nil {
		return err
	}
	if b.Lock, err = ParseLock(bundleLock, lock); err != nil {
		return err
	}
	if !b.Lock.Fresh(b.Manifest) || b.Distro != b.Manifest.Info.ID || b.Version != b.Manifest.Info.Version.String() {
		return errors.New("the exported distribution contradicts itself: its manifest and lock are of different ones")
	}
	b.Manifest.Keep(b.Lock)
	sub, err := os.OpenRoot(path.Join(root.Name(), bundleCapsules))
	if err != nil {
		return err
	}
	b.Source = Archives(sub.FS())
	return nil
}

// Keep drops the entries that a lock does not list: providers that were not chosen.
func (m *Manifest) Keep(l *Lock) {
	var kept []Entry
	for _, e := range m.Capsules {
		if _, ok := l.Find(e.Name); ok {
			kept = append(kept, e)
		}
	}
	m.Capsules = kept
}
