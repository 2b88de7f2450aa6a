package host

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"path/filepath"
	"sync"

	"github.com/unicity-astrid/astrid-go/abi"
)

// userID is the user whom the rig's accounts belong to.
const userID = "6f1c1c5e-0000-4000-8000-000000000007"

// people is a store of users with one user, whom the account chat/linked belongs to.
type people struct {
	note func(string)

	mu    sync.Mutex
	links map[string]abi.IdentityLinkRecord
	err   error // of whatever is asked
}

func (p *people) Resolve(_ context.Context, platform, account string) (User, error) {
	p.note("effect resolve")
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return User{}, p.err
	}
	if _, ok := p.links[platform+"/"+account]; !ok && account != "linked" {
		return User{}, abi.Errorf(abi.CodeNotFound, "account is not linked to a user")
	}
	return User{ID: userID, DisplayName: "Ida", Principal: "ida"}, nil
}

func (p *people) Link(_ context.Context, platform, account, user, method string) (abi.IdentityLinkRecord, error) {
	p.note("effect link")
	p.mu.Lock()
	defer p.mu.Unlock()
	if user != userID {
		return abi.IdentityLinkRecord{}, abi.Errorf(abi.CodeNotFound, "user not found: %s", user)
	}
	l := abi.IdentityLinkRecord{Platform: platform, PlatformUserID: account, AstridUserID: user, LinkedAt: "2026-01-02T03:04:05+00:00", Method: method}
	p.links[platform+"/"+account] = l
	return l, p.err
}

func (p *people) Unlink(_ context.Context, platform, account string) (bool, error) {
	p.note("effect unlink")
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.links[platform+"/"+account]
	delete(p.links, platform+"/"+account)
	return ok, p.err
}

func (p *people) CreateUser(_ context.Context, name string) (User, error) {
	p.note("effect create")
	return User{ID: userID, DisplayName: name, Principal: "ida"}, p.err
}

func (p *people) Links(context.Context, string) ([]abi.IdentityLinkRecord, error) {
	p.note("effect list")
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []abi.IdentityLinkRecord
	for _, l := range p.links {
		out = append(out, l)
	}
	return out, p.err
}

// rigSockets opens real sockets in a directory.
type rigSockets struct {
	dir string
	r   *rig
}

func (s rigSockets) path(capsule, name string) string {
	return filepath.Join(s.dir, capsule+"-"+name)
}

func (s rigSockets) Listen(capsule, name string) (net.Listener, error) {
	s.r.note("effect bind")
	ln, err := net.Listen("unix", s.path(capsule, name))
	if err == nil && s.r.onBind != nil {
		s.r.onBind(s.path(capsule, name))
	}
	return ln, err
}

// Ask is what somebody at a client does; nobody is there unless a test says so.
func (r *rig) Ask(ctx context.Context, principal, capsule string, q abi.OnboardingField) (abi.ElicitResponse, error) {
	r.note("effect ask")
	if r.ask == nil {
		return abi.ElicitResponse{Value: &q.Key}, nil
	}
	return r.ask(ctx, q)
}

// secrets keeps secrets in memory.
type secrets struct {
	mu  sync.Mutex
	m   map[string]string
	err error // of whatever is asked
}

func (s *secrets) Get(principal, capsule, name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.m[principal+":"+capsule+":"+name]
	if !ok && s.err == nil {
		return "", fs.ErrNotExist
	}
	return v, s.err
}

func (s *secrets) Has(principal, capsule, name string) (bool, error) {
	_, err := s.Get(principal, capsule, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (s *secrets) Set(principal, capsule, name, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.m[principal+":"+capsule+":"+name] = value
	}
	return s.err
}

func (s *secrets) CheckName(name string) error {
	if name == "" || name == "a:b" {
		return errors.New("invalid secret: no such name")
	}
	return nil
}
