package cli_test

import (
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/cli"
)

func TestPsAndTop(t *testing.T) {
	p := newPlace(t).compiled()
	p.want(cli.ExitNoDaemon, "ps", "not running", "astrid start")
	p.want(cli.ExitNoDaemon, "top --once", "not running")
	p.want(cli.ExitOK, "capsule install --yes "+p.pack("demo", "1.2.3", ""))
	p.serve()
	p.want(cli.ExitOK, "ps", "CAPSULE", "RESTARTS", "demo", "1.2.3", "ready")
	p.want(cli.ExitOK, "ps --principals", "THROTTLED", "demo", "default")
	list := decoded[[]abi.CapsuleStatus](p, "ps")
	// The install hook ran: it took time, called the host and stored a key for its principal.
	if len(list) != 1 || list[0].Name != "demo" || list[0].CPUMicros == 0 || list[0].HostCalls == 0 || len(list[0].Shares) != 1 ||
		list[0].Shares[0].Principal != "default" || list[0].Shares[0].StoredKeys != 1 || list[0].Shares[0].CPUMicros != list[0].CPUMicros {
		t.Errorf("%+v", list)
	}
	p.want(cli.ExitOK, "top --once --interval 100ms --sort name", "1 of 1 capsules ready", "%CPU", "demo")
	p.want(cli.ExitOK, "top --interval 100ms", "%CPU") // no terminal
	p.want(cli.ExitUsage, "top --interval 1ms", "at least 100ms")
	p.want(cli.ExitUsage, "top --sort colour", "want cpu")
}
