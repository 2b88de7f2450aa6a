package host

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// uplink is a registered frontend. It belongs to the instance and ends with it.
type uplink struct{ id, name, platform, profile string }

var uplinkProfiles = []string{"chat", "interactive", "notify", "bridge"}

// uplink checks that the capsule declares itself a frontend, and of a platform that is not the system's own: what it hands
// in is said by whom an account belongs to.
func (b *Bounds) uplink(platform string) permit {
	return func() (string, error) {
		if !b.g.Uplink {
			return "", b.deny("uplink")
		}
		if platform == systemPlatform {
			return "", b.refuse("denied: accounts of platform '%s' belong to the system", platform)
		}
		return "uplink", nil
	}
}

func (h *Host) planUplink(_ context.Context, f *frame, args [][]byte) (plan, error) {
	u := &uplink{
		id: uuid.NewString(), name: printable(string(args[0]), abi.MaxUplinkField),
		platform: asciiLower(printable(string(args[1]), abi.MaxUplinkField)), profile: asciiLower(strings.TrimSpace(string(args[2]))),
	}
	if u.profile == "human" { // as early guests call it
		u.profile = "chat"
	}
	switch {
	case !slices.Contains(uplinkProfiles, u.profile):
		return plan{}, abi.Errorf(abi.CodeInvalid, "invalid uplink profile: %q (expected: chat, interactive, notify, bridge, human)", args[2])
	case u.name == "" || u.platform == "":
		return plan{}, abi.Errorf(abi.CodeInvalid, "an uplink needs a name and a platform")
	}
	return plan{
		action: approval.Action{Kind: approval.Uplink, Resource: "uplink:register:" + u.platform + "/" + u.name},
		bounds: f.inst.capsule.Bounds.uplink(u.platform),
		do: func(context.Context, approval.Grant) ([]byte, error) {
			return []byte(u.id), f.inst.addUplink(u)
		},
	}, nil
}

func (i *Instance) addUplink(u *uplink) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.uplinks) >= abi.MaxUplinks {
		return abi.Errorf(abi.CodeLimit, "capsule %s: uplink registration limit reached (%d)", i.capsule.ID, abi.MaxUplinks)
	}
	if slices.ContainsFunc(i.uplinks, func(o *uplink) bool { return o.name == u.name && o.platform == u.platform }) {
		return abi.Errorf(abi.CodeExists, "capsule %s: duplicate uplink name and platform", i.capsule.ID)
	}
	i.uplinks = append(i.uplinks, u)
	return nil
}

func (i *Instance) uplink(id string) *uplink {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, u := range i.uplinks {
		if u.id == id {
			return u
		}
	}
	return nil
}

// planUplinkSend hands in what somebody said on a platform. The message goes out on a topic that only this function can
// publish on, for the principal of the user whom the account belongs to: capsules that answer it act for that user. For an
// account that belongs to nobody it has no user_id, and the principal of the call.
func (h *Host) planUplinkSend(_ context.Context, f *frame, args [][]byte) (plan, error) {
	id := string(args[0])
	u := f.inst.uplink(id)
	if u == nil {
		return plan{}, abi.Errorf(abi.CodeHandle, "uplink %q not registered by capsule %s", id, f.inst.capsule.ID)
	}
	account, content := printable(string(args[1]), abi.MaxUplinkField), strings.ToValidUTF8(string(args[2]), "\uFFFD")
	if account == "" {
		return plan{}, abi.Errorf(abi.CodeInvalid, "platform_user_id must not be empty")
	}
	return plan{
		action: approval.Action{Kind: approval.Uplink, Resource: "uplink:send:" + u.platform + "/" + u.name, Size: int64(len(content))},
		bounds: f.inst.capsule.Bounds.uplink(u.platform),
		do: func(ctx context.Context, _ approval.Grant) ([]byte, error) {
			if err := f.inst.limiter.Wait(ctx, len(content)); err != nil {
				return nil, abi.Errorf(abi.CodeLimit, "%v", err)
			}
			in := abi.UplinkInbound{
				UplinkID: u.id, Uplink: u.name, Platform: u.platform, Profile: u.profile, PlatformUserID: account,
				Content: content, Timestamp: h.svc.Now().UTC().Format(time.RFC3339Nano),
			}
			who, err := h.svc.Identities.Resolve(ctx, u.platform, account)
			switch {
			case err == nil:
				in.UserID, in.DisplayName = who.ID, who.DisplayName
			case toError(err).Code != abi.CodeNotFound && toError(err).Code != abi.CodeInvalid:
				return nil, err // whose it is could not be found out, so it is not said in anybody's name
			}
			payload, err := ipc.Custom(in)
			if err != nil {
				return nil, err
			}
			m := f.message(abi.TopicUplinkInbound, payload)
			if in.UserID != "" {
				m.Principal, m.Session = who.Principal, ""
			}
			var full *ipc.QueueFullError
			if err := h.svc.Publisher.Publish(ctx, m); errors.As(err, &full) {
				return encode(abi.UplinkAck{Dropped: true})
			} else if err != nil {
				return nil, err
			}
			return encode(abi.UplinkAck{OK: true})
		},
	}, nil
}
