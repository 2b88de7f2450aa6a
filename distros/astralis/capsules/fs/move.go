package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	astridfs "github.com/unicity-astrid/astrid-go/sdk/fs"
)

type moveArgs struct {
	SourcePath      string `json:"source_path" desc:"Path of the file to move"`
	DestinationPath string `json:"destination_path" desc:"New path; must not exist"`
}

// moveFile copies and then deletes, because the contract has no rename. When the source
// cannot be removed the copy is taken back.
func moveFile(_ *sdk.Context, a moveArgs) (string, error) {
	st, err := astridfs.Stat(a.SourcePath)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("source path does not exist: %s", a.SourcePath)
	case err != nil:
		return "", err
	case st.IsDir():
		return "", fmt.Errorf("%s is a directory, not a file; move_file only supports files", a.SourcePath)
	case st.Size() > abi.MaxValue:
		return "", fmt.Errorf("source file is too large to move (%d bytes, limit is %d bytes)", st.Size(), abi.MaxValue)
	}
	exists, err := astridfs.Exists(a.DestinationPath)
	if err != nil {
		return "", err
	}
	if exists {
		return "", fmt.Errorf("destination already exists: %s", a.DestinationPath)
	}
	b, err := astridfs.ReadFile(a.SourcePath)
	if err != nil {
		return "", err
	}
	if err := astridfs.WriteFile(a.DestinationPath, b); err != nil {
		return "", err
	}
	if err := astridfs.Remove(a.SourcePath); err != nil {
		if undo := astridfs.Remove(a.DestinationPath); undo != nil {
			return "", fmt.Errorf("move failed: source could not be removed (%w), nor the copy at %s (%w)", err, a.DestinationPath, undo)
		}
		return "", fmt.Errorf("move failed: source could not be removed (%w); destination write was rolled back", err)
	}
	return fmt.Sprintf("Successfully moved %s to %s", a.SourcePath, a.DestinationPath), nil
}
