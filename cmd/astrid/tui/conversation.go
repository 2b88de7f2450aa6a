package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

// conversation is what has been said in a session, and the turn that runs.
type conversation struct {
	timeline
	prompts []prompt // sent or about to be, not begun
	turn    string   // the running one; "" is none
	began   time.Time
	said    strings.Builder // text of this round
	round   int             // first item of this round
	text    *item           // the block that grows
	thought *item           // the reasoning that grows
	done    string          // the turn that ended last
	answer  string          // the last whole answer, printable
	usage   abi.Usage       // of this session since it was opened
	tokens  uint64          // what a model sees of it, estimated
	plan    []step

	measured bool                           // the provider has counted tokens
	results  map[string]*abi.ToolCallResult // of calls that are older than what is loaded
}

// bytesPerToken is how much text a token is, roughly.
const bytesPerToken = 4

// compacted takes note that the model sees less than the screen shows.
func (c *conversation) compacted(t abi.TurnCompacted) {
	if n := t.TokensBefore - t.TokensAfter; t.TokensBefore > t.TokensAfter && n <= c.tokens {
		c.tokens -= n
	}
	c.notice(fmt.Sprintf("the model now sees a summary instead of %d older messages; nothing is lost here", t.MessagesRemoved))
}

// prompt is what the person said and has not been begun.
type prompt struct {
	turn, text string
	sent       bool // the daemon has it
	steer      bool // it is meant for the running turn
}

func newConversation() conversation { return conversation{timeline: newTimeline()} }

func (c *conversation) busy() bool { return c.turn != "" || len(c.prompts) > 0 }

// enqueue shows a prompt below everything else until its turn begins.
func (c *conversation) enqueue(turn, text string, steer bool) {
	c.prompts = append(c.prompts, prompt{turn: turn, text: text, steer: steer && c.turn != ""})
	c.showQueue()
	c.end()
}

func (c *conversation) showQueue() {
	c.queued = c.queued[:0:0]
	for i, p := range c.prompts {
		k := kindQueued
		if i == 0 && c.turn == "" {
			k = kindUser // about to begin: no need to call it queued
		}
		if p.steer {
			k = kindSteer
		}
		c.queued = append(c.queued, newItem(k, printable(p.text)))
	}
}

// unqueue takes a prompt out of the queue.
func (c *conversation) unqueue(turn string) (prompt, bool) {
	for i, p := range c.prompts {
		if p.turn == turn {
			c.prompts = append(c.prompts[:i:i], c.prompts[i+1:]...)
			c.showQueue()
			return p, true
		}
	}
	return prompt{}, false
}

func (c *conversation) start(turn string, now time.Time) {
	if turn == c.turn {
		return
	}
	c.settle()
	c.turn, c.began = turn, now
	if p, ok := c.unqueue(turn); ok {
		c.add(newItem(kindUser, printable(p.text)))
	} else {
		c.add(newItem(kindNotice, "a prompt from somewhere else"))
		c.showQueue()
	}
	c.newRound()
}

// join takes notice of a turn whose beginning this screen has not seen.
func (c *conversation) join(turn string, now time.Time) {
	if c.turn == "" && turn != "" && turn != c.done {
		c.turn, c.began = turn, now
		c.unqueue(turn)
		c.newRound()
	}
}

// steered shows a message that the running turn has taken in.
func (c *conversation) steered(s abi.TurnSteered, now time.Time) {
	c.join(s.TurnID, now)
	for _, p := range c.prompts {
		if p.steer && p.text == s.Text {
			c.unqueue(p.turn)
			break
		}
	}
	c.settle()
	c.add(newItem(kindUser, printable(s.Text)))
	c.newRound()
}

// unread gives back what was meant for a turn that no model has seen it in.
func (c *conversation) unread() (texts []string) {
	for _, p := range slices.Clone(c.prompts) {
		if p.steer {
			c.unqueue(p.turn)
			texts = append(texts, p.text)
		}
	}
	return texts
}

func (c *conversation) newRound() {
	c.said.Reset()
	c.text, c.thought = nil, nil
	c.round = len(c.items)
}

// settle closes what was growing.
func (c *conversation) settle() {
	if c.text != nil {
		c.text.open = false
		if strings.TrimSpace(c.text.text.String()) == "" && c.items[len(c.items)-1] == c.text {
			c.items = c.items[:len(c.items)-1]
		}
		c.text = nil
	}
	if c.thought != nil {
		c.thought.open = false
		c.thought = nil
	}
}

