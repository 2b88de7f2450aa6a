package sdk

import (
	"encoding/json"
	"errors"

	"github.com/unicity-astrid/astrid-go/sdk/internal/entry"
)

var (
	onInstall func(ctx *Context) error
	onUpgrade func(ctx *Context, prevVersion string) error
)

// OnInstall registers what runs when the capsule is installed for the first time. Only
// here and in [OnUpgrade] may a capsule ask the person for settings. An error undoes
// the installation.
func OnInstall(fn func(ctx *Context) error) Registration {
	if onInstall != nil {
		mistakes = append(mistakes, errors.New("OnInstall is registered twice"))
	}
	onInstall = fn
	return Registration{}
}

// OnUpgrade registers what runs when another version of the capsule was installed
// before. An error undoes the upgrade.
func OnUpgrade(fn func(ctx *Context, prevVersion string) error) Registration {
	if onUpgrade != nil {
		mistakes = append(mistakes, errors.New("OnUpgrade is registered twice"))
	}
	onUpgrade = fn
	return Registration{}
}

func init() {
	entry.Install = func() error {
		if onInstall == nil {
			return nil
		}
		return onInstall(&Context{action: "install"})
	}
	entry.Upgrade = func(input []byte) error {
		if onUpgrade == nil {
			return nil
		}
		return onUpgrade(&Context{action: "upgrade"}, previousVersion(input))
	}
}

// previousVersion reads {"prev_version":"…"}, or the bare version that older kernels send.
func previousVersion(input []byte) string {
	var req struct {
		PrevVersion string `json:"prev_version"`
	}
	if json.Unmarshal(input, &req) == nil {
		return req.PrevVersion
	}
	return string(input)
}
