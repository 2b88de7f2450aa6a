package provider

import (
	"strconv"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
)

// Model is what is known of a model.
type Model struct {
	ID     string  `json:"id"`
	Name   string  `json:"name,omitempty"`   // for people
	Window uint64  `json:"window,omitempty"` // tokens of prompt and answer together; 0 is not known
	Output uint64  `json:"output,omitempty"` // most tokens of one answer; 0 is not known
	Prices *Prices `json:"-"`
}

// Prices are in US dollars for a million tokens.
type Prices struct {
	AsOf string // date of the list they are from
	Rate
	// Long applies to all tokens of a request whose prompt has more than From tokens.
	Long *Rate
	From uint64
}

// Rate is what tokens cost. Read and Write are those of the prompt that are found in the
// vendor's cache and put there.
type Rate struct{ In, Out, Read, Write float64 }

// Cost is the price of a usage, 0 if prices are not known.
func (m Model) Cost(u abi.Usage) float64 {
	if m.Prices == nil {
		return 0
	}
	r := m.Prices.Rate
	if m.Prices.Long != nil && u.InputTokens > m.Prices.From {
		r = *m.Prices.Long
	}
	fresh := u.InputTokens - min(u.InputTokens, u.CacheReadTokens+u.CacheWriteTokens)
	return (float64(fresh)*r.In + float64(u.CacheReadTokens)*r.Read + float64(u.CacheWriteTokens)*r.Write +
		float64(u.OutputTokens)*r.Out) / 1e6
}

// expected bounds the tokens of an answer that are reserved: most answers are far shorter
// than their limit.
const expected = 8192

// reserve is what a request of so many bytes may cost.
func (m Model) reserve(bytes int) float64 {
	in := tokens(bytes)
	out := uint64(expected)
	if m.Output > 0 {
		out = min(out, m.Output)
	}
	return m.Cost(abi.Usage{InputTokens: in, OutputTokens: out})
}

// tokens estimates how many a text of so many bytes is.
func tokens(bytes int) uint64 { return uint64(max(bytes, 0)+3) / 4 }

// Table lists models with their sizes and prices. It is a setting, so that a person can
// correct it without a new capsule. A line is
//
//	MODEL WINDOW OUTPUT IN OUT READ WRITE [>FROM IN OUT READ WRITE]
//
// with sizes in tokens and prices in US dollars for a million tokens; the second set is for
// prompts of more than FROM tokens. "as-of DATE" dates the lines below it, # begins a
// comment. The model * stands for all that are not listed.
type Table struct{ rows []Model }

// ParseTable reads the text of a table.
func ParseTable(text string) (*Table, error) {
	t := &Table{}
	date := ""
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
		case len(f) == 2 && f[0] == "as-of":
			date = f[1]
		default:
			m, ok := parseRow(f)
			if !ok {
				return nil, Fail(abi.LlmConfig, "setting models, line %d: want MODEL WINDOW OUTPUT IN OUT READ WRITE [>FROM IN OUT READ WRITE]", i+1)
			}
			m.Prices.AsOf = date
			t.rows = append(t.rows, m)
		}
	}
	return t, nil
}

func parseRow(f []string) (Model, bool) {
	if len(f) != 7 && len(f) != 12 {
		return Model{}, false
	}
	ok := true
	whole := func(s string) uint64 {
		n, err := strconv.ParseUint(s, 10, 64)
		ok = ok && err == nil
		return n
	}
	rate := func(s []string) Rate {
		var n [4]float64
		for i := range n {
			var err error
			n[i], err = strconv.ParseFloat(s[i], 64)
			ok = ok && err == nil && n[i] >= 0 && n[i] < 1e6
		}
		return Rate{In: n[0], Out: n[1], Read: n[2], Write: n[3]}
	}
	m := Model{ID: f[0], Window: whole(f[1]), Output: whole(f[2]), Prices: &Prices{Rate: rate(f[3:7])}}
	if len(f) == 12 {
		long := rate(f[8:12])
		from, found := strings.CutPrefix(f[7], ">")
		m.Prices.Long, m.Prices.From = &long, whole(from)
		ok = ok && found
	}
	return m, ok
}

// edition tells whether text is what vendors add to the name of a model for one state of it:
// -2026-01-31, -20260131, @20260131 or -latest.
func edition(text string) bool {
	if text == "-latest" {
		return true
	}
	digits := 0
	for i, r := range text {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case i == 0 && (r == '-' || r == '@'), r == '-' && (i == 5 || i == 8) && len(text) == 11:
		default:
			return false
		}
	}
	return digits == 8 && (len(text) == 9 || len(text) == 11)
}

// Find returns what the table says of a model. One that is not listed is priced like *,
// never like another whose name it begins with: that one may be far cheaper.
func (t *Table) Find(id string) Model {
	other := Model{}
	for _, m := range t.rows {
		switch rest, begins := strings.CutPrefix(id, m.ID); {
		case m.ID == "*":
			other = m
		case begins && (rest == "" || edition(rest)):
			m.ID = id
			return m
		}
	}
	other.ID = id
	return other
}

// Models are those that the table names.
func (t *Table) Models() []Model {
	var out []Model
	for _, m := range t.rows {
		if m.ID != "*" {
			out = append(out, m)
		}
	}
	return out
}
