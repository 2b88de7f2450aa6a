package kernel

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

// manage answers a management request to the client that made it, on
// astrid.v1.response.<suffix>, whatever goes wrong.
func (c *client) manage(f *abi.ClientFrame) error {
	suffix := strings.TrimPrefix(f.Topic, abi.TopicRequestPrefix)
	if suffix == "" {
		return fmt.Errorf("%s: the suffix is missing", f.Topic)
	}
	var req abi.KernelRequest
	resp := abi.KernelResponse{}
	if err := json.Unmarshal(f.Payload, &req); err != nil {
		resp = failure(fmt.Errorf("management request: %w", err))
	} else {
		resp = c.k.manageAs(c.ctx, c.principal, &req)
	}
	c.reply(abi.TopicResponsePrefix+suffix, resp)
	if req.Method == abi.MethodShutdown && resp.Status == "Success" {
		reason, _ := shutdownReason(&req) // it was checked
		c.last = func() { c.k.requestShutdown("requested by a client: " + reason) }
	}
	return nil
}

// management carries out one request.
func (k *Kernel) management(req *abi.KernelRequest) abi.KernelResponse {
	switch req.Method {
	case abi.MethodGetStatus:
		return answer("Status", k.Status())
	case abi.MethodListCapsules:
		return answer("Success", k.Status().LoadedCapsules)
	case abi.MethodGetCommands:
		return answer("Commands", k.commands())
	case abi.MethodGetMetadata:
		return answer("CapsuleMetadata", k.metadata())
	case abi.MethodReloadCapsules:
		if err := k.loadAll(k.ctx); err != nil {
			return failure(err)
		}
		return answer("Success", map[string]string{"status": "reloaded"})
	case abi.MethodShutdown:
		if _, err := shutdownReason(req); err != nil {
			return failure(err)
		}
		// The client that asked starts it, once it has its answer.
		return answer("Success", map[string]string{"status": "shutting_down"})
	}
	return failure(fmt.Errorf("unknown method %q", req.Method))
}

func shutdownReason(req *abi.KernelRequest) (string, error) {
	var p struct {
		Reason string `json:"reason"`
	}
	if len(req.Params) > 0 && json.Unmarshal(req.Params, &p) != nil {
		return "", fmt.Errorf("Shutdown: params must be an object with a text reason")
	}
	return p.Reason, nil
}

func answer(status string, data any) abi.KernelResponse {
	b, err := json.Marshal(data)
	if err != nil {
		slog.Error("A management answer could not be encoded", "error", err)
		return failure(err)
	}
	return abi.KernelResponse{Status: status, Data: b}
}

func failure(err error) abi.KernelResponse {
	b, _ := json.Marshal(err.Error()) // a string always encodes
	return abi.KernelResponse{Status: "Error", Data: b}
}

type command struct {
	Name            string `json:"name"`
	Description     string `json:"description"`
	ProviderCapsule string `json:"provider_capsule"`
}

func (k *Kernel) commands() []command {
	out := []command{}
	for _, c := range k.registry.List() {
		for _, cmd := range c.Manifest().Commands {
			d := cmd.Description
			if d == "" {
				d = "No description"
			}
			out = append(out, command{cmd.Name, d, c.ID()})
		}
	}
	return out
}

type metadata struct {
	Name              string   `json:"name"`
	InterceptorEvents []string `json:"interceptor_events"`
	// LlmProviders is expected by guests built with older type packages; it is always empty.
	LlmProviders []struct{} `json:"llm_providers"`
}

func (k *Kernel) metadata() []metadata {
	out := []metadata{}
	for _, c := range k.registry.List() {
		m := metadata{Name: c.ID(), InterceptorEvents: []string{}, LlmProviders: []struct{}{}}
		for _, ic := range c.Manifest().Interceptors {
			m.InterceptorEvents = append(m.InterceptorEvents, ic.Event)
		}
		out = append(out, m)
	}
	return out
}

// Status describes the daemon.
func (k *Kernel) Status() abi.DaemonStatus {
	s := abi.DaemonStatus{
		PID:              k.pid,
		UptimeSecs:       uint64(k.now().Sub(k.started) / time.Second),
		Version:          k.opts.Version,
		Ephemeral:        k.opts.Ephemeral,
		ConnectedClients: k.server.count(),
		LoadedCapsules:   []string{},
		Workspace:        k.opts.Workspace,
		Capsules:         k.capsuleStatus(),
		BootMs:           k.bootTook.Milliseconds(),
	}
	for _, c := range s.Capsules {
		if c.State == "ready" {
			s.LoadedCapsules = append(s.LoadedCapsules, c.Name)
		}
	}
	b := k.bus.Stats()
	s.Bus = abi.BusStatus{Published: b.Published, Delivered: b.Delivered, QueueFull: b.QueueFull, Subscriptions: b.Subscriptions}
	return s
}
