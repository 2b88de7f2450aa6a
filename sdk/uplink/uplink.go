// Package uplink connects outside frontends (chat platforms, notifiers) with the kernel.
package uplink

import (
	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/link"
	"github.com/unicity-astrid/astrid-go/sdk/internal/wire"
)

// Profiles of an uplink.
const (
	Chat        = "chat"
	Interactive = "interactive"
	Notify      = "notify"
	Bridge      = "bridge"
)

// Uplink is a registered frontend.
type Uplink struct{ ID string }

// Register announces a frontend. Name and platform together are unique in the capsule;
// profile is one of the constants. A capsule can have [abi.MaxUplinks].
func Register(name, platform, profile string) (*Uplink, error) {
	id, err := link.Call(abi.UplinkRegister, name, platform, profile)
	if err != nil {
		return nil, err
	}
	return &Uplink{ID: string(id)}, nil
}

// Send hands in what somebody on the platform said. An answer with Dropped means that
// the queue was full and the message is lost.
func (u *Uplink) Send(platformUserID, content string) (abi.UplinkAck, error) {
	var ack abi.UplinkAck
	err := wire.Get(abi.UplinkSend, &ack, u.ID, platformUserID, content)
	return ack, err
}
