package client

import (
	"encoding/json"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/kernel/wire"
)

// Answers that nobody waits for any more do not keep a connection from ending.
func TestGivenUpSendsDoNotBlock(t *testing.T) {
	here, there := net.Pipe()
	c := &Conn{conn: here, ack: make(chan abi.ClientAck, 1), in: make(chan abi.Message), done: make(chan struct{})}
	go c.read()
	for i := range 5 {
		ack, err := json.Marshal(abi.ClientAck{ID: strconv.Itoa(i)})
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(abi.Message{Topic: abi.TopicClientAck, Payload: ack})
		if err != nil {
			t.Fatal(err)
		}
		if err := there.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if err := wire.WriteFrame(there, b, abi.MaxFrame); err != nil {
			t.Fatal("the reader is stuck:", err)
		}
	}
	if err := there.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-c.done:
	case <-time.After(time.Minute):
		t.Fatal("the reader does not see the end")
	}
	if a := <-c.ack; a.ID != "4" {
		t.Errorf("the answer kept is %s", a.ID)
	}
}
