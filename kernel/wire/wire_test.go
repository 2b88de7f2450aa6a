package wire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
)

func TestFrameRoundTrip(t *testing.T) {
	for _, body := range []string{"", "{}", strings.Repeat("x", 70000)} {
		var buf bytes.Buffer
		if err := WriteFrame(&buf, []byte(body), 1<<20); err != nil {
			t.Fatal(err)
		}
		got, err := ReadFrame(&buf, 1<<20)
		if err != nil || string(got) != body {
			t.Fatalf("frame of %d bytes came back as %d bytes, %v", len(body), len(got), err)
		}
	}
}

func TestReadFrameErrors(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     error
	}{
		{"end between frames", "", io.EOF},
		{"end in the length", "\x00\x00", io.ErrUnexpectedEOF},
		{"end before the body", "\x00\x00\x00\x02", io.ErrUnexpectedEOF},
		{"end in the body", "\x00\x00\x00\x02{", io.ErrUnexpectedEOF},
		{"over the limit", "\xff\xff\xff\xff", ErrFrameTooLarge},
	} {
		if _, err := ReadFrame(strings.NewReader(c.in), 10); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	if err := WriteFrame(io.Discard, make([]byte, 11), 10); !errors.Is(err, ErrFrameTooLarge) {
		t.Errorf("a frame over the limit was written: %v", err)
	}
}

func TestHandshake(t *testing.T) {
	for _, c := range []struct {
		name, token string
		version     int
		want        string
	}{
		{"right", "good", abi.ProtocolVersion, ""},
		{"wrong token", "bad", abi.ProtocolVersion, "authentication failed"},
		{"wrong version hides the token", "bad", 9, "Protocol version mismatch"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, server := net.Pipe()
			defer client.Close()
			defer server.Close()
			done := make(chan error, 1)
			go func() {
				_, err := Accept(server, "1.0.0", func(s string) bool { return s == "good" })
				done <- err
			}()
			var err error
			if c.version == abi.ProtocolVersion {
				_, err = Greet(client, "1.0.0", c.token)
			} else {
				frame := strings.Replace(`{"token":"bad","protocol_version":9,"client_version":""}`, "bad", c.token, 1)
				if err := WriteFrame(client, []byte(frame), abi.MaxHandshake); err != nil {
					t.Fatal(err)
				}
				var b []byte
				if b, err = ReadFrame(client, abi.MaxHandshake); err == nil {
					err = errors.New(string(b))
				}
			}
			serverErr := <-done
			if c.want == "" {
				if err != nil || serverErr != nil {
					t.Fatalf("client: %v, server: %v", err, serverErr)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("client got %v, want %q", err, c.want)
			}
			if serverErr == nil {
				t.Error("the server took the connection")
			}
		})
	}
}

func TestAcceptRefusesGarbageWithoutAnswer(t *testing.T) {
	client, server := net.Pipe()
	go func() {
		_ = WriteFrame(client, []byte("not json"), 100)
		client.Close()
	}()
	if _, err := Accept(server, "1", func(string) bool { return true }); err == nil {
		t.Fatal("garbage was taken for a handshake")
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x02{}"))
	f.Fuzz(func(t *testing.T, in []byte) {
		b, err := ReadFrame(bytes.NewReader(in), 1<<16)
		if err == nil && !bytes.Equal(b, in[4:4+len(b)]) {
			t.Fatal("frame differs from its input")
		}
	})
}
