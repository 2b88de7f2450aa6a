package host

import (
	"net/http"
	"strings"
	"testing"
)

// A key that a service wants in the path is sent, and neither shown to people nor kept in the log.
func TestSecretInPathIsNotRecorded(t *testing.T) {
	const key = "123:ab/c d"
	var got []string
	s := serve(t, func(w http.ResponseWriter, req *http.Request) {
		if got = append(got, req.URL.Path); strings.HasSuffix(req.URL.Path, "/away") {
			http.Redirect(w, req, "/x/123:ab%2Fc%20d/end", http.StatusFound)
		}
	})
	r := newRig(t, autonomous())
	must(t, r.keys.Set("default", "guest", "api_key", key))
	g := r.surfer(s.rule)
	g.get(s.URL + "/bot123:ab%2Fc%20d/away")
	if len(got) != 2 || got[0] != "/bot"+key+"/away" || got[1] != "/x/"+key+"/end" {
		t.Fatalf("requests for %q", got)
	}
	var seen []string
	for _, e := range r.decisions("default") {
		seen = append(seen, strings.TrimPrefix(e.Resource, "net:"+s.URL))
	}
	if strings.Join(seen, " ") != "/bot{api_key}/away /x/{api_key}/end" {
		t.Errorf("recorded: %q", seen)
	}
}
