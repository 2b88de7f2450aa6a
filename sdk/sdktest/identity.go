package sdktest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

// Uplink is a frontend that the capsule has registered, with what it handed in.
type Uplink struct {
	ID, Name, Platform, Profile string
	Sent                        []UplinkMessage
}

// UplinkMessage is one call of uplink.Send.
type UplinkMessage struct{ PlatformUserID, Content string }

// Uplinks returns the capsule's uplinks in order of registration.
func (h *Host) Uplinks() []Uplink {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.uplinks)
}

func (h *Host) serveUplink(fn abi.Function, p []string) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if fn == abi.UplinkSend {
		for i := range h.uplinks {
			if h.uplinks[i].ID == p[0] {
				h.uplinks[i].Sent = append(h.uplinks[i].Sent, UplinkMessage{p[1], p[2]})
				return json.Marshal(abi.UplinkAck{OK: true})
			}
		}
		return nil, abi.Errorf(abi.CodeHandle, "uplink %q not registered by this capsule", p[0])
	}
	u := Uplink{ID: uuid(len(h.uplinks) + 1), Name: p[0], Platform: platform(p[1]), Profile: strings.ToLower(p[2])}
	if !slices.Contains([]string{"chat", "interactive", "notify", "bridge", "human"}, u.Profile) {
		return nil, abi.Errorf(abi.CodeInvalid, "invalid uplink profile: %q", p[2])
	}
	if u.Profile == "human" {
		u.Profile = "chat"
	}
	for _, o := range h.uplinks {
		if o.Name == u.Name && o.Platform == u.Platform {
			return nil, abi.Errorf(abi.CodeExists, "duplicate uplink name and platform")
		}
	}
	if len(h.uplinks) >= abi.MaxUplinks {
		return nil, abi.Errorf(abi.CodeLimit, "uplink registration limit reached")
	}
	h.uplinks = append(h.uplinks, u)
	return []byte(u.ID), nil
}

func platform(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

func uuid(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

func (h *Host) serveIdentity(fn abi.Function, p []string) ([]byte, error) {
	var req abi.IdentityRequest
	if err := request(fn, p[0], &req); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	account := [2]string{platform(req.Platform), req.PlatformUserID}
	needsAccount := fn == abi.IdentityResolve || fn == abi.IdentityLink || fn == abi.IdentityUnlink
	if needsAccount && (account[0] == "" || account[1] == "") {
		return nil, abi.Errorf(abi.CodeInvalid, "platform and platform_user_id must not be empty")
	}
	switch fn {
	case abi.IdentityResolve:
		l, ok := h.links[account]
		if !ok {
			return json.Marshal(map[string]any{"found": false})
		}
		return json.Marshal(map[string]any{"found": true, "user_id": l.AstridUserID, "display_name": h.users[l.AstridUserID]})
	case abi.IdentityLink:
		if _, ok := h.users[req.AstridUserID]; !ok {
			return nil, abi.Errorf(abi.CodeNotFound, "user not found: %s", req.AstridUserID)
		}
		l := abi.IdentityLinkRecord{
			Platform: account[0], PlatformUserID: account[1], AstridUserID: req.AstridUserID,
			LinkedAt: h.Now.Format(time.RFC3339), Method: req.Method,
		}
		h.links[account] = l
		return json.Marshal(map[string]any{"ok": true, "link": l})
	case abi.IdentityUnlink:
		_, had := h.links[account]
		delete(h.links, account)
		return json.Marshal(map[string]any{"ok": true, "removed": had})
	case abi.IdentityCreateUser:
		id := uuid(1000 + len(h.users))
		h.users[id] = ""
		if req.DisplayName != nil {
			h.users[id] = *req.DisplayName
		}
		return json.Marshal(map[string]any{"ok": true, "user_id": id})
	}
	found := []abi.IdentityLinkRecord{}
	for _, l := range h.links {
		if l.AstridUserID == req.AstridUserID {
			found = append(found, l)
		}
	}
	slices.SortFunc(found, func(a, b abi.IdentityLinkRecord) int {
		return strings.Compare(a.Platform+"\x00"+a.PlatformUserID, b.Platform+"\x00"+b.PlatformUserID)
	})
	return json.Marshal(map[string]any{"ok": true, "links": found})
}
