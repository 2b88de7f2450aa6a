package ipc

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/unicity-astrid/astrid-go/abi"
)

// Payload is the immutable body of a message: one variant of the tagged union of package
// abi. The zero value is a custom null. The JSON text of the publisher is kept, so fields
// that this version does not know survive.
type Payload struct {
	tag   string
	full  []byte // {"type":tag, ...}
	guest []byte // what handlers get; part of full where possible
}

const (
	customPrefix = `{"type":"custom","data":`
	nullCustom   = customPrefix + `null}`
	rawPrefix    = `{"type":"raw_json"`
)

// Tag returns the variant, one of the Tag constants of package abi.
func (p Payload) Tag() string {
	if p.tag == "" {
		return abi.TagCustom
	}
	return p.tag
}

// Tagged returns the full form: an object with a "type". It must not be changed.
func (p Payload) Tagged() []byte {
	if p.full == nil {
		return []byte(nullCustom)
	}
	return p.full
}

// Guest returns what a handler gets: the bare value of custom and raw_json, the full form
// of all others. It must not be changed.
func (p Payload) Guest() []byte {
	if p.guest == nil {
		return []byte("null")
	}
	return p.guest
}

// custom wraps a checked JSON text.
func custom(value []byte) Payload {
	full := make([]byte, 0, len(customPrefix)+len(value)+1)
	full = append(full, customPrefix...)
	full = append(full, value...)
	full = append(full, '}')
	end := len(full) - 1
	return Payload{tag: abi.TagCustom, full: full, guest: full[len(customPrefix):end:end]}
}

// rawObject wraps a checked JSON object that has no "type".
func rawObject(object []byte) Payload {
	full := make([]byte, 0, len(rawPrefix)+len(object)+1)
	full = append(full, rawPrefix...)
	if inner := bytes.TrimSpace(object[1 : len(object)-1]); len(inner) > 0 {
		full = append(full, ',')
		full = append(full, inner...)
	}
	full = append(full, '}')
	return Payload{tag: abi.TagRawJSON, full: full, guest: object[:len(object):len(object)]}
}

// Custom makes a custom payload of any JSON value.
func Custom(v any) (Payload, error) {
	b, err := encode(v)
	if err != nil {
		return Payload{}, err
	}
	return custom(b), nil
}

// RawJSON makes a raw_json payload. v must encode to an object without a "type", or to
// null, which stands for an empty object: nothing else has an encoding.
func RawJSON(v any) (Payload, error) {
	b, err := encode(v)
	if err != nil {
		return Payload{}, err
	}
	if string(b) == "null" {
		b = []byte("{}")
	}
	if b[0] != '{' {
		return Payload{}, fmt.Errorf("raw_json payload must be an object, not %.20s", b)
	}
	s, err := scan(b)
	if err != nil {
		return Payload{}, err
	}
	if s.member("type") != nil {
		return Payload{}, fmt.Errorf(`raw_json payload must not have a field "type"`)
	}
	return rawObject(b), nil
}

// Tagged makes a payload of a record with a tag of its own. A record that readers would
// not accept is refused: a required list must not be nil, ids must be UUIDs where the contract says so.
func Tagged(v abi.TaggedPayload) (Payload, error) {
	b, err := abi.MarshalPayload(v)
	if err != nil {
		return Payload{}, err
	}
	s, err := scan(b)
	if err != nil {
		return Payload{}, err
	}
	return decodeVariant(v.PayloadTag(), b, s)
}

// encode marshals v and holds the result to the same rules as a guest's text: v may
// contain raw JSON from anywhere.
func encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode payload: %w", err)
	}
	b, _, err = strict(b)
	return b, err
}

// strict checks b and returns it without surrounding space. A text in which a member is
// repeated is rewritten, the last value winning.
func strict(b []byte) ([]byte, *scanner, error) {
	b = bytes.Trim(b, " \t\r\n")
	s, err := scan(b)
	if err != nil || !s.repeated {
		return b, s, err
	}
	if b, err = normalise(b); err != nil {
		return nil, nil, err
	}
	s, err = scan(b)
	return b, s, err
}

func normalise(b []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber() // integers stay exact
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrJSON, err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrJSON, err)
	}
	return out, nil
}
