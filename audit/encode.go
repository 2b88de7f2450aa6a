package audit

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"time"
)

// timeLayout always writes nine digits, so that text order is time order.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

// appendLine appends the canonical line of e, without newline.
func appendLine(dst []byte, e *Entry) []byte { return appendSig(appendBody(dst, e), e.Sig[:]) }

// appendBody appends the signed bytes of e: its line up to the signature. The order of
// the keys is the format; empty fields are left out.
func appendBody(dst []byte, e *Entry) []byte {
	dst = append(dst, `{"v":2,"kind":"`...)
	dst = append(dst, e.Kind...)
	dst = append(dst, `","id":"`...)
	dst = e.ID.append(dst)
	dst = append(dst, `","seq":`...)
	dst = strconv.AppendUint(dst, e.Seq, 10)
	dst = append(dst, `,"time":"`...)
	dst = appendTime(dst, e.Time)
	dst = append(dst, '"')
	if e.Behind != 0 {
		dst = append(dst, `,"behind_ns":`...)
		dst = strconv.AppendInt(dst, int64(e.Behind), 10)
	}
	dst = appendField(dst, "principal", e.Principal)
	dst = appendField(dst, "session", e.Session)
	dst = appendField(dst, "capsule", e.Capsule)
	if len(e.Via) > 0 {
		dst = append(dst, `,"via":[`...)
		for i, v := range e.Via {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, v)
		}
		dst = append(dst, ']')
	}
	dst = appendField(dst, "function", e.Function)
	dst = appendField(dst, "action", e.Action)
	dst = appendField(dst, "resource", e.Resource)
	dst = appendField(dst, "verdict", string(e.Verdict))
	dst = appendField(dst, "layer", e.Layer)
	dst = appendField(dst, "rule", e.Rule)
	dst = appendField(dst, "source", e.Source)
	dst = appendField(dst, "reason", e.Reason)
	if e.Proof != (Proof{}) {
		dst = append(dst, `,"proof":{"kind":`...)
		dst = appendString(dst, string(e.Proof.Kind))
		dst = appendField(dst, "id", e.Proof.ID)
		dst = appendField(dst, "hash", e.Proof.Hash)
		dst = appendField(dst, "by", e.Proof.By)
		dst = append(dst, '}')
	}
	if e.CostUSD != nil {
		dst = append(dst, `,"cost_usd":`...)
		dst = appendUSD(dst, *e.CostUSD)
	}
	if !e.Of.IsZero() {
		dst = append(dst, `,"of":"`...)
		dst = e.Of.append(dst)
		dst = append(dst, '"')
	}
	if e.Outcome != nil {
		dst = append(dst, `,"outcome":{"status":`...)
		dst = appendString(dst, string(e.Outcome.Status))
		dst = appendField(dst, "text", e.Outcome.Text)
		dst = append(dst, '}')
	}
	dst = appendField(dst, "type", e.Type)
	if len(e.Data) > 0 {
		dst = append(dst, `,"data":`...)
		dst = append(dst, e.Data...)
	}
	dst = append(dst, `,"prev":"`...)
	dst = hex.AppendEncode(dst, e.Prev[:])
	dst = append(dst, `","key":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, e.Key[:])
	return append(dst, '"')
}

func appendTime(dst []byte, t time.Time) []byte { return t.UTC().AppendFormat(dst, timeLayout) }

// appendUSD writes the shortest decimal that reads back as v, without exponent. Minus
// zero would be a second spelling of zero.
func appendUSD(dst []byte, v float64) []byte {
	return strconv.AppendFloat(dst, math.Abs(v), 'f', -1, 64)
}

// appendField appends `,"name":"value"`, or nothing for an empty value.
func appendField(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(dst, ',', '"')
	dst = append(dst, name...)
	dst = append(dst, '"', ':')
	return appendString(dst, value)
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string. Only what JSON forbids is escaped, so there
// is one spelling of each string; s must be valid UTF-8.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\r':
			dst = append(dst, '\\', 'r')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// unescapeHTML undoes what encoding/json does to the output of a Marshaler: it escapes
// five characters that our form writes as they are.
func unescapeHTML(b []byte) []byte {
	if !bytes.Contains(b, []byte(`\u`)) {
		return b
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' || i+1 == len(b) {
			out = append(out, b[i])
			continue
		}
		if i+6 <= len(b) {
			if c, ok := htmlEscapes[strings.ToLower(string(b[i:i+6]))]; ok {
				out = append(out, c...)
				i += 5
				continue
			}
		}
		out = append(out, b[i], b[i+1]) // a pair, so that \\ does not begin an escape
		i++
	}
	return out
}

var htmlEscapes = map[string]string{`\u003c`: "<", `\u003e`: ">", `\u0026`: "&", `\u2028`: "\u2028", `\u2029`: "\u2029"}
