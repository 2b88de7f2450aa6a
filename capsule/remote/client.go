package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/abi/host"
)

// DefaultBase is the release host unless another one is configured.
const DefaultBase = "https://github.com"

// DefaultIdle is how long a server may send nothing, unless something else is configured.
const DefaultIdle = 30 * time.Second

// maxTotal bounds one download, however steadily it trickles.
const maxTotal = 15 * time.Minute

// maxRedirects is how often a server may send us elsewhere.
const maxRedirects = 5

// Errors that callers tell apart.
var (
	ErrNotFound = errors.New("not found")
	ErrPrivate  = errors.New("private address")
	ErrOffline  = errors.New("the network is not to be used")
	ErrSlow     = errors.New("the server is too slow")
)

// Options configures a Client. The zero value uses the default host.
type Options struct {
	Base string        // address of the release host; "" is DefaultBase
	Idle time.Duration // how long a server may send nothing; 0 is DefaultIdle
	// Offline refuses every request.
	Offline bool
	// Progress is told how much of a file is there; total is -1 when the server does not say.
	Progress func(done, total int64)
}

// Client fetches. It may be used by several goroutines, apart from Progress.
type Client struct {
	o    Options
	base *url.URL
	http *http.Client
}

// New makes a Client.
func New(o Options) (*Client, error) {
	if o.Base == "" {
		o.Base = DefaultBase
	}
	if o.Idle == 0 {
		o.Idle = DefaultIdle
	}
	base, err := ParseBase(o.Base)
	if err != nil {
		return nil, err
	}
	c := &Client{o: o, base: base}
	c.http = &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            c.dial,
			TLSHandshakeTimeout:    o.Idle,
			ResponseHeaderTimeout:  o.Idle,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true, // hashes are of what was sent
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: c.checkRedirect,
	}
	return c, nil
}

// ParseBase checks the address of a release host.
func ParseBase(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("%q is no base address: write https://host or https://host/path", text)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}

// Base is the address of the release host.
func (c *Client) Base() *url.URL { return c.base }

// allowed says whether an address may be asked at all.
func (c *Client) allowed(u *url.URL) error {
	if c.isBase(u) {
		return nil
	}
	if u.Scheme != "https" {
		return fmt.Errorf("%s: only https is trusted; plain http is for the base address that is configured as capsules.base_url", u.Redacted())
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && host.PrivateAddress(ip) {
		return fmt.Errorf("%s: %w: only the host that is configured as capsules.base_url may be local", u.Redacted(), ErrPrivate)
	}
	return nil
}

func (c *Client) isBase(u *url.URL) bool {
	return u.Scheme == c.base.Scheme && strings.EqualFold(hostPort(u), hostPort(c.base))
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		if port = "443"; u.Scheme == "http" {
			port = "80"
		}
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func (c *Client) checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	if err := c.allowed(req.URL); err != nil {
		return fmt.Errorf("redirected to %w", err)
	}
	return nil
}

// dial checks the address at the moment of dialling, so that no changing DNS answer escapes the check.
func (c *Client) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d := &net.Dialer{Timeout: c.o.Idle}
	if strings.EqualFold(addr, hostPort(c.base)) || c.isProxy(addr) {
		return d.DialContext(ctx, network, addr)
	}
	conn, err := host.DialPermitted(ctx, d, network, addr, func(ip netip.Addr) bool { return !host.PrivateAddress(ip) })
	if errors.Is(err, host.ErrPrivateAddress) {
		err = fmt.Errorf("%s: %w: only the host that is configured as capsules.base_url may be local", addr, ErrPrivate)
	}
	return conn, err
}

// isProxy tells whether an address is that of the user's proxy, which looks up names for us.
func (c *Client) isProxy(addr string) bool {
	for _, scheme := range []string{"https", "http"} {
		p, err := http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: scheme, Host: "example.com"}})
		if err == nil && p != nil && strings.EqualFold(hostPort(p), addr) {
			return true
		}
	}
	return false
}
