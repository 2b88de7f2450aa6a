package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// getConfig answers a setting. A secret is read when it is asked for: the one of the call's
// principal, or else the one of the principal that the capsule was installed for.
func (h *Host) getConfig(_ context.Context, f *frame, args [][]byte) ([]byte, error) {
	c, key := f.inst.capsule, string(args[0])
	if slices.Contains(c.SecretKeys, key) {
		for _, principal := range []string{f.call.Principal, c.Principal} {
			v, err := h.svc.Secrets.Get(principal, c.ID, key)
			if !errors.Is(err, fs.ErrNotExist) {
				return []byte(v), err
			}
		}
	}
	return []byte(c.Config[key]), nil
}

func (h *Host) getCaller(ctx context.Context, f *frame, _ [][]byte) ([]byte, error) {
	m := f.call.Message
	workspace := ""
	if f.call.Session != "" {
		var err error
		if workspace, err = h.svc.Files.WorkspaceOf(ctx, f.call.Principal, f.call.Session); err != nil {
			return nil, err
		}
	}
	trusted := workspace != "" && h.svc.Files.ProjectTrusted(f.call.Principal, f.call.Session, workspace)
	if m == nil { // an answer to a hook is given in somebody's session
		return encode(abi.Caller{ProjectTrusted: trusted})
	}
	return encode(abi.Caller{
		Workspace: workspace, ProjectTrusted: trusted,
		Principal: f.call.Principal,
		SourceID:  m.SourceID,
		Timestamp: m.Timestamp.Format(time.RFC3339Nano),
		SessionID: f.call.Session,
		UserID:    f.call.Principal,
	})
}

func (h *Host) log(_ context.Context, f *frame, args [][]byte) ([]byte, error) {
	name := strings.ToLower(string(args[0]))
	level, known := abi.LogLevels[name]
	switch { // what loggers of other languages say; what is none of it is slog.LevelInfo, the zero value
	case known:
	case name == "warning":
		level = slog.LevelWarn
	case name == "err":
		level = slog.LevelError
	}
	h.svc.Log.CapsuleLog(f.call.Principal, f.inst.capsule.ID, level, strings.ToValidUTF8(string(args[1]), "\uFFFD"))
	return nil, nil
}

func (h *Host) signalReady(_ context.Context, f *frame, _ [][]byte) ([]byte, error) {
	if f.inst.capsule.Ready != nil {
		f.inst.capsule.Ready()
	}
	return nil, nil
}

func (h *Host) clockMs(_ context.Context, f *frame, _ [][]byte) ([]byte, error) {
	return strconv.AppendInt(f.inst.short[:0], max(h.svc.Now().UnixMilli(), 0), 10), nil
}

func (h *Host) checkCapability(_ context.Context, f *frame, args [][]byte) ([]byte, error) {
	var req abi.CapabilityCheck
	if err := decode(args[0], &req, "capability check"); err != nil {
		return nil, err
	}
	return encode(abi.CapabilityAnswer{Allowed: h.svc.Directory.HasCapability(req.SourceUUID, req.Capability)})
}

// encode is json.Marshal without the escapes that make JSON safe inside HTML: they would
// make a web page several times its size.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// decode reads a request record; see [ipc.DecodeRecord] for what is strict about it.
func decode(raw []byte, into any, what string) error {
	if err := ipc.DecodeRecord(raw, into); err != nil {
		return abi.Errorf(abi.CodeInvalid, "invalid %s request: %v", what, err)
	}
	return nil
}
