package audit

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// DecodeLine reads one entry in its canonical form, without newline. It checks the form
// only: who signed the entry and what it links to is [Verify]'s business. There is one
// form of each entry: whatever decodes, encodes to the same bytes.
func DecodeLine(line []byte) (Entry, error) {
	if len(line) > MaxLine {
		return Entry{}, fmt.Errorf("%w: %d bytes, limit %d", ErrFormat, len(line), MaxLine)
	}
	body, sig, err := splitSig(line)
	if err != nil {
		return Entry{}, err
	}
	p := parser{b: body}
	e := p.entry()
	if p.err == nil && p.i != len(body) {
		p.fail("end of entry")
	}
	if p.err != nil {
		return Entry{}, p.err
	}
	if err := e.check(); err != nil {
		return Entry{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	e.Sig = sig
	e.line = bytes.Clone(line)
	// The parser is lenient about spelling (escapes, leading zeros, empty fields). One
	// comparison with what we would have written settles all of it.
	if !bytes.Equal(appendBody(make([]byte, 0, len(body)), &e), body) {
		return Entry{}, fmt.Errorf("%w: not in canonical form", ErrFormat)
	}
	return e, nil
}

// parser reads the fixed sequence of keys of a line. After the first error it does nothing.
type parser struct {
	b   []byte
	i   int
	err error
}

func (p *parser) entry() (e Entry) {
	p.lit(`{"v":2,"kind":`)
	e.Kind = Kind(p.str())
	p.lit(`,"id":`)
	e.ID = p.id()
	p.lit(`,"seq":`)
	e.Seq, _ = strconv.ParseUint(p.num(), 10, 64)
	p.lit(`,"time":`)
	e.Time = p.time()
	if p.opt("behind_ns") {
		n, _ := strconv.ParseInt(p.num(), 10, 64)
		e.Behind = time.Duration(n)
	}
	p.lit(`,"principal":`)
	e.Principal = p.str()
	p.field("session", &e.Session)
	p.field("capsule", &e.Capsule)
	if p.opt("via") {
		p.lit("[")
		for p.err == nil {
			e.Via = append(e.Via, p.str())
			if !p.has(",") {
				break
			}
		}
		p.lit("]")
	}
	p.field("function", &e.Function)
	p.field("action", &e.Action)
	p.field("resource", &e.Resource)
	p.field("verdict", (*string)(&e.Verdict))
	p.field("layer", &e.Layer)
	p.field("rule", &e.Rule)
	p.field("source", &e.Source)
	p.field("reason", &e.Reason)
	if p.opt("proof") {
		p.lit(`{"kind":`)
		e.Proof.Kind = ProofKind(p.str())
		p.field("id", &e.Proof.ID)
		p.field("hash", &e.Proof.Hash)
		p.field("by", &e.Proof.By)
		p.lit("}")
	}
	if p.opt("cost_usd") {
		v, _ := strconv.ParseFloat(p.num(), 64)
		e.CostUSD = &v
	}
	if p.opt("of") {
		e.Of = p.id()
	}
	if p.opt("outcome") {
		e.Outcome = new(Outcome)
		p.lit(`{"status":`)
		e.Outcome.Status = Status(p.str())
		p.field("text", &e.Outcome.Text)
		p.lit("}")
	}
	p.field("type", &e.Type)
	if p.opt("data") {
		e.Data = p.object()
	}
	p.lit(`,"prev":`)
	e.Prev = p.hash()
	p.lit(`,"key":`)
	if err := decode64(e.Key[:], []byte(p.str())); err != nil && p.err == nil {
		p.err = err
	}
	if p.err == nil && !ValidPrincipal(e.Principal) {
		p.fail("a principal")
	}
	return e
}

func (p *parser) fail(want string) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: want %s at byte %d", ErrFormat, want, p.i)
	}
}

// has consumes s if it is next.
func (p *parser) has(s string) bool {
	if p.err != nil || len(p.b)-p.i < len(s) || string(p.b[p.i:p.i+len(s)]) != s {
		return false
	}
	p.i += len(s)
	return true
}

func (p *parser) lit(s string) {
	if !p.has(s) {
		p.fail(s)
	}
}

// opt consumes `,"name":` if it is next.
func (p *parser) opt(name string) bool {
	n := len(name) + 4
	if p.err != nil || len(p.b)-p.i < n {
		return false
	}
	s := p.b[p.i : p.i+n]
	if s[0] != ',' || s[1] != '"' || string(s[2:n-2]) != name || s[n-2] != '"' || s[n-1] != ':' {
		return false
	}
	p.i += n
	return true
}

func (p *parser) field(name string, to *string) {
	if p.opt(name) {
		*to = p.str()
	}
}

// quoted consumes a string and returns it with its quotes.
func (p *parser) quoted() []byte {
	start := p.i
	p.lit(`"`)
	for ; p.err == nil && p.i < len(p.b); p.i++ {
		switch p.b[p.i] {
		case '\\':
			p.i++
		case '"':
			p.i++
			return p.b[start:p.i]
		}
	}
	p.fail("end of string")
	return nil
}

func (p *parser) str() string {
	q := p.quoted()
	if p.err != nil {
		return ""
	}
	in := q[1 : len(q)-1]
	if bytes.IndexByte(in, '\\') < 0 {
		if !utf8.Valid(in) {
			p.fail("UTF-8")
		}
		return string(in)
	}
	var s string
	if !utf8.Valid(in) || json.Unmarshal(q, &s) != nil {
		p.fail("a string")
	}
	return s
}

func (p *parser) num() string {
	start := p.i
	for p.err == nil && p.i < len(p.b) && (p.b[p.i] >= '0' && p.b[p.i] <= '9' || p.b[p.i] == '.') {
		p.i++
	}
	if start == p.i {
		p.fail("a number")
	}
	return string(p.b[start:p.i])
}

func (p *parser) id() ID {
	id, err := ParseID(p.str())
	if err != nil {
		p.fail("an entry id")
	}
	return id
}

func (p *parser) time() time.Time {
	t, err := time.Parse(timeLayout, p.str())
	if err != nil {
		p.fail("a time")
	}
	return t
}

func (p *parser) hash() (h Hash) {
	s := p.str()
	if len(s) != 2*len(h) {
		p.fail("a hash")
		return h
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		p.fail("a hash")
	}
	return h
}

// object consumes one compact JSON object.
func (p *parser) object() json.RawMessage {
	start, depth := p.i, 0
	for p.err == nil && p.i < len(p.b) {
		switch p.b[p.i] {
		case '"':
			p.quoted()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		p.i++
		if depth == 0 {
			break
		}
	}
	raw := p.b[start:p.i]
	var b bytes.Buffer
	if p.err == nil && (json.Compact(&b, raw) != nil || !bytes.Equal(b.Bytes(), raw)) {
		p.fail("a compact JSON object")
	}
	if !bytes.Equal(unescapeHTML(raw), raw) {
		p.fail("no needless escapes")
	}
	return b.Bytes()
}