func (c *conversation) delta(d abi.TextDelta, now time.Time) {
	c.join(d.TurnID, now)
	if d.TurnID != c.turn {
		return // of a turn that is over
	}
	text := printable(d.Text)
	c.tokens += uint64(len(text)+bytesPerToken-1) / bytesPerToken
	c.said.WriteString(text)
	c.appendText(text)
	c.touched()
}

// appendText lets the answer grow: complete blocks become items of their own.
func (c *conversation) appendText(text string) {
	if c.thought != nil {
		c.thought.open = false
		c.thought = nil
	}
	if c.text == nil {
		if text = strings.TrimLeft(text, "\n"); text == "" {
			return
		}
		c.text = c.add(&item{kind: kindText, first: true, open: true})
	}
	before := c.text.text.String()
	c.text.text.WriteString(text)
	if !strings.Contains(text, "\n") && !strings.HasSuffix(before, "\n") {
		return // no block can have ended
	}
	for {
		whole := c.text.text.String()
		n := blockEnd(whole)
		if n == 0 {
			return
		}
		c.text.text.Reset()
		c.text.text.WriteString(whole[:n])
		c.text.open = false
		c.text.changed()
		c.text = c.add(&item{kind: kindText, open: true})
		c.text.text.WriteString(whole[n:])
	}
}

func (c *conversation) think(d abi.TextDelta, now time.Time) {
	c.join(d.TurnID, now)
	if d.TurnID != c.turn {
		return
	}
	if c.thought == nil {
		c.thought = c.add(&item{kind: kindReasoning, open: true})
	}
	c.thought.text.WriteString(printable(d.Text))
	c.touched()
}

func (c *conversation) toolStarted(s abi.ToolStarted, now time.Time) {
	c.join(s.TurnID, now)
	if s.TurnID != c.turn || c.card(s.ID) != nil {
		return
	}
	if p := planOf(s.Arguments); p != nil {
		c.plan = p
	}
	c.tokens += uint64(len(s.Arguments) / bytesPerToken)
	c.settle()
	c.add(&item{kind: kindTool, tool: newCard(s.ToolCall, now)})
	c.newRound()
}

// card finds a tool call among the newest items.
func (c *conversation) card(id string) *item {
	for i := len(c.items) - 1; i >= 0 && c.items[i].kind != kindUser; i-- {
		if it := c.items[i]; it.kind == kindTool && it.tool.id == id {
			return it
		}
	}
	return nil
}

func (c *conversation) toolCompleted(d abi.ToolCompleted, now time.Time) {
	c.join(d.TurnID, now)
	it := c.card(d.CallID)
	if d.TurnID != c.turn || it == nil || it.tool.done {
		return
	}
	it.tool.finish(&d.ToolCallResult)
	c.tokens += uint64(len(d.Content) / bytesPerToken)
	it.tool.took, it.tool.known = time.Duration(d.DurationMs)*time.Millisecond, true
	it.changed()
	c.touched()
}

// finish ends a turn. Its answer may still follow.
func (c *conversation) finish(d abi.TurnCompleted) {
	c.unqueue(d.TurnID) // it may never have begun
	if c.turn != "" && d.TurnID != c.turn || d.TurnID == c.done {
		return
	}
	c.settle()
	c.stopCards()
	c.usage.InputTokens += d.Usage.InputTokens
	c.usage.OutputTokens += d.Usage.OutputTokens
	if d.Iterations == 1 && d.Usage.InputTokens > 0 { // one request: it is exactly what the model saw and said
		c.tokens, c.measured = d.Usage.InputTokens+d.Usage.OutputTokens, true
	}
	c.turn, c.done = "", d.TurnID
	c.showQueue()
	switch {
	case d.Error != nil:
		c.add(newItem(kindError, printable(d.Error.Message)))
	case d.StopReason == abi.StopCancelled:
		c.add(newItem(kindNotice, "cancelled"))
	case d.StopReason != abi.StopEndTurn:
		c.add(newItem(kindNotice, "stopped: "+oneLine(d.StopReason)))
	}
	if d.Error != nil || d.StopReason != abi.StopEndTurn {
		c.newRound() // what the final message repeats is said
	}
}

