package main

import (
	"fmt"
	"slices"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/rawjson"
)

// Whatever a tool says goes to the model with each request from then on, and a round is stored as one message. So what
// is too long is shortened before it becomes part of the conversation; tools of their own accord say less.
const (
	maxResult  = 512 << 10 // bytes of one result
	maxResults = 2 << 20   // of all results of a round
	maxOpen    = 12 << 20  // of all rounds that wait for more results; beyond it …
	fewResults = 256 << 10 // … a round may have so much
)

// bound shortens the results of a round, the longest first.
func (t *turn) bound() {
	var sizes []int
	for _, c := range t.calls {
		if c.result != nil {
			c.shorten(maxResult)
			sizes = append(sizes, len(c.result.Content))
		}
	}
	most, open := maxResults, 0
	for _, s := range sessions {
		if o := s.turn; o != nil {
			for _, c := range o.calls {
				if c.result != nil {
					open += len(c.result.Content)
				}
			}
		}
	}
	if open > maxOpen {
		most = fewResults
	}
	// The level to which the longest come down: shorter ones leave what they do not need to the others.
	slices.Sort(sizes)
	for i, n := range sizes {
		if share := most / (len(sizes) - i); n > share {
			for _, c := range t.calls {
				if c.result != nil {
					c.shorten(share)
				}
			}
			return
		}
		most -= n
	}
}

// shorten leaves out the middle of a result, so that about limit bytes are left.
func (c *call) shorten(limit int) {
	text := c.result.Content
	c.size = max(c.size, len(text))
	if len(text) <= limit+longestMark {
		return
	}
	head := rawjson.Clip(text, limit/3*2)
	tail := rawjson.ClipFront(text, limit/3)
	c.result.Content = fmt.Sprintf("%s\n[… %d of %d bytes are left out here: ask the tool for less at a time to see them …]\n%s", head, c.size-len(head)-len(tail), c.size, tail)
}

// longestMark is how much longer a shortened result may be than was said, so that it is not shortened once more.
const longestMark = 160

// tooLarge tells what to do about a request that is larger than a message can be, though its conversation is not.
func (t *turn) tooLarge(why error) error {
	return t.fail("limit", fmt.Sprintf("the request to the model is too large to be sent (%v): what was said last, the system prompt (%d bytes) and the descriptions of %d tools "+
		"are more than %d MiB. Say it in a shorter message, or in a new session", why, len(t.system), len(t.tools), abi.MaxPublish>>20))
}
