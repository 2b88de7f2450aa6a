package host

import (
	"net/url"
	"strings"

	"github.com/unicity-astrid/astrid-go/approval"
)

// minSecret is the least length, in bytes, of a value that is taken out of a path: a shorter one is met by chance.
const minSecret = 6

// requestAction is netAction without the capsule's secrets: some services want a key in the path, and what is decided is
// shown to people and kept in the audit log.
func (f *frame) requestAction(method string, u *url.URL, size int, cost float64) approval.Action {
	a := netAction(method, u, size, cost)
	c := f.inst.capsule
	for _, key := range c.SecretKeys {
		for _, principal := range []string{f.call.Principal, c.Principal} {
			v, err := f.inst.host.svc.Secrets.Get(principal, c.ID, key)
			if err != nil || len(v) < minSecret {
				continue // one that cannot be read the capsule does not have either
			}
			path, ok := strings.CutPrefix(a.URL, originOf(u))
			if !ok {
				continue
			}
			path = strings.NewReplacer(v, "{"+key+"}", url.PathEscape(v), "{"+key+"}").Replace(path)
			a.URL = originOf(u) + path
		}
	}
	a.Resource = "net:" + a.URL
	return a
}
