package doctor

import (
	"net"
	"testing"

	"github.com/unicity-astrid/astrid-go/capsule"
)

func ruleOf(t *testing.T, addr net.Addr) capsule.NetRule {
	t.Helper()
	a := addr.(*net.TCPAddr)
	return capsule.NetRule{Scheme: "http", Host: a.IP.String(), Port: a.Port}
}
