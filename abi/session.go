package abi

import "time"

// The verbs of a session store. A request goes to [TopicSessionPrefix] + verb, its answer comes
// on [TopicSessionResponsePrefix] + verb + "." + correlation id. A correlation id is
// chosen by the asker, is not empty and has no dots. An answer with Error says why there is
// nothing else in it.
//
//	verb          request            answer
//	get_messages  [SessionMessagesRequest]  [SessionMessages]
//	list          [SessionListRequest]      [SessionList]
//	get_meta      [SessionRequest]          [SessionAnswer]
//	update        [SessionUpdate]           [SessionAnswer]
//	delete        [SessionRequest]          [SessionAnswer]   the record as it was
//	search        [SessionSearchRequest]    [SessionSearch]
//	export        [SessionExportRequest]    [SessionExport]
//	fork          [SessionForkRequest]      [SessionAnswer]   the new session
//	set_context   [SessionContext]          [SessionAnswer]
//	clear         [SessionRequest]          old_session_id, new_session_id
const (
	TopicSessionPrefix         = "session.v1.request."
	TopicSessionResponsePrefix = "session.v1.response."
)

// SessionRequest names one session.
type SessionRequest struct {
	CorrelationID string `json:"correlation_id"`
	SessionID     string `json:"session_id"`
}

// SessionMessagesRequest asks for the messages of a session, and may append some before.
type SessionMessagesRequest struct {
	CorrelationID    string        `json:"correlation_id"`
	SessionID        string        `json:"session_id"`
	AppendBeforeRead []ChatMessage `json:"append_before_read,omitempty"`
	// AppendID names the append. With Repeated it is stored only if none of that name was before.
	AppendID string `json:"append_id,omitempty"`
	Repeated bool   `json:"repeated,omitempty"`
	// Context asks for what a model is to see: what [SessionContext] put in place of the
	// older messages, then the rest, and of that the end if it is larger than [MaxContext]: Head then has a
	// message that says so. Without it the answer is what was said, all of it.
	Context bool `json:"context,omitempty"`
	// From and Limit page through a session that is too long for one answer; Limit 0 is no limit. With Context, From is
	// how many messages of the session the asker knows: the answer is what came after them (Start is From, and Head 0), or
	// everything if a model is to see them otherwise now.
	From  int `json:"from,omitempty"`
	Limit int `json:"limit,omitempty"`
	// Last asks for the end of the session: about so many messages, for appends stay whole, of at most about
	// 1 MiB. Before goes on from there towards the beginning: it is Earlier of the answer before.
	Last   int `json:"last,omitempty"`
	Before int `json:"before,omitempty"`
}

// SessionMessages answers a [SessionMessagesRequest].
type SessionMessages struct {
	CorrelationID string        `json:"correlation_id"`
	Messages      []ChatMessage `json:"messages"`
	// Total is how many messages the session has; Head is how many of Messages stand for
	// older ones, and Start is the number of the first one after them.
	Total int `json:"total,omitempty"`
	Head  int `json:"head,omitempty"`
	Start int `json:"start,omitempty"`
	// Earlier is where to go on when the end was asked for; 0 is that nothing is before it.
	Earlier int `json:"earlier,omitempty"`
	// LastAppendID is the name of the session's last append.
	LastAppendID string `json:"last_append_id,omitempty"`
	Error        string `json:"error,omitempty"`
}

// SessionContext puts Head in place of the messages before number From, for models only.
type SessionContext struct {
	CorrelationID string        `json:"correlation_id"`
	SessionID     string        `json:"session_id"`
	Head          []ChatMessage `json:"head"`
	From          int           `json:"from"`
}

// SessionInfo describes a session.
type SessionInfo struct {
	SessionID       string    `json:"session_id"`
	Title           string    `json:"title"`           // as renamed, else how the first prompt begins
	Named           bool      `json:"named,omitempty"` // somebody chose the title
	ParentSessionID string    `json:"parent_session_id,omitempty"`
	Workspace       string    `json:"workspace,omitempty"` // directory it works in
	CreatedAt       time.Time `json:"created_at"`
	UpdatedAt       time.Time `json:"updated_at"`
	Messages        int       `json:"messages"`
	Prompts         int       `json:"prompts"` // messages of the person
}

// SessionAnswer is the answer of verbs that are about one session.
type SessionAnswer struct {
	CorrelationID string       `json:"correlation_id"`
	Session       *SessionInfo `json:"session,omitempty"`
	Error         string       `json:"error,omitempty"`
}

// SessionListRequest asks for sessions, the last used first.
type SessionListRequest struct {
	CorrelationID string `json:"correlation_id"`
	Workspace     string `json:"workspace,omitempty"` // only those that work there
	Empty         bool   `json:"empty,omitempty"`     // also those without a message
	Limit         int    `json:"limit,omitempty"`     // default 50, at most 500
	Cursor        string `json:"cursor,omitempty"`    // Next of the page before
}

// SessionList answers a [SessionListRequest]. Next is empty on the last page.
type SessionList struct {
	CorrelationID string        `json:"correlation_id"`
	Sessions      []SessionInfo `json:"sessions"`
	Next          string        `json:"next,omitempty"`
	Error         string        `json:"error,omitempty"`
}

// SessionUpdate changes what a session is called; an empty title makes it the first prompt again.
type SessionUpdate struct {
	CorrelationID string `json:"correlation_id"`
	SessionID     string `json:"session_id"`
	Title         string `json:"title"` // at most 200 characters of one line
}

// SessionSearchRequest looks for text in titles and messages, in whatever case.
type SessionSearchRequest struct {
	CorrelationID string `json:"correlation_id"`
	Query         string `json:"query"`
	SessionID     string `json:"session_id,omitempty"` // in this one only
	Limit         int    `json:"limit,omitempty"`      // hits; default 20, at most 200
}

// SessionHit is a message that matches, or a title (Index -1).
type SessionHit struct {
	Session SessionInfo `json:"session"`
	Index   int         `json:"index"`
	Role    string      `json:"role,omitempty"`
	Excerpt string      `json:"excerpt"`
}

// SessionSearch answers a [SessionSearchRequest]: hits of the last used session first.
type SessionSearch struct {
	CorrelationID string       `json:"correlation_id"`
	Hits          []SessionHit `json:"hits"`
	Truncated     bool         `json:"truncated,omitempty"` // there may be more
	Error         string       `json:"error,omitempty"`
}

// SessionExportRequest asks for a session as a document, in pages if it is long.
type SessionExportRequest struct {
	CorrelationID string `json:"correlation_id"`
	SessionID     string `json:"session_id"`
	Format        string `json:"format,omitempty"` // "markdown" (default) or "jsonl": a message per line
	From          int    `json:"from,omitempty"`   // number of the first message
}

// SessionExport answers a [SessionExportRequest]. Next is the message to go on with, 0 at the end.
type SessionExport struct {
	CorrelationID string       `json:"correlation_id"`
	Session       *SessionInfo `json:"session,omitempty"`
	Content       string       `json:"content"`
	Next          int          `json:"next,omitempty"`
	Error         string       `json:"error,omitempty"`
}

// SessionForkRequest copies a session's first messages into a new one.
type SessionForkRequest struct {
	CorrelationID string `json:"correlation_id"`
	SessionID     string `json:"session_id"`
	NewSessionID  string `json:"new_session_id,omitempty"` // default a new UUID; must not exist
	At            int    `json:"at,omitempty"`             // how many messages; 0 is all. Calls and results stay together
	Title         string `json:"title,omitempty"`
}
