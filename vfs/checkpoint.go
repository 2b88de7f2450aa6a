package vfs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// MaxCheckpoints is how many checkpoints an overlay may have.
const MaxCheckpoints = 50

var (
	// ErrNoCheckpoint: there is no checkpoint of this number.
	ErrNoCheckpoint = errors.New("no such checkpoint")
	// ErrCheckpoints: the overlay has MaxCheckpoints already.
	ErrCheckpoints = fmt.Errorf("there are %d checkpoints already, delete some", MaxCheckpoints)
)

// Checkpoint is a copy of an overlay's changes as they were at one moment. Devices, FIFOs and
// sockets that a child made are not in it, and no commit takes them either.
type Checkpoint struct {
	ID      int       `json:"id"` // counts up from 1
	Label   string    `json:"label,omitempty"`
	Created time.Time `json:"created"`
	Changes int       `json:"changes"`
	Bytes   int64     `json:"bytes"` // of the changed files
}

// A checkpoint is the directory checkpoints/<id> of the state directory: upper is a copy of the upper layer, base.jsonl the
// records that go with it, checkpoint.json what is told of it. It is made in the staging directory and renamed into place.

const (
	checkpointInfo = "checkpoint.json"
	checkpointBase = "base.jsonl"
	checkpointTree = "upper"
)

func (v *OverlayVfs) checkpointsDir() string { return filepath.Join(v.stateDir, "checkpoints") }

func (v *OverlayVfs) checkpointDir(id int) string {
	return filepath.Join(v.checkpointsDir(), strconv.Itoa(id))
}

// Checkpoints lists the checkpoints, the oldest first.
func (v *OverlayVfs) Checkpoints() (list []Checkpoint, err error) {
	err = v.alone("checkpoint", func() (err error) {
		list, err = v.checkpoints()
		return err
	})
	return list, err
}

func (v *OverlayVfs) checkpoints() ([]Checkpoint, error) {
	entries, err := os.ReadDir(v.checkpointsDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var list []Checkpoint
	for _, e := range entries {
		id, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		c, err := v.checkpoint(id)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b Checkpoint) int { return a.ID - b.ID })
	return list, nil
}

func (v *OverlayVfs) checkpoint(id int) (c Checkpoint, err error) {
	data, err := os.ReadFile(filepath.Join(v.checkpointDir(id), checkpointInfo))
	if errors.Is(err, fs.ErrNotExist) {
		return c, fmt.Errorf("%w: %d", ErrNoCheckpoint, id)
	}
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		return c, fmt.Errorf("checkpoint %d: %w", id, err)
	}
	c.ID = id
	return c, nil
}

// Checkpoint copies the overlay's changes. It is ErrMounted while programs run in the tree.
func (v *OverlayVfs) Checkpoint(label string) (c Checkpoint, err error) {
	err = v.layers("checkpoint", func() (err error) {
		c, err = v.makeCheckpoint(label)
		return err
	})
	return c, err
}

func (v *OverlayVfs) makeCheckpoint(label string) (c Checkpoint, err error) {
	list, err := v.checkpoints()
	if err != nil {
		return c, err
	}
	if len(list) >= MaxCheckpoints {
		return c, ErrCheckpoints
	}
	c = Checkpoint{ID: 1, Label: label, Created: v.opts.Now().UTC()}
	if len(list) > 0 {
		c.ID = list[len(list)-1].ID + 1
	}
	changes, err := v.changes(nil)
	if err != nil {
		return c, err
	}
	if err := v.settleBirths(changes); err != nil {
		return c, err
	}
	c.Changes = len(changes)
	for _, change := range changes {
		if change.Op != Deleted && change.New.IsRegular() {
			c.Bytes += change.NewSize
		}
	}
	tmp := tempName()
	if err := v.stageCheckpoint(tmp, c); err != nil {
		return c, errors.Join(err, removeTree(v.stage, tmp))
	}
	if err := os.MkdirAll(v.checkpointsDir(), 0o700); err != nil {
		return c, err
	}
	return c, os.Rename(filepath.Join(v.stagePath(), tmp), v.checkpointDir(c.ID))
}

func (v *OverlayVfs) stageCheckpoint(tmp string, c Checkpoint) error {
	dir := filepath.Join(v.stagePath(), tmp)
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Mkdir(filepath.Join(dir, checkpointTree), 0o700)); err != nil {
		return err
	}
	if err := v.copyLayer(v.up, filepath.Join(dir, checkpointTree)); err != nil {
		return err
	}
	base, err := v.base.encode()
	if err != nil {
		return err
	}
	info, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return errors.Join(writeAtomic(filepath.Join(dir, checkpointBase), base, false), writeAtomic(filepath.Join(dir, checkpointInfo), info, false))
}

// settleBirths records what the workspace has where only the age of an upper entry told that it has not changed: a copy is
// younger. Where it has changed, the record is one that nothing is the same as.
func (v *OverlayVfs) settleBirths(changes []Change) error {
	for _, c := range changes {
		if v.base.has(c.Path) {
			continue
		}
		reason, err := v.conflict(c)
		if err == nil && reason == "" {
			err = v.cover(c.Path, "")
		} else if err == nil {
			err = v.base.put(baseRecord{Path: diskName(c.Path), There: true})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// DropCheckpoint deletes a checkpoint.
func (v *OverlayVfs) DropCheckpoint(id int) error {
	return v.alone("checkpoint", func() error {
		if _, err := v.checkpoint(id); err != nil {
			return err
		}
		tmp := filepath.Join(v.stagePath(), tempName())
		if err := os.Rename(v.checkpointDir(id), tmp); err != nil {
			return err
		}
		return removeTree(v.stage, filepath.Base(tmp))
	})
}
