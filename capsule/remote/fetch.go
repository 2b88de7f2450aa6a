package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/unicity-astrid/astrid-go/capsule/store"
)

// maxSum bounds a checksum file in bytes.
const maxSum = 4 << 10

// Release is an asset that was found, not yet fetched.
type Release struct {
	Source Source
	URL    *url.URL
	Sum    Checksum
}

// ErrNoChecksum refuses what nothing vouches for.
var ErrNoChecksum = errors.New("no checksum is published")

// Find looks up the capsule of a source: its address and checksum. An error that is ErrNotFound means that there
// is no such release.
func (c *Client) Find(ctx context.Context, s Source) (Release, error) {
	return c.FindAsset(ctx, s, s.Name+store.ArchiveSuffix, "astrid-"+s.Name+store.ArchiveSuffix)
}

// FindAsset is Find for something else than a capsule. Of several names the first that is there counts; a URL is
// the asset itself.
func (c *Client) FindAsset(ctx context.Context, s Source, names ...string) (Release, error) {
	if s.URL != nil {
		return c.findURL(ctx, s)
	}
	dir := s.release(c.base)
	for _, name := range names {
		r, err := c.findURL(ctx, Source{URL: dir.JoinPath(name)})
		if !errors.Is(err, ErrNotFound) {
			r.Source = s
			return r, err
		}
	}
	return Release{}, fmt.Errorf("%s: %w: %s has no %s", s, ErrNotFound, dir.Redacted(), strings.Join(names, " or "))
}

// findURL finds the checksum of a file: the pinned one, or that which is published beside it.
func (c *Client) findURL(ctx context.Context, s Source) (Release, error) {
	r := Release{Source: s, URL: s.URL, Sum: s.Pin}
	if r.Sum.Hex != "" {
		return r, nil
	}
	for _, a := range algorithms {
		at := *s.URL
		at.Path, at.RawPath = at.Path+"."+a.name, ""
		text, err := c.getText(ctx, &at, maxSum)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return r, err
		}
		if r.Sum, err = parseSum(a.name, text); err != nil {
			return r, fmt.Errorf("%s: %w", at.Redacted(), err)
		}
		return r, nil
	}
	res, err := c.open(ctx, http.MethodHead, s.URL)
	if err != nil {
		return r, err
	}
	res.Body.Close()
	return r, fmt.Errorf("%s: %w: there is neither a .blake3 nor a .sha256 file beside it; if you know the hash from elsewhere, add #blake3=… or #sha256=… to the address",
		s.URL.Redacted(), ErrNoChecksum)
}

// Fetch downloads a capsule into dir and returns the file.
func (c *Client) Fetch(ctx context.Context, r Release, dir string) (path string, err error) {
	return c.FetchFile(ctx, r, dir, "download"+store.ArchiveSuffix, store.MaxArchiveSize)
}

// FetchFile downloads an asset of at most limit bytes into a new file in dir.
func (c *Client) FetchFile(ctx context.Context, r Release, dir, name string, limit int64) (path string, err error) {
	path = filepath.Join(dir, name)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	err = c.verified(ctx, r.URL, f, limit, r.Sum)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(path))
	}
	return path, nil
}
