package kernel

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/unicity-astrid/astrid-go/audit"
	"github.com/unicity-astrid/astrid-go/vfs"
)

// overlayRecord is what the audit log keeps of a commit or discard. It is written before
// anything happens, so a crash in between leaves a record of what was meant.
type overlayRecord struct {
	Type       string // overlay.commit or overlay.discard
	Session    string
	Workspace  string
	Paths      []string // as the user selected; none means all
	OnConflict string
	Changes    []vfs.Change
	Conflicts  []vfs.Conflict
}

// recordBytes bounds each list of names in an entry; audit.MaxData bounds the whole. What is
// left out is counted, and the digest covers all changes.
const recordBytes = 5 << 10

type overlayData struct {
	Workspace  string   `json:"workspace"`
	OnConflict string   `json:"on_conflict,omitempty"`
	Selected   []string `json:"selected,omitempty"`
	Count      int      `json:"count"`
	Changes    []string `json:"changes"` // "added docs/new.txt"
	Digest     string   `json:"digest"`  // SHA-256 of all of them, a NUL after each
	Conflicts  int      `json:"conflicts,omitempty"`
	LeftOut    *leftOut `json:"left_out,omitempty"`
}

type leftOut struct {
	Selected int `json:"selected,omitempty"`
	Changes  int `json:"changes,omitempty"`
}

func (r overlayRecord) data() (json.RawMessage, error) {
	sum := sha256.New()
	lines := make([]string, 0, len(r.Changes))
	for _, c := range r.Changes {
		line := c.Op.String() + " " + c.Path
		lines = append(lines, line)
		fmt.Fprintf(sum, "%s\x00", line)
	}
	d := overlayData{
		Workspace: r.Workspace, OnConflict: r.OnConflict, Selected: fitting(r.Paths), Count: len(r.Changes),
		Changes: fitting(lines), Digest: hex.EncodeToString(sum.Sum(nil)), Conflicts: len(r.Conflicts),
	}
	if left := (leftOut{len(r.Paths) - len(d.Selected), len(lines) - len(d.Changes)}); left != (leftOut{}) {
		d.LeftOut = &left
	}
	return json.Marshal(d)
}

// fitting is as many of the first names as an entry has room for.
func fitting(names []string) []string {
	out, size := []string{}, 0
	for _, n := range names {
		b, err := json.Marshal(n)
		if size += len(b) + 1; err != nil || size > recordBytes {
			break
		}
		out = append(out, n)
	}
	return out
}

// record writes the entry of a decision of the user's.
func (k *Kernel) record(ctx context.Context, principal string, r overlayRecord) (audit.Entry, error) {
	data, err := r.data()
	if err != nil {
		return audit.Entry{}, err
	}
	e, err := k.gate.log.Append(ctx, principal, audit.Draft{
		Kind: audit.KindEvent, Type: r.Type, Session: r.Session, Resource: "fs:write://" + r.Workspace,
		Reason: "asked for by the user", Data: data,
	})
	if err != nil {
		return e, fmt.Errorf("it could not be recorded, so nothing was done: %w", err)
	}
	return e, nil
}

// recordFailure adds to a record that what it announces failed, and returns the failure.
// Nothing is added when it was never announced.
func (k *Kernel) recordFailure(ctx context.Context, principal string, r overlayRecord, id audit.ID, failure error) error {
	if id == (audit.ID{}) {
		return failure
	}
	_, err := k.gate.log.Append(context.WithoutCancel(ctx), principal, audit.Draft{
		Kind: audit.KindEvent, Type: r.Type + ".failed", Session: r.Session, Resource: "fs:write://" + r.Workspace,
		Reason: failure.Error(), Of: id,
	})
	return errors.Join(failure, err)
}
