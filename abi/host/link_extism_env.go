package host

import (
	"encoding/json"
	"log/slog"
	"strings"

	"github.com/tetratelabs/wazero/api"

	"github.com/unicity-astrid/astrid-go/abi"
)

// Value types, for short.
const (
	vI32 = api.ValueTypeI32
	vI64 = api.ValueTypeI64
)

// extismFunction is one function of extism:host/env. Its parameters and its result are
// in stack, as wazero has them.
type extismFunction struct {
	params, results []api.ValueType
	do              func(x *extism, stack []uint64)
}

// signatures of extism:host/env.
var (
	none   []api.ValueType
	oneI32 = []api.ValueType{vI32}
	oneI64 = []api.ValueType{vI64}
	twoI64 = []api.ValueType{vI64, vI64}
)

// extismEnv is the module that any Extism PDK imports. What is not for guests to call is there
// all the same, since the original has it.
var extismEnv = map[string]extismFunction{
	"alloc": {oneI64, oneI64, func(x *extism, s []uint64) {
		x.room(s[0])
		s[0] = x.mem.alloc(s[0])
	}},
	"free":          {oneI64, none, func(x *extism, s []uint64) { x.mem.free(s[0]) }},
	"length":        {oneI64, oneI64, func(x *extism, s []uint64) { s[0] = x.mem.length(s[0]) }},
	"length_unsafe": {oneI64, oneI64, func(x *extism, s []uint64) { s[0] = x.mem.length(s[0]) }},
	"load_u8":       {oneI64, oneI32, func(x *extism, s []uint64) { s[0] = uint64(x.mem.loadByte(s[0])) }},
	"load_u64":      {oneI64, oneI64, func(x *extism, s []uint64) { s[0] = x.mem.loadWord(s[0]) }},
	"store_u8":      {[]api.ValueType{vI64, vI32}, none, func(x *extism, s []uint64) { x.mem.storeByte(s[0], byte(s[1])) }},
	"store_u64":     {twoI64, none, func(x *extism, s []uint64) { x.mem.storeWord(s[0], s[1]) }},

	"input_length":   {none, oneI64, func(x *extism, s []uint64) { s[0] = x.mem.input.n }},
	"input_offset":   {none, oneI64, func(x *extism, s []uint64) { s[0] = x.mem.input.off }},
	"input_load_u8":  {oneI64, oneI32, func(x *extism, s []uint64) { s[0] = uint64(x.mem.inputByte(s[0])) }},
	"input_load_u64": {oneI64, oneI64, func(x *extism, s []uint64) { s[0] = x.mem.inputWord(s[0]) }},
	"input_set":      {twoI64, none, func(x *extism, s []uint64) { x.mem.setInput(s[0], s[1]) }},
	"output_set":     {twoI64, none, func(x *extism, s []uint64) { x.mem.setOutput(s[0], s[1]) }},
	"output_offset":  {none, oneI64, func(x *extism, s []uint64) { s[0] = x.mem.output.off }},
	"output_length":  {none, oneI64, func(x *extism, s []uint64) { s[0] = x.mem.output.n }},
	"error_set":      {oneI64, none, func(x *extism, s []uint64) { x.mem.err = s[0] }},
	"error_get":      {none, oneI64, func(x *extism, s []uint64) { s[0] = x.mem.err }},
	"reset":          {none, none, func(x *extism, _ []uint64) { x.mem.reset() }},
	"memory_bytes":   {none, oneI64, func(x *extism, s []uint64) { s[0] = x.mem.size() }},

	// A capsule's settings are reached through astrid_get_config; the convention's own are always empty.
	"config_get": {oneI64, oneI64, func(x *extism, s []uint64) {
		x.mem.free(s[0])
		s[0] = 0
	}},
	"var_get": {oneI64, oneI64, func(x *extism, s []uint64) {
		key, _ := x.mem.bytes(s[0])
		val := x.mem.vars[string(key)]
		x.mem.free(s[0])
		x.room(uint64(len(val)))
		s[0] = x.mem.put(val)
	}},
	"var_set": {twoI64, none, (*extism).varSet},

	// Requests go through astrid_http_request, which the gate decides.
	"http_request":     {twoI64, oneI64, (*extism).httpRequest},
	"http_status_code": {none, oneI32, func(_ *extism, s []uint64) { s[0] = 0 }},
	"http_headers":     {none, oneI64, func(_ *extism, s []uint64) { s[0] = 0 }},

	"log_trace": {oneI64, none, logAt(abi.LevelTrace)},
	"log_debug": {oneI64, none, logAt(slog.LevelDebug)},
	"log_info":  {oneI64, none, logAt(slog.LevelInfo)},
	"log_warn":  {oneI64, none, logAt(slog.LevelWarn)},
	"log_error": {oneI64, none, logAt(slog.LevelError)},
	// The lowest level: what is kept is the log's business.
	"get_log_level": {none, oneI32, func(_ *extism, s []uint64) { s[0] = 0 }},
}

func (x *extism) varSet(s []uint64) {
	key, _ := x.mem.bytes(s[0])
	val, ok := x.mem.bytes(s[1])
	if s[1] != 0 && !ok {
		panic(trapf(abi.CodeInvalid, "invalid memory offset: I64(%d)", s[1]))
	}
	if !x.mem.setVar(string(key), val) {
		panic(trapf(abi.CodeLimit, "Variable store is full"))
	}
	x.mem.free(s[0])
	x.mem.free(s[1])
}

func (x *extism) httpRequest(s []uint64) {
	var req struct {
		URL string `json:"url"`
	}
	raw, _ := x.mem.bytes(s[0])
	url := "an unreadable address"
	if json.Unmarshal(raw, &req) == nil {
		url = printable(req.URL, maxShown)
	}
	panic(trapf(abi.CodeDenied, "HTTP request to %s is not allowed", url))
}

// maxShown bounds what a guest's text adds to an error, in characters.
const maxShown = 256

// logAt writes a block to the capsule's log and frees it. What is longer than a line of
// astrid_log may be is cut off.
func logAt(level slog.Level) func(x *extism, s []uint64) {
	return func(x *extism, s []uint64) {
		text, ok := x.mem.bytes(s[0])
		if !ok {
			return
		}
		line := string(text[:min(len(text), abi.MaxLogMessage)])
		x.f.inst.host.svc.Log.CapsuleLog(x.f.call.Principal, x.f.inst.capsule.ID, level, strings.ToValidUTF8(line, "\uFFFD"))
		x.mem.free(s[0])
		if x.ctx.Err() != nil {
			x.f.inst.host.yield(x.ctx)
		}
	}
}
