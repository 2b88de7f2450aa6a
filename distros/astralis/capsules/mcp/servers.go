package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/env"
	"github.com/unicity-astrid/astrid-go/sdk/kv"
	"github.com/unicity-astrid/astrid-go/sdk/process"
)

// server is a program that the person has named.
type server struct {
	name string
	argv []string
}

// servers reads the setting. The daemon reads it in the same way: what is not there cannot be started.
func servers() ([]server, error) {
	var out []server
	for i, line := range strings.Split(env.Get("servers"), "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, command, ok := strings.Cut(line, ":")
		argv := strings.Fields(command)
		if !ok || len(argv) == 0 {
			return nil, fmt.Errorf("setting servers, line %d: want NAME: PROGRAM ARGUMENTS", i+1)
		}
		out = append(out, server{name, argv})
	}
	return out, nil
}

func find(all []server, name string) (server, error) {
	var names []string
	for _, s := range all {
		if s.name == name {
			return s, nil
		}
		names = append(names, s.name)
	}
	return server{}, fmt.Errorf("there is no MCP server %q; set up are: %s", name, strings.Join(names, ", "))
}

// running is a server that was started, as it is kept between calls: the next one may be handled by another instance.
type running struct {
	PID   uint64 `json:"pid"`
	Next  int    `json:"next"` // id of the next request
	Rest  string `json:"rest"` // of a line that has not ended
	Ready bool   `json:"ready"`
}

// key is where the servers of a session are kept.
func key(session, name string) string { return fmt.Sprintf("running.%x.%s", session, name) }

// connect finds a running server of the session, or starts it.
func connect(ctx *sdk.Context, s server) (*conn, error) {
	c := &conn{key: key(ctx.Session(), s.name), name: s.name, ctx: ctx}
	st, ok, err := kv.GetJSON[running](c.key)
	if err != nil {
		return nil, err
	}
	if ok && st.Ready {
		c.running = st
		if l, err := c.process().Say("", 0); err == nil && l.Running {
			c.Rest += l.Stdout
			return c, nil
		}
		c.end()
	}
	p, err := process.Command{Name: s.argv[0], Args: s.argv[1:], Interactive: true}.Start()
	if err != nil {
		return nil, fmt.Errorf("MCP server %s: %w", s.name, err)
	}
	c.running = running{PID: p.ID}
	if err := c.begin(); err != nil {
		c.end()
		return nil, err
	}
	return c, nil
}

func (c *conn) process() *process.Process { return &process.Process{ID: c.PID} }

// keep stores the state of the connection.
func (c *conn) keep() error { return kv.SetJSON(c.key, c.running) }

// end ends the server. One that is gone already is no news.
func (c *conn) end() {
	if _, err := c.process().Kill(); err != nil && !errors.Is(err, abi.ErrHandle) {
		c.ctx.Warn("An MCP server could not be ended", "server", c.name, "error", err)
	}
	if err := kv.Delete(c.key); err != nil {
		c.ctx.Warn("An MCP server could not be forgotten", "server", c.name, "error", err)
	}
}

// endAll ends the servers of the session.
func endAll(ctx *sdk.Context) error {
	prefix := key(ctx.Session(), "")
	keys, err := kv.List(prefix)
	if err != nil {
		return err
	}
	for _, k := range keys {
		st, ok, err := kv.GetJSON[running](k)
		if err != nil {
			return err
		}
		if ok {
			(&conn{running: st, key: k, name: strings.TrimPrefix(k, prefix), ctx: ctx}).end()
		}
	}
	return nil
}
