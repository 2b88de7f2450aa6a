// Command everything is a guest that calls any host function on demand, for tests of
// the contract.
//
// Each host function has an action of its own name. Its payload is
//
//	{"params": ["text", {"base64": "AAE="}, …]}
//
// and its answer {"code": 0, "name": "ok", "message": "", "result": "<base64>"}. The action
// "sequence" makes several calls in one invocation:
//
//	{"calls": [{"fn": "astrid_ipc_subscribe", "params": ["a.*"]},
//	           {"fn": "astrid_ipc_poll", "params": [{"result": 0}]}]}
//
// where {"result": n} stands for the result of the n-th call; it answers a list. "echo"
// replies with its payload; "final", "deny", "empty", "fail", "panic", "exit", "spin", "grow"
// and "recurse" end a call in the ways that a guest can.
package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/runtime"
)

// param is one parameter of a call: text, {"base64": …} or {"result": …}.
type param struct {
	text   string
	base64 []byte
	result *int
}

func (p *param) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, &p.text) == nil {
		return nil
	}
	var o struct {
		Base64 *[]byte `json:"base64"`
		Result *int    `json:"result"`
	}
	if err := json.Unmarshal(b, &o); err != nil {
		return err
	}
	if (o.Base64 == nil) == (o.Result == nil) {
		return fmt.Errorf("parameter %s is neither text nor {\"base64\"} nor {\"result\"}", b)
	}
	if o.Base64 != nil {
		p.base64 = *o.Base64
	}
	p.result = o.Result
	return nil
}

func (p *param) bytes(earlier []outcome) ([]byte, error) {
	switch {
	case p.result == nil && p.base64 != nil:
		return p.base64, nil
	case p.result == nil:
		return []byte(p.text), nil
	case *p.result < 0 || *p.result >= len(earlier):
		return nil, fmt.Errorf("there is no result %d yet", *p.result)
	}
	return earlier[*p.result].raw, nil
}

// request is one call.
type request struct {
	Fn     string  `json:"fn"`
	Params []param `json:"params"`
}

// outcome is what came of it.
type outcome struct {
	Code    abi.Code `json:"code"`
	Name    string   `json:"name"`
	Message string   `json:"message"`
	Result  string   `json:"result"` // base64

	raw []byte
}

func call(fn abi.Function, params []param, earlier []outcome) (outcome, error) {
	raw := make([][]byte, len(params))
	for i := range params {
		b, err := params[i].bytes(earlier)
		if err != nil {
			return outcome{}, err
		}
		raw[i] = b
	}
	out, err := runtime.Call(fn, raw...)
	var e *abi.Error
	if err != nil && !errors.As(err, &e) {
		return outcome{}, err
	}
	o := outcome{raw: out, Result: base64.StdEncoding.EncodeToString(out)}
	if e != nil {
		o.Code, o.Message = e.Code, e.Message
	}
	o.Name = o.Code.String()
	return o, nil
}

func sequence(_ *sdk.Context, payload []byte) (sdk.Verdict, error) {
	var req struct {
		Calls []request `json:"calls"`
	}
	if err := json.Unmarshal(payload, &req); err != nil {
		return sdk.Verdict{}, err
	}
	done := []outcome{}
	for _, c := range req.Calls {
		fn, ok := abi.FunctionByName(c.Fn)
		if !ok {
			return sdk.Verdict{}, fmt.Errorf("there is no host function %s", c.Fn)
		}
		o, err := call(fn, c.Params, done)
		if err != nil {
			return sdk.Verdict{}, fmt.Errorf("%s: %w", c.Fn, err)
		}
		done = append(done, o)
	}
	return sdk.Reply(done), nil
}

func init() {
	for fn := range abi.FunctionCount {
		sdk.Interceptor(fn.String(), func(_ *sdk.Context, payload []byte) (sdk.Verdict, error) {
			var req request
			if err := json.Unmarshal(payload, &req); err != nil {
				return sdk.Verdict{}, err
			}
			o, err := call(fn, req.Params, nil)
			return sdk.Reply(o), err
		})
	}
	sdk.Interceptor("sequence", sequence)
}

func main() {}
