package providertest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

// Break at the end of a transcript has the connection break there.
const Break = "\x00break"

// Play lets a provider read a stream, in pieces of so many bytes, as the answer to a request.
func Play(t testing.TB, id, stream string, piece int) Outcome {
	t.Helper()
	g := &Rig{Host: sdktest.New(t), T: t, ID: id}
	g.Config["model"], g.Config["api_key"], g.Config["base_url"] = "m", "k", "https://example.org"
	stream, breaks := strings.CutSuffix(stream, Break)
	g.HTTP = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		for rest := stream; rest != ""; {
			n := min(piece, len(rest))
			_, _ = w.Write([]byte(rest[:n]))
			w.(http.Flusher).Flush()
			rest = rest[n:]
		}
	})
	if breaks {
		left := (len(stream) + piece - 1) / piece
		g.HTTP = nil
		g.Handle(abi.HTTPStreamStart, func([]string) ([]byte, error) { return []byte(`{"handle":"1","status":200,"headers":{}}`), nil })
		g.Handle(abi.HTTPStreamClose, func([]string) ([]byte, error) { return nil, nil })
		at := 0
		g.Handle(abi.HTTPStreamRead, func([]string) ([]byte, error) {
			if at == left {
				return nil, abi.Errorf(abi.CodeIO, "connection reset")
			}
			from := at * piece
			at++
			return []byte(stream[from:min(from+piece, len(stream))]), nil
		})
	}
	return g.Ask(Prompt("hi"))
}

// Said is what came before the end, in short forms.
func (o Outcome) Said() string {
	return strings.Join(o.Events[:max(0, len(o.Events)-1)], " ")
}