// stopCards marks the calls that will not get a result any more.
func (c *conversation) stopCards() {
	for i := len(c.items) - 1; i >= 0 && c.items[i].kind != kindUser; i-- {
		if it := c.items[i]; it.kind == kindTool && !it.tool.done {
			it.tool.cut = true
			it.changed()
		}
	}
}

// respond takes the final text of a turn. What was streamed is right if it is the same;
// a screen that came late, or a loop that does not stream, gets the text here.
func (c *conversation) respond(r abi.AgentResponse) (ended bool) {
	text := printable(r.Text)
	if !r.IsFinal {
		if r.TurnID == "" { // the deltas of other agent loops
			c.said.WriteString(text)
			c.appendText(text)
			c.touched()
		}
		return false
	}
	if r.TurnID != "" && r.TurnID == c.turn { // nothing told before that the turn was over
		c.turn, c.done = "", r.TurnID
		c.stopCards()
		ended = true
	}
	c.settle()
	if len(c.items) > 0 && c.items[len(c.items)-1].kind == kindError || strings.TrimSpace(text) == "" {
		return ended // the text of a failed turn is its error
	}
	if c.said.String() != text {
		c.dropRound()
		c.addAnswer(text)
	}
	c.answer = text
	c.said.Reset()
	c.newRound()
	c.touched()
	return ended
}

// dropRound takes back what was streamed since the last tool call.
func (c *conversation) dropRound() {
	kept := c.items[:c.round:c.round]
	for _, it := range c.items[c.round:] {
		if it.kind != kindText {
			kept = append(kept, it)
		}
	}
	c.items = kept
}

func (c *conversation) addAnswer(text string) {
	for _, it := range answerItems(text) {
		c.add(it)
	}
}

func answerItems(text string) (out []*item) {
	for i, b := range splitBlocks(strings.TrimLeft(text, "\n")) {
		it := newItem(kindText, b)
		it.first = i == 0
		out = append(out, it)
	}
	return out
}

// load shows a session's history, or the end of it.
func (c *conversation) load(messages []abi.ChatMessage) {
	c.plan, c.answer, c.tokens, c.measured, c.results = nil, "", 0, false, nil
	c.items = c.history(messages)
	c.newRound()
}

// older shows what was said before everything that is there. The window stays where it is.
func (c *conversation) older(messages []abi.ChatMessage) {
	before := c.history(messages)
	if n := len(before); n > 0 {
		if first := len(c.items) > 0 && c.top == 0; first && !(c.items[0].kind == kindTool && before[n-1].kind == kindTool) {
			c.off++ // the line that sets it apart
		}
		c.items = append(before, c.items...)
		c.top += n
		c.round += n
	}
}

// history makes items of messages that are older than all others.
func (c *conversation) history(messages []abi.ChatMessage) (out []*item) {
	if !c.measured {
		c.tokens += abi.EstimateAll(messages)
	}
	plan, answer := []step(nil), ""
	cards := make(map[string]*item)
	for _, m := range messages {
		switch content := m.Content; {
		case content.Result != nil:
			if it := cards[content.Result.CallID]; it != nil {
				it.tool.finish(content.Result)
				continue
			}
			if c.results == nil {
				c.results = make(map[string]*abi.ToolCallResult)
			}
			c.results[content.Result.CallID] = content.Result
		case content.Calls != nil:
			for _, call := range content.Calls {
				it := &item{kind: kindTool, tool: newCard(call, time.Time{})}
				cards[call.ID] = it
				if p := planOf(call.Arguments); p != nil {
					plan = p
				}
				out = append(out, it)
			}
		default:
			text := textOf(content)
			switch m.Role {
			case abi.RoleUser:
				out = append(out, newItem(kindUser, text))
			case abi.RoleAssistant:
				out = append(out, answerItems(text)...)
				answer = text
			}
		}
	}
	for id, it := range cards {
		if r := c.results[id]; r != nil && !it.tool.done {
			it.tool.finish(r)
			delete(c.results, id)
		}
		it.tool.cut = !it.tool.done
	}
	if c.plan == nil {
		c.plan = plan
	}
	if c.answer == "" {
		c.answer = answer
	}
	return out
}

func textOf(content abi.Content) string {
	text := content.Text
	for _, p := range content.Parts {
		if p.Type == "text" {
			text += p.Text
		} else {
			text += "[image]"
		}
	}
	return printable(text)
}

func (c *conversation) notice(text string) { c.add(newItem(kindNotice, text)) }
func (c *conversation) problem(text string) {
	c.add(newItem(kindError, text))
}
