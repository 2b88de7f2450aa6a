package audit

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// checked is what a worker found out about one line by itself.
type checked struct {
	line   int
	owner  string // principal
	head   *Head  // the line is a head, not an entry
	seq    uint64
	id     ID
	time   time.Time
	behind time.Duration
	repair string // type of a repair entry
	prev   Hash
	hash   Hash
	bad    Why // "" if the line is a genuine entry of the chain
	detail string
}

// checkLine decodes a line and verifies its signature. principal is whose chain it is
// in; "" means any.
func checkLine(principal string, line []byte, no int, trusted map[Key]bool) checked {
	c := checked{line: no}
	if principal == "" && isHead(line) {
		return c.asHead(line, trusted)
	}
	e, err := DecodeLine(line)
	if err != nil {
		c.bad, c.detail = NotAnEntry, err.Error()
		return c
	}
	body := line[:len(line)-sigLen]
	c.owner = e.Principal
	c.seq, c.id, c.time, c.behind, c.prev, c.hash = e.Seq, e.ID, e.Time, e.Behind, e.Prev, hashBody(body)
	if e.Kind == KindRepair {
		c.repair = e.Type
	}
	switch {
	case !verifySig(entryDomain, e.Key, body, e.Sig):
		c.bad = BadSignature
	case !trusted[e.Key]:
		c.bad, c.detail = ForeignKey, "key "+e.Key.ID()
	case principal != "" && e.Principal != principal:
		c.bad, c.detail = ForeignChain, "entry of "+e.Principal
	}
	return c
}

// asHead checks a line of an exported file that is a head.
func (c checked) asHead(line []byte, trusted map[Key]bool) checked {
	h, err := DecodeHead(line)
	if err == nil {
		c.owner, c.head = h.Principal, &h
		err = checkHead(&h, h.Principal, trusted)
	}
	if err != nil {
		c.bad, c.detail = BadAnchor, err.Error()
	}
	return c
}

// stitcher goes through the checked lines of one chain in order and looks at what holds
// them together.
type stitcher struct {
	rep   *ChainReport
	max   int
	head  *Head // anchored; nil if unknown
	file  string
	seq   uint64 // of the last entry in its place
	hash  Hash   // of that entry
	known bool   // whether hash is: not after damage
	time  time.Time
	id    ID
	ids   []ID // of all entries in their place, ascending

	behind  bool
	torn    bool // the rest of the file is no entry
	partial bool // an export may begin anywhere and leave out entries
}

func (s *stitcher) find(to *[]Finding, c *checked, why Why, detail string) {
	if len(s.rep.Problems)+len(s.rep.Notes)+len(s.rep.Doubts) >= s.max {
		s.rep.Omitted++
		if len(*to) > 0 || to == &s.rep.Notes {
			return
		}
	}
	f := Finding{Principal: s.rep.Principal, File: s.file, Why: why, Detail: detail, Index: s.seq + 1}
	if c != nil {
		f.Line, f.ID = c.line, c.id
		if c.seq > 0 {
			f.Index = c.seq
		}
	}
	*to = append(*to, f)
}

func (s *stitcher) problem(c *checked, why Why, detail string) {
	s.find(&s.rep.Problems, c, why, detail)
}
func (s *stitcher) note(c *checked, why Why, detail string) { s.find(&s.rep.Notes, c, why, detail) }

// begin starts a new file: its name says where it begins.
func (s *stitcher) begin(file string) {
	s.file = file
	if s.torn {
		// A segment is begun only after the one before it was anchored to its end.
		s.torn = false
		s.problem(nil, StrayFile, "follows a file with a torn tail")
	}
	first, _ := segmentFirst(file)
	if first != s.seq+1 {
		s.problem(nil, StrayFile, fmt.Sprintf("its name says entry %d, want %d", first, s.seq+1))
	}
}

// beyond reports whether the place after the last entry is past the anchor.
func (s *stitcher) beyond() bool { return s.head != nil && s.seq >= s.head.Seq }

// add takes the next line of the chain.
func (s *stitcher) add(c *checked) {
	if s.torn {
		return
	}
	if c.bad == NotAnEntry {
		if s.beyond() {
			// What a crash leaves behind the last entry anybody was answered for. Whatever
			// follows in this file is not linked to the chain.
			s.torn = true
			s.note(c, TornTail, c.detail)
			return
		}
		s.problem(c, NotAnEntry, c.detail)
		s.seq, s.known = s.seq+1, false
		return
	}
	s.rep.Entries++
	switch c.bad {
	case "":
		s.place(c)
	case ForeignChain: // takes no place in this one
		s.problem(c, c.bad, c.detail)
	default:
		// Nothing in it can be believed, its sequence number neither: take it for the next
		// entry, and do not hold the one after it to its hash.
		c.seq = 0
		s.problem(c, c.bad, c.detail)
		s.seq, s.known = s.seq+1, false
	}
}

// place looks at a genuine entry's position, and makes it the last one if it moves on.
func (s *stitcher) place(c *checked) {
	switch want := s.seq + 1; {
	case c.seq < want:
		why := OutOfOrder
		if s.seen(c.id) {
			why = IDRepeated
		}
		s.problem(c, why, fmt.Sprintf("want entry %d", want))
		return
	case c.seq > want:
		if !s.partial {
			s.problem(c, Missing, fmt.Sprintf("%d entries from %d on", c.seq-want, want))
		}
	case s.known && c.prev != s.hash:
		s.problem(c, BrokenLink, fmt.Sprintf("links to %.16s…, the entry before it is %.16s…", c.prev, s.hash))
	}
	s.order(c)
	s.seq, s.hash, s.known = c.seq, c.hash, true
	s.rep.LastSeq = c.seq
	if s.head != nil && c.seq == s.head.Seq && c.hash != s.head.Hash {
		s.problem(c, HeadDiffers, "the anchor names another entry in this place")
	}
}

// seen reports whether an entry in its place had this id.
func (s *stitcher) seen(id ID) bool {
	_, ok := slices.BinarySearchFunc(s.ids, id, func(a, b ID) int { return bytes.Compare(a[:], b[:]) })
	return ok
}

// order looks at time and id.
func (s *stitcher) order(c *checked) {
	if c.time.Before(s.time) {
		s.problem(c, TimeBackwards, fmt.Sprintf("%v before the entry before it", s.time.Sub(c.time)))
	} else {
		s.time = c.time
	}
	if bytes.Compare(c.id[:], s.id[:]) > 0 {
		s.id = c.id
		s.ids = append(s.ids, c.id)
	} else if s.seen(c.id) {
		s.problem(c, IDRepeated, c.id.String())
	} else {
		s.problem(c, IDOrder, c.id.String())
	}
	if c.behind > 0 && !s.behind {
		s.note(c, ClockBehind, fmt.Sprintf("the clock was %v behind the entry before it", c.behind))
	}
	s.behind = c.behind > 0
	if c.repair != "" {
		s.note(c, Repaired, c.repair)
	}
}

// end compares what was read with the anchor.
func (s *stitcher) end() {
	switch {
	case s.head == nil:
	case s.seq < s.head.Seq:
		s.problem(nil, Truncated, fmt.Sprintf("the anchor has %d entries, the log ends after %d", s.head.Seq, s.seq))
	case s.seq > s.head.Seq:
		s.note(nil, Unanchored, fmt.Sprintf("%d entries", s.seq-s.head.Seq))
	}
}
