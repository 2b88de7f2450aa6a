package host

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
)

// Asker puts questions to whoever sits at a client of the principal.
type Asker interface {
	// Ask waits for an answer at most until ctx is done. ErrNobody means that no client is there that could answer.
	// An answer without a value means that the person does not want to.
	Ask(ctx context.Context, principal, capsule string, q abi.OnboardingField) (abi.ElicitResponse, error)
}

// ErrNobody says that nobody is there to answer a question.
var ErrNobody = errors.New("nobody is attached who could answer")

// planElicit asks the person for one setting while the capsule is installed or upgraded. A secret goes from the client into
// the store; the guest learns only that it is there.
func (h *Host) planElicit(_ context.Context, f *frame, args [][]byte) (plan, error) {
	var req abi.ElicitRequest
	if err := decode(args[0], &req, "elicit"); err != nil {
		return plan{}, err
	}
	q, err := question(&req)
	if err != nil {
		return plan{}, err
	}
	if err := h.svc.Secrets.CheckName(req.Key); err != nil {
		return plan{}, abi.Errorf(abi.CodeInvalid, "invalid elicit request: key: %v", err)
	}
	if !f.call.Lifecycle {
		return plan{}, abi.Errorf(abi.CodeDenied, "elicit is only available during #[install] or #[upgrade] lifecycle hooks")
	}
	return plan{
		action: approval.Action{Kind: approval.Elicit, Resource: "elicit:" + req.Key, Detail: q.Prompt},
		bounds: own,
		do: func(ctx context.Context, _ approval.Grant) ([]byte, error) {
			tctx, cancel := context.WithTimeoutCause(ctx, abi.ElicitTimeout, abi.Errorf(abi.CodeTimeout, "elicit request timed out: nobody answered within %s", abi.ElicitTimeout))
			defer cancel()
			r, err := h.svc.Asker.Ask(tctx, f.call.Principal, f.inst.capsule.ID, q)
			switch {
			case errors.Is(err, ErrNobody):
				return h.unattended(f, &req)
			case err != nil && tctx.Err() != nil:
				return nil, context.Cause(tctx)
			case err != nil:
				return nil, err
			}
			return h.answered(f, &req, r)
		},
	}, nil
}

// question checks a request and makes of it what clients show: one line each, without control characters.
func question(req *abi.ElicitRequest) (abi.OnboardingField, error) {
	q := abi.OnboardingField{
		Key: req.Key, Prompt: printable(req.Description, abi.MaxElicitText), Default: printable(req.Default, abi.MaxElicitText),
	}
	if q.Prompt == "" {
		q.Prompt = req.Key
	}
	switch req.Type {
	case "text":
		q.FieldType.Name = "Text"
	case "secret":
		q.FieldType.Name, q.Default = "Secret", ""
	case "array":
		q.FieldType.Name = "Array"
	case "select":
		q.FieldType.Name = "Enum"
		if len(req.Options) == 0 {
			return q, abi.Errorf(abi.CodeInvalid, "select elicit request requires non-empty options")
		}
		if len(req.Options) > abi.MaxElicitValues {
			return q, abi.Errorf(abi.CodeTooLarge, "a select elicit request can have %d options, it has %d", abi.MaxElicitValues, len(req.Options))
		}
		for _, o := range req.Options {
			shown := printable(o, abi.MaxElicitText)
			if shown == "" || shown != o {
				return q, abi.Errorf(abi.CodeInvalid, "option %q of the select elicit request is not one line of text", o)
			}
			q.FieldType.Enum = append(q.FieldType.Enum, o)
		}
	default:
		return q, abi.Errorf(abi.CodeInvalid, "unknown elicit type: %q (text, secret, select or array)", req.Type)
	}
	return q, nil
}

// answered turns a client's answer into the guest's.
func (h *Host) answered(f *frame, req *abi.ElicitRequest, r abi.ElicitResponse) ([]byte, error) {
	switch {
	case r.Value == nil && r.Values == nil:
		return nil, abi.Errorf(abi.CodeCanceled, "user cancelled elicit request")
	case req.Type == "array":
		values := r.Values
		if values == nil {
			values = []string{*r.Value}
		}
		return encode(map[string][]string{"values": values})
	case r.Value == nil:
		return nil, abi.Errorf(abi.CodeInvalid, "the answer to %s is a list, one value was asked for", req.Key)
	case req.Type == "secret":
		if *r.Value == "" {
			return nil, abi.Errorf(abi.CodeInvalid, "received empty secret value from elicit response")
		}
		if err := h.svc.Secrets.Set(f.call.Principal, f.inst.capsule.ID, req.Key, *r.Value); err != nil {
			return nil, abi.Errorf(toError(err).Code, "failed to persist secret: %v", err)
		}
		return encode(abi.ElicitAnswer{OK: true})
	case req.Type == "select" && !slices.Contains(req.Options, *r.Value):
		return nil, abi.Errorf(abi.CodeInvalid, "the answer to %s is none of the options", req.Key)
	}
	return encode(map[string]string{"value": *r.Value})
}

// unattended answers what can be answered with nobody there: a secret that was stored before, a setting that was
// made before, the default of the request.
func (h *Host) unattended(f *frame, req *abi.ElicitRequest) ([]byte, error) {
	c := f.inst.capsule
	value := req.Default
	if v := c.Config[req.Key]; v != "" && !slices.Contains(c.SecretKeys, req.Key) {
		value = v
	}
	switch req.Type {
	case "secret":
		has, err := h.svc.Secrets.Has(f.call.Principal, c.ID, req.Key)
		if err != nil {
			return nil, err
		}
		if has {
			return encode(abi.ElicitAnswer{OK: true})
		}
		return nil, abi.Errorf(abi.CodeDeferred, "capsule %s asks for the secret %s and %v: store it with `astrid secret set %s %s`, or install the capsule on a terminal or with --answers",
			c.ID, req.Key, ErrNobody, c.ID, req.Key)
	case "array":
		var list []string
		if value != "" && json.Unmarshal([]byte(value), &list) == nil {
			return encode(map[string][]string{"values": list})
		}
	case "select":
		if slices.Contains(req.Options, value) {
			return encode(map[string]string{"value": value})
		}
	default:
		if value != "" {
			return encode(map[string]string{"value": value})
		}
	}
	return nil, abi.Errorf(abi.CodeDeferred, "capsule %s asks for %s and %v: install it on a terminal, or with --answers", c.ID, req.Key, ErrNobody)
}

// hasSecret tells whether a secret is stored that astrid_get_config would find.
func (h *Host) hasSecret(_ context.Context, f *frame, args [][]byte) ([]byte, error) {
	var req abi.SecretRequest
	if err := decode(args[0], &req, "has_secret"); err != nil {
		return nil, err
	}
	if err := h.svc.Secrets.CheckName(req.Key); err != nil {
		return nil, abi.Errorf(abi.CodeInvalid, "failed to check for secret: %v", err)
	}
	for _, principal := range []string{f.call.Principal, f.inst.capsule.Principal} {
		has, err := h.svc.Secrets.Has(principal, f.inst.capsule.ID, req.Key)
		if err != nil {
			return nil, abi.Errorf(toError(err).Code, "failed to check for secret: %v", err)
		}
		if has {
			return encode(abi.SecretAnswer{Exists: true})
		}
	}
	return encode(abi.SecretAnswer{})
}
