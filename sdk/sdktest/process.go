package sdktest

import (
	"encoding/json"

	"github.com/unicity-astrid/astrid-go/abi"
)

// process is a background program. It has ended before anybody can look, but its output
// is handed out once, like that of a real one.
type process struct {
	abi.ProcessResult
	read bool
}

func (h *Host) serveProcess(fn abi.Function, p []string) ([]byte, error) {
	if fn == abi.SpawnHost || fn == abi.SpawnBackgroundHost {
		return h.spawn(fn, p[0])
	}
	var req abi.ProcessHandle
	if err := request(fn, p[0], &req); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	pr := h.processes[req.ID]
	if pr == nil {
		return nil, abi.Errorf(abi.CodeHandle, "no background process with id %d", req.ID)
	}
	out, code := pr.ProcessResult, pr.ExitCode
	if pr.read {
		out.Stdout, out.Stderr = "", ""
	}
	pr.read = true
	if fn == abi.ReadProcessLogsHost {
		return json.Marshal(abi.ProcessLogs{Stdout: out.Stdout, Stderr: out.Stderr, ExitCode: &code})
	}
	delete(h.processes, req.ID)
	return json.Marshal(abi.ProcessKilled{Killed: true, ExitCode: &code, Stdout: out.Stdout, Stderr: out.Stderr})
}

func (h *Host) spawn(fn abi.Function, raw string) ([]byte, error) {
	var req abi.ProcessRequest
	if err := request(fn, raw, &req); err != nil {
		return nil, err
	}
	if h.Process == nil {
		return nil, unscripted(fn, "Host.Process")
	}
	if fn == abi.SpawnHost {
		return json.Marshal(h.Process(req.Cmd, req.Args))
	}
	h.mu.Lock()
	full := len(h.processes) >= abi.MaxProcesses
	h.mu.Unlock()
	if full {
		return nil, abi.Errorf(abi.CodeLimit, "background process limit reached (max %d)", abi.MaxProcesses)
	}
	result := h.Process(req.Cmd, req.Args)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.nextProc++
	h.processes[h.nextProc] = &process{ProcessResult: result}
	return json.Marshal(abi.ProcessHandle{ID: h.nextProc})
}
