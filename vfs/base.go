package vfs

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// baseRecord is what the workspace had at a path when the overlay first covered it: commit compares with it.
type baseRecord struct {
	Path  diskName    `json:"path"`
	There bool        `json:"there,omitempty"` // false: nothing was there
	Mode  fs.FileMode `json:"mode"`
	Size  int64       `json:"size,omitempty"`
	Mtime int64       `json:"mtime,omitempty"` // Unix nanoseconds
	Ctime int64       `json:"ctime,omitempty"`
	Ino   uint64      `json:"ino,omitempty"`
	Hash  string      `json:"hash,omitempty"` // SHA-256 of a file that was read anyway
	Link  diskName    `json:"link,omitempty"` // a link's target
	Gone  bool        `json:"gone,omitempty"` // the record of this path is void
}

// diskName is a file name in JSON. A name need not be UTF-8; one that is not is written as an array with its bytes.
type diskName string

// MarshalJSON implements json.Marshaler.
func (n diskName) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(n)) {
		return json.Marshal(string(n))
	}
	return json.Marshal([][]byte{[]byte(n)})
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *diskName) UnmarshalJSON(data []byte) error {
	var raw [][]byte
	if len(data) > 0 && data[0] == '[' {
		err := json.Unmarshal(data, &raw)
		if err == nil && len(raw) != 1 {
			err = errors.New("file name: want one element")
		}
		if err == nil {
			*n = diskName(raw[0])
		}
		return err
	}
	var s string
	err := json.Unmarshal(data, &s)
	*n = diskName(s)
	return err
}

// baseStore keeps the records: in memory, and in an append-only file of JSON lines. A line is written before the change that
// needs it, so a crash leaves at worst a record too many, which says what is true.
type baseStore struct {
	file string
	f    *os.File
	recs map[string]baseRecord
}

func openBase(file string) (*baseStore, error) {
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	b := &baseStore{file: file, recs: parseBase(data)}
	return b, b.rewrite()
}

// parseBase reads the records. A line that a crash tore is skipped: its change did not happen.
func parseBase(data []byte) map[string]baseRecord {
	recs := map[string]baseRecord{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 8*MaxName)
	for lines.Scan() {
		var r baseRecord
		if json.Unmarshal(lines.Bytes(), &r) != nil || r.Path == "" {
			continue
		}
		if r.Gone {
			delete(recs, string(r.Path))
		} else {
			recs[string(r.Path)] = r
		}
	}
	return recs
}

// encode writes the records as the file has them.
func (b *baseStore) encode() ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	for _, r := range b.recs {
		if err := enc.Encode(r); err != nil {
			return nil, err
		}
	}
	return buf.Bytes(), nil
}

// rewrite replaces the file by what is in memory.
func (b *baseStore) rewrite() error {
	data, err := b.encode()
	if err != nil {
		return err
	}
	if err := writeAtomic(b.file, data, false); err != nil {
		return err
	}
	f, err := os.OpenFile(b.file, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if b.f != nil {
		b.f.Close()
	}
	b.f = f
	return nil
}

func (b *baseStore) put(recs ...baseRecord) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	for _, r := range recs {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	if _, err := b.f.Write(buf.Bytes()); err != nil {
		return err
	}
	for _, r := range recs {
		if r.Gone {
			delete(b.recs, string(r.Path))
		} else {
			b.recs[string(r.Path)] = r
		}
	}
	return nil
}

func (b *baseStore) has(p string) bool { _, ok := b.recs[p]; return ok }

// drop voids the records of the paths.
func (b *baseStore) drop(paths ...string) error {
	var gone []baseRecord
	for _, p := range paths {
		if b.has(p) {
			gone = append(gone, baseRecord{Path: diskName(p), Gone: true})
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return b.put(gone...)
}

func (b *baseStore) close() error { return b.f.Close() }

func makeRecord(p string, st *stat) baseRecord {
	r := baseRecord{Path: diskName(p)}
	if st != nil {
		r.There = true
		r.Mode, r.Size, r.Mtime, r.Ctime, r.Ino = st.mode, st.size, st.mtime, st.ctime, st.ino
	}
	return r
}

// same reports whether st is certainly the recorded state, untouched. ctime cannot be set back, so this needs no content. A
// directory's times change with its entries, which have records of their own.
func (r *baseRecord) same(st *stat) bool {
	switch {
	case st == nil || !r.There:
		return st == nil && !r.There
	case st.isDir():
		return r.Mode == st.mode
	}
	return r.Mode == st.mode && r.Size == st.size && r.Mtime == st.mtime && r.Ctime == st.ctime && r.Ino == st.ino
}

// maxCoverHash is the largest file, in bytes, that is read only to record its hash. A larger one without a hash counts as changed
// when somebody as much as touches it.
const maxCoverHash = 1 << 20

// cover records what the workspace has at p, unless that was done before. hash is the content's if the caller read it, or "".
func (v *OverlayVfs) cover(p, hash string) error {
	if v.base.has(p) {
		return nil
	}
	st, err := v.lowerStat(p)
	if err != nil {
		return err
	}
	r := makeRecord(p, st)
	r.Hash = hash
	switch {
	case st == nil:
	case st.isLink():
		if r.Link, err = v.lowerLink(p); err != nil {
			return err
		}
	case st.isFile() && hash == "" && st.size <= maxCoverHash:
		if r.Hash, err = v.lowerHash(p); err != nil {
			return err
		}
	}
	return v.base.put(r)
}

// lowerHash is the hash of a workspace file; "" if it may not be read.
func (v *OverlayVfs) lowerHash(p string) (string, error) {
	dir, err := descend(v.low, path.Dir(p))
	if err != nil {
		return "", err
	}
	defer unix.Close(dir)
	f, _, err := openFileAt(dir, path.Base(p), unix.O_RDONLY)
	if err != nil {
		return "", ignoreDenied(err)
	}
	defer f.Close()
	return hashOf(f)
}

func (v *OverlayVfs) lowerLink(p string) (diskName, error) {
	dir, err := descend(v.low, path.Dir(p))
	if err != nil {
		return "", err
	}
	defer unix.Close(dir)
	target, err := readlinkAt(dir, path.Base(p))
	return diskName(target), err
}

// coverTree records p and everything that the workspace has below it, before all of it is hidden.
func (v *OverlayVfs) coverTree(p string) error {
	if err := v.cover(p, ""); err != nil {
		return err
	}
	st, err := v.lowerStat(p)
	if err != nil || st == nil || !st.isDir() {
		return err
	}
	var recs []baseRecord
	var scan func(dir int, at string) error
	scan = func(dir int, at string) error {
		names, err := namesAt(dir)
		if err != nil {
			return err
		}
		for _, n := range names {
			st, err := statAt(dir, n)
			if err != nil {
				return err
			}
			if st.devZero() {
				continue
			}
			q := path.Join(at, n)
			if !v.base.has(q) {
				r := makeRecord(q, st)
				if st.isLink() {
					target, err := readlinkAt(dir, n)
					if err != nil {
						return err
					}
					r.Link = diskName(target)
				}
				recs = append(recs, r)
			}
			if st.isDir() {
				fd, err := openDirAt(dir, n)
				if err != nil {
					return err
				}
				err = scan(fd, q)
				unix.Close(fd)
				if err != nil {
					return err
				}
			}
		}
		return nil
	}
	fd, err := descend(v.low, p)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := scan(fd, p); err != nil {
		return err
	}
	return v.base.put(recs...)
}

// hashOf is the hash of all that r gives.
func hashOf(r io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
