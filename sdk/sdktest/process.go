package sdktest

import (
	"encoding/json"

	"github.com/unicity-astrid/astrid-go/abi"
)

// process is a background program. It has ended before anybody can look, unless it is said to run on; its output is handed
// out once, like that of a real one.
type process struct {
	abi.ProcessResult
	request abi.ProcessRequest
	running bool
	read    bool
}

func (h *Host) serveProcess(fn abi.Function, p []string) ([]byte, error) {
	if fn == abi.SpawnHost || fn == abi.SpawnBackgroundHost {
		return h.spawn(fn, p[0])
	}
	var req abi.ProcessRead
	if err := request(fn, p[0], &req); err != nil {
		return nil, err
	}
	h.mu.Lock()
	pr := h.processes[req.ID]
	h.mu.Unlock()
	if pr == nil {
		return nil, abi.Errorf(abi.CodeHandle, "no background process with id %d", req.ID)
	}
	if req.Stdin != "" {
		if !pr.request.Interactive || !pr.running {
			return nil, abi.Errorf(abi.CodeClosed, "the program reads no input")
		}
		if h.Talk == nil {
			return nil, unscripted(fn, "Host.Talk")
		}
		pr.Stdout, pr.read = h.Talk(pr.request, req.Stdin), false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	out := pr.ProcessResult
	if pr.read {
		out.Stdout, out.Stderr, out.StdoutDropped, out.StderrDropped = "", "", 0, 0
	}
	pr.read = true
	code := &pr.ExitCode
	if pr.running {
		code = nil
	}
	if fn == abi.ReadProcessLogsHost {
		return json.Marshal(abi.ProcessLogs{Stdout: out.Stdout, Stderr: out.Stderr, Running: pr.running, ExitCode: code,
			StdoutDropped: out.StdoutDropped, StderrDropped: out.StderrDropped})
	}
	delete(h.processes, req.ID)
	return json.Marshal(abi.ProcessKilled{Killed: true, ExitCode: code, Stdout: out.Stdout, Stderr: out.Stderr,
		StdoutDropped: out.StdoutDropped, StderrDropped: out.StderrDropped})
}

// Running lets background processes that are started from now on go on until they are killed, or end at once.
func (h *Host) Running(on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.runsOn = on
}

func (h *Host) spawn(fn abi.Function, raw string) ([]byte, error) {
	var req abi.ProcessRequest
	if err := request(fn, raw, &req); err != nil {
		return nil, err
	}
	if h.Process == nil {
		return nil, unscripted(fn, "Host.Process")
	}
	h.mu.Lock()
	full, runsOn := len(h.processes) >= abi.MaxProcesses, h.runsOn
	h.mu.Unlock()
	if full && fn == abi.SpawnBackgroundHost {
		return nil, abi.Errorf(abi.CodeLimit, "background process limit reached (max %d)", abi.MaxProcesses)
	}
	result, err := h.Process(req)
	if err != nil {
		return nil, err
	}
	if fn == abi.SpawnHost {
		return json.Marshal(result)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.nextProc++
	h.processes[h.nextProc] = &process{ProcessResult: result, request: req, running: runsOn}
	return json.Marshal(abi.ProcessHandle{ID: h.nextProc})
}

// Stop ends the background programs that run.
func (h *Host) Stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.processes {
		p.running = false
	}
}
