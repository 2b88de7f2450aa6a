package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

// refusedNets are address ranges that only an exact host:port in the manifest opens (see opens):
// loopback, private, link-local, carrier NAT, benchmarking, reserved, and the IPv6 forms
// that carry an IPv4 address inside (6to4, Teredo, NAT64), which could smuggle one of them.
var refusedNets = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"::/128", "::1/128", "::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/32",
	"2001:db8::/32", "3fff::/20", "5f00::/16", "2002::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// PrivateAddress tells whether an address lies in a local, private or reserved network, which nobody reaches
// unless the user has named it.
func PrivateAddress(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range refusedNets {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// ErrPrivateAddress is returned for a host that resolves to a private or local address
// without an exact host:port rule.
var ErrPrivateAddress = errors.New("DNS resolved to an unauthorized private or local IP address")

// transport returns the capsule's HTTP transport. The address is checked when it is
// dialled, so neither a literal address nor a changing DNS answer escapes the check.
func (b *Bounds) transport() *http.Transport {
	b.once.Do(func() {
		d := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
		b.tr = &http.Transport{
			Proxy:               nil, // a proxy would dial for us, past the check
			DisableCompression:  true,
			ForceAttemptHTTP2:   true,
			MaxConnsPerHost:     64,
			MaxIdleConnsPerHost: 8,
			IdleConnTimeout:     60 * time.Second,
			TLSHandshakeTimeout: 15 * time.Second,

			MaxResponseHeaderBytes: 1 << 20,
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				return b.dial(ctx, d, network, addr)
			},
		}
	})
	return b.tr
}

func (b *Bounds) dial(ctx context.Context, d *net.Dialer, network, addr string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, err
	}
	conn, err := DialPermitted(ctx, d, network, addr, func(ip netip.Addr) bool { return b.opens(host, port, ip) })
	if errors.Is(err, ErrPrivateAddress) {
		err = fmt.Errorf("%w (declare the exact address:port in the capsule's net capability)", err)
	}
	return conn, err
}

// DialPermitted looks a name up and dials the first of its addresses that is permitted and answers: what was looked at is what is
// dialled, whatever DNS says next. Where none is permitted the error is ErrPrivateAddress.
func DialPermitted(ctx context.Context, d *net.Dialer, network, addr string, permits func(netip.Addr) bool) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	last := fmt.Errorf("%s: %w", addr, ErrPrivateAddress)
	for _, ip := range ips {
		if !permits(ip) {
			continue
		}
		conn, err := d.DialContext(ctx, network, net.JoinHostPort(ip.Unmap().String(), port))
		if err == nil {
			return conn, nil
		}
		last = err
	}
	return nil, last
}

// literal is the address that a host is without being looked up.
func literal(host string) (netip.Addr, bool) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip, true
	}
	name := strings.TrimSuffix(strings.ToLower(host), ".")
	return netip.AddrFrom4([4]byte{127, 0, 0, 1}), name == "localhost" || strings.HasSuffix(name, ".localhost")
}

// carrierNAT is as private as RFC 1918's ranges are.
var carrierNAT = netip.MustParsePrefix("100.64.0.0/10")

// opens tells whether a host that the manifest permits may be dialled at ip. An exact rule
// opens a private network to any name, but this machine only to localhost and addresses:
// who owns another name could point it at a service that trusts local callers. The rest,
// such as the address from which clouds hand out credentials, must be named as addresses.
func (b *Bounds) opens(host string, port int, ip netip.Addr) bool {
	if !PrivateAddress(ip) {
		return true
	}
	if !b.exact(host, port) {
		return false
	}
	ip = ip.Unmap()
	if _, err := netip.ParseAddr(host); err == nil || ip.IsPrivate() || carrierNAT.Contains(ip) {
		return true
	}
	name := strings.TrimSuffix(strings.ToLower(host), ".")
	return ip.IsLoopback() && (name == "localhost" || strings.HasSuffix(name, ".localhost"))
}

// exact tells whether the manifest names this host and port exactly.
func (b *Bounds) exact(host string, port int) bool {
	for _, r := range b.g.Net {
		if r.Exact() && (r.Permits("https", host, port) || r.Permits("http", host, port)) {
			return true
		}
	}
	return false
}

// netError gives a failed request its code and keeps the reason. The request's address is
// left out: its query may hold a key, and the text goes into the audit log.
func netError(ctx context.Context, what string, err error) *abi.Error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	var e *abi.Error
	var t net.Error
	switch {
	case errors.As(err, &e):
		return abi.Errorf(e.Code, "%s: %s", what, e.Message)
	case errors.Is(err, ErrPrivateAddress):
		return abi.Errorf(abi.CodeDenied, "%s: %v", what, err)
	case errors.Is(err, context.Canceled):
		return abi.Errorf(abi.CodeCanceled, "%s: %v", what, err)
	case errors.As(err, &t) && t.Timeout():
		return abi.Errorf(abi.CodeTimeout, "%s: %v", what, err)
	}
	if ae := toError(err); ae.Code != abi.CodeIO {
		return abi.Errorf(ae.Code, "%s: %v", what, err)
	}
	return abi.Errorf(abi.CodeIO, "%s: %v", what, err)
}
