package kernel

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/unicity-astrid/astrid-go/abi"
)

// gateMethods are the management methods about the gate. They act for one principal: the
// one of the connection that the request came on.
var gateMethods = map[string]func(*Kernel, context.Context, string, json.RawMessage) (any, error){
	abi.MethodListApprovals:  (*Kernel).listApprovals,
	abi.MethodAnswerApproval: (*Kernel).answerRequest,
	abi.MethodListGrants:     (*Kernel).listGrants,
	abi.MethodRevokeGrants:   (*Kernel).revokeGrants,
	abi.MethodGetBudget:      (*Kernel).getBudget,
	abi.MethodGetMode:        (*Kernel).getMode,
	abi.MethodSetSessionMode: (*Kernel).setSessionMode,
	abi.MethodReloadPolicy:   (*Kernel).reload,
	abi.MethodEndSession:     (*Kernel).endSession,
	abi.MethodListUsage:      (*Kernel).listUsage,
}

// manageAs carries out one request of a principal's client.
func (k *Kernel) manageAs(ctx context.Context, principal string, req *abi.KernelRequest) abi.KernelResponse {
	method, ok := gateMethods[req.Method]
	if !ok {
		method, ok = overlayMethods[req.Method]
	}
	if !ok {
		return k.management(req)
	}
	data, err := method(k, ctx, principal, req.Params)
	if err != nil {
		return failure(err)
	}
	return answer("Success", data)
}

// params decodes the parameters of a method. What it does not know is refused: a client
// that means more than the daemon understands must not get half of it.
func params(method string, raw json.RawMessage, v any) error {
	if len(raw) == 0 {
		raw = json.RawMessage("{}")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one value")
		}
	}
	if err != nil {
		return fmt.Errorf("%s: parameters: %w", method, err)
	}
	return nil
}
