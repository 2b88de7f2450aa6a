package tui

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/unicity-astrid/astrid-go/abi"
)

// What the link tells the model besides the records of package abi.
type (
	// connectingMsg: the link tries to reach the daemon.
	connectingMsg struct{ note string }
	// connectedMsg: the daemon is there; this is the session's history.
	connectedMsg struct {
		session string
		pid     int
		history []abi.ChatMessage
		problem string // why there is no history
		resumed bool   // the person chose this session
		load    string // names this reading of the history
	}
	// olderMsg: more of the history, before what was read so far.
	olderMsg struct {
		load     string
		messages []abi.ChatMessage
	}
	// lostMsg: the connection ended; the link tries again by itself.
	lostMsg struct{ err error }
	// sentMsg: the daemon has taken a prompt.
	sentMsg struct{ turn string }
	// failedMsg: something the model asked for was not done.
	failedMsg struct {
		what string // for people
		turn string // of a prompt
		err  error
	}
	commandsMsg  []capsuleCommand
	modeMsg      abi.ModeInfo
	budgetMsg    abi.BudgetTotal // of this session
	providersMsg []abi.ProviderDescription
	// modelMsg is the active model; an empty id is none.
	modelMsg struct {
		id      string
		context uint64 // tokens it can take; 0 is unknown
	}
	modelSetMsg struct {
		id, problem string
		context     uint64
	}
	// answeredMsg: the daemon has taken the decision about a request.
	answeredMsg struct{ id string }
)

// ask is a question of the gate, as the daemon sends it.
type ask struct {
	abi.ApprovalRequired
	Capsule  string    `json:"capsule"`
	Session  string    `json:"session"`
	Kind     string    `json:"kind"`
	Detail   string    `json:"detail"`
	Rule     string    `json:"rule"`
	Source   string    `json:"source"`
	Method   string    `json:"method"`
	CostUSD  float64   `json:"cost_usd"`
	Size     int64     `json:"size"` // bytes
	Choices  []offer   `json:"choices"`
	Deadline time.Time `json:"deadline"`
	Queued   bool      `json:"queued"`
}

// withdrawnMsg: nobody waits for the answer to a question any more.
type withdrawnMsg struct {
	RequestID string `json:"request_id"`
}

type offer struct {
	Choice string `json:"choice"`
	Grants string `json:"grants"`
}

type capsuleCommand struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Capsule     string `json:"provider_capsule"`
}

// badMsg: the daemon sent something that cannot be read.
type badMsg struct{ err error }

// decode turns a message of the daemon into one for the model; nil if it says nothing to it.
func decode(m abi.Message) tea.Msg {
	payload := unwrap(m.Payload)
	switch m.Topic {
	case abi.TopicTurnStarted:
		return as[abi.TurnStarted](m.Topic, payload)
	case abi.TopicAgentDelta:
		return as[abi.TextDelta](m.Topic, payload)
	case abi.TopicAgentReasoning:
		switch d := as[abi.TextDelta](m.Topic, payload).(type) {
		case abi.TextDelta:
			return reasoningMsg(d)
		default:
			return d
		}
	case abi.TopicToolStarted:
		return as[abi.ToolStarted](m.Topic, payload)
	case abi.TopicToolCompleted:
		return as[abi.ToolCompleted](m.Topic, payload)
	case abi.TopicTurnCompleted:
		return as[abi.TurnCompleted](m.Topic, payload)
	case abi.TopicTurnSteered:
		return as[abi.TurnSteered](m.Topic, payload)
	case abi.TopicTurnResumed:
		return as[abi.TurnResumed](m.Topic, payload)
	case abi.TopicTurnCompacted:
		return as[abi.TurnCompacted](m.Topic, payload)
	case abi.TopicAgentResponse:
		return as[abi.AgentResponse](m.Topic, payload)
	case abi.TopicApproval:
		return as[ask](m.Topic, payload)
	case abi.TopicElicit:
		return as[elicitMsg](m.Topic, payload)
	case abi.TopicElicitWithdrawn:
		return as[elicitGoneMsg](m.Topic, payload)
	case abi.TopicApprovalWithdrawn:
		return as[withdrawnMsg](m.Topic, payload)
	}
	if strings.HasPrefix(m.Topic, "registry.v1.") {
		return decodeRegistry(m.Topic, payload)
	}
	return nil
}

// reasoningMsg is a [abi.TextDelta] of what the model thinks.
type reasoningMsg abi.TextDelta

func decodeRegistry(topic string, payload json.RawMessage) tea.Msg {
	switch topic {
	case abi.TopicModelChanged, "registry.v1.response.get_active_model":
		switch p := as[*abi.ProviderDescription](topic, payload).(type) {
		case *abi.ProviderDescription:
			if p == nil {
				return modelMsg{}
			}
			return modelMsg{id: p.ID, context: p.ContextWindow}
		default:
			return p
		}
	case "registry.v1.response.models":
		return selectionOf(topic, payload)
	case "registry.v1.response.get_providers":
		switch p := as[[]abi.ProviderDescription](topic, payload).(type) {
		case []abi.ProviderDescription:
			return providersMsg(p)
		default:
			return p
		}
	case "registry.v1.response.set_active_model":
		switch p := as[struct {
			Error  string                   `json:"error"`
			Active *abi.ProviderDescription `json:"active_model"`
		}](topic, payload).(type) {
		case badMsg:
			return p
		case struct {
			Error  string                   `json:"error"`
			Active *abi.ProviderDescription `json:"active_model"`
		}:
			if p.Active == nil {
				return modelSetMsg{problem: p.Error}
			}
			return modelSetMsg{id: p.Active.ID, context: p.Active.ContextWindow}
		}
	}
	return nil
}

func as[T any](topic string, payload json.RawMessage) tea.Msg {
	var v T
	if err := json.Unmarshal(payload, &v); err != nil {
		return badMsg{fmt.Errorf("message on %s: %w", topic, err)}
	}
	return v
}

// unwrap takes the record out of an untagged payload's envelope.
func unwrap(payload json.RawMessage) json.RawMessage {
	var e struct {
		Type string          `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if json.Unmarshal(payload, &e) == nil && e.Type == abi.TagCustom {
		return e.Data
	}
	return payload
}
