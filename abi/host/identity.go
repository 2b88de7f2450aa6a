package host

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
)

// User is a person as capsules see one.
type User struct {
	ID          string // UUID
	DisplayName string
	Principal   string // whose files, keys and log are theirs; not told to guests
}

// Identities are the users of this daemon and their accounts on platforms. It is implemented by the kernel over kernel/identity.
type Identities interface {
	// Resolve finds the user of an account; an error that is an abi.ErrNotFound when it is nobody's.
	Resolve(ctx context.Context, platform, account string) (User, error)
	Link(ctx context.Context, platform, account, user, method string) (abi.IdentityLinkRecord, error)
	Unlink(ctx context.Context, platform, account string) (bool, error)
	CreateUser(ctx context.Context, name string) (User, error)
	Links(ctx context.Context, user string) ([]abi.IdentityLinkRecord, error)
}

// identityLevels in order: each includes those before it.
var identityLevels = []string{"resolve", "link", "admin"}

// systemPlatform holds the account of whoever runs the daemon. No capsule may say whose it is.
const systemPlatform = "cli"

// identity checks the level that an identity function needs.
func (b *Bounds) identity(level string) permit {
	return func() (string, error) {
		need := false
		for _, l := range identityLevels {
			need = need || l == level
			if !need {
				continue
			}
			for _, have := range b.g.Identity {
				if have == l {
					return "identity " + l, nil
				}
			}
		}
		return "", b.refuse("denied: identity operation '%s' not declared in manifest (has: %q)", level, b.g.Identity)
	}
}

// account checks the level and keeps capsules away from the system's own accounts.
func (b *Bounds) account(level, platform string) permit {
	return func() (string, error) {
		if platform == systemPlatform {
			return "", b.refuse("denied: accounts of platform '%s' belong to the system", platform)
		}
		return b.identity(level)()
	}
}

// identityRequest decodes the common record.
func identityRequest(raw []byte, what string) (req abi.IdentityRequest, err error) {
	err = decode(raw, &req, what)
	return req, err
}

// accountRequest is identityRequest of a function that names an account. Platforms are compared in lower case. What the
// resource of the action is made of must not look like another one's.
func accountRequest(raw []byte, what string) (abi.IdentityRequest, error) {
	req, err := identityRequest(raw, what)
	if err != nil {
		return req, err
	}
	req.Platform = asciiLower(strings.TrimSpace(req.Platform))
	for _, f := range []struct{ name, text string }{{"platform", req.Platform}, {"platform_user_id", req.PlatformUserID}} {
		switch {
		case strings.TrimSpace(f.text) == "":
			return req, abi.Errorf(abi.CodeInvalid, "invalid %s request: %s must not be empty", what, f.name)
		case strings.ContainsAny(f.text, "/\x00"):
			return req, abi.Errorf(abi.CodeInvalid, "invalid %s request: %s must not contain '/' or null bytes", what, f.name)
		}
	}
	return req, nil
}

func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// identityPlan plans one access to the users. what says which, as a grant for it would.
func identityPlan(what string, bounds permit, do func(context.Context) (any, error)) plan {
	return plan{
		action: approval.Action{Kind: approval.Identity, Resource: "identity:" + what},
		bounds: bounds,
		do: func(ctx context.Context, _ approval.Grant) ([]byte, error) {
			v, err := do(ctx)
			if err != nil {
				return nil, err
			}
			return encode(v)
		},
	}
}

func (h *Host) planResolve(_ context.Context, f *frame, args [][]byte) (plan, error) {
	req, err := accountRequest(args[0], "resolve")
	if err != nil {
		return plan{}, err
	}
	return identityPlan("resolve:"+req.Platform+"/"+req.PlatformUserID, f.inst.capsule.Bounds.identity("resolve"), func(ctx context.Context) (any, error) {
		u, err := h.svc.Identities.Resolve(ctx, req.Platform, req.PlatformUserID)
		if err != nil && toError(err).Code == abi.CodeNotFound {
			return abi.IdentityAnswer{Found: new(bool)}, nil
		}
		if err != nil {
			return nil, err
		}
		return abi.IdentityAnswer{Found: yes(), UserID: u.ID, DisplayName: u.DisplayName}, nil
	}), nil
}

func (h *Host) planLinkAccount(_ context.Context, f *frame, args [][]byte) (plan, error) {
	req, err := accountRequest(args[0], "link")
	if err != nil {
		return plan{}, err
	}
	if err := checkUUID(req.AstridUserID); err != nil {
		return plan{}, err
	}
	what := "link:" + req.Platform + "/" + req.PlatformUserID + "/" + req.AstridUserID
	return identityPlan(what, f.inst.capsule.Bounds.account("link", req.Platform), func(ctx context.Context) (any, error) {
		l, err := h.svc.Identities.Link(ctx, req.Platform, req.PlatformUserID, req.AstridUserID, req.Method)
		return abi.IdentityAnswer{OK: yes(), Link: &l}, err
	}), nil
}

func (h *Host) planUnlinkAccount(_ context.Context, f *frame, args [][]byte) (plan, error) {
	req, err := accountRequest(args[0], "unlink")
	if err != nil {
		return plan{}, err
	}
	return identityPlan("unlink:"+req.Platform+"/"+req.PlatformUserID, f.inst.capsule.Bounds.account("link", req.Platform), func(ctx context.Context) (any, error) {
		removed, err := h.svc.Identities.Unlink(ctx, req.Platform, req.PlatformUserID)
		return abi.IdentityAnswer{OK: yes(), Removed: &removed}, err
	}), nil
}

func (h *Host) planCreateUser(_ context.Context, f *frame, args [][]byte) (plan, error) {
	req, err := identityRequest(args[0], "create_user")
	if err != nil {
		return plan{}, err
	}
	name := ""
	if req.DisplayName != nil {
		name = *req.DisplayName
	}
	return identityPlan("create:"+name, f.inst.capsule.Bounds.identity("admin"), func(ctx context.Context) (any, error) {
		u, err := h.svc.Identities.CreateUser(ctx, name)
		return abi.IdentityAnswer{OK: yes(), UserID: u.ID}, err
	}), nil
}

func (h *Host) planListLinks(_ context.Context, f *frame, args [][]byte) (plan, error) {
	req, err := identityRequest(args[0], "list_links")
	if err != nil {
		return plan{}, err
	}
	if err := checkUUID(req.AstridUserID); err != nil {
		return plan{}, err
	}
	return identityPlan("list:"+req.AstridUserID, f.inst.capsule.Bounds.identity("link"), func(ctx context.Context) (any, error) {
		links, err := h.svc.Identities.Links(ctx, req.AstridUserID)
		if links == nil {
			links = []abi.IdentityLinkRecord{}
		}
		return abi.IdentityAnswer{OK: yes(), Links: &links}, err
	}), nil
}

func yes() *bool { t := true; return &t }

// checkUUID takes the canonical form only: other spellings would make other resources of the same user.
func checkUUID(text string) error {
	id, err := uuid.Parse(text)
	if err == nil && id.String() == text {
		return nil
	}
	return abi.Errorf(abi.CodeInvalid, "invalid UUID: %q: want lower case hex in groups of 8-4-4-4-12", text)
}
