package abi

import (
	"encoding/json"
	"fmt"
)

// Tags of the payload union: the value of the "type" field.
const (
	TagRawJSON            = "raw_json"
	TagUserInput          = "user_input"
	TagAgentResponse      = "agent_response"
	TagApprovalRequired   = "approval_required"
	TagApprovalResponse   = "approval_response"
	TagOnboardingRequired = "onboarding_required"
	TagLlmRequest         = "llm_request"
	TagLlmStreamEvent     = "llm_stream_event"
	TagLlmResponse        = "llm_response"
	TagToolExecuteRequest = "tool_execute_request"
	TagToolExecuteResult  = "tool_execute_result"
	TagToolCancelRequest  = "tool_cancel_request"
	TagSelectionRequired  = "selection_required"
	TagElicitRequest      = "elicit_request"
	TagElicitResponse     = "elicit_response"
	TagConnect            = "connect"
	TagDisconnect         = "disconnect"
	TagCustom             = "custom"
)

// TaggedPayload is a payload record with a tag of its own.
type TaggedPayload interface{ PayloadTag() string }

// MarshalPayload encodes p with its "type" field first.
func MarshalPayload(p TaggedPayload) ([]byte, error) {
	out := append(append([]byte(`{"type":"`), p.PayloadTag()...), '"')
	tagged := len(out)
	var err error
	if a, ok := p.(Appender); ok {
		out, err = a.AppendJSON(out)
	} else {
		var b []byte
		b, err = json.Marshal(p)
		out = append(out, b...)
	}
	if err != nil {
		return nil, err
	}
	switch b := out[tagged:]; {
	case len(b) < 2 || b[0] != '{':
		return nil, fmt.Errorf("payload %q is not an object", p.PayloadTag())
	case len(b) == 2:
		return append(out[:tagged], '}'), nil
	default:
		b[0] = ',' // the tag is the first field
		return out, nil
	}
}

// UserInput is what a person (or a script) says in a session.
type UserInput struct {
	Text      string          `json:"text"`
	SessionID string          `json:"session_id"`
	Context   json.RawMessage `json:"context,omitempty"`
}

// InputContext is the part of [UserInput].Context that the agent loop understands.
type InputContext struct {
	Action string `json:"action,omitempty"`  // "cancel_turn"
	TurnID string `json:"turn_id,omitempty"` // id the sender wants the turn to have, so that it knows its own
	// Steer has the text taken into the running turn, at its next request to the model, instead
	// of waiting for a turn of its own. So has leaving out TurnID. When no turn runs it begins one.
	Steer  bool        `json:"steer,omitempty"`
	Limits *TurnLimits `json:"limits,omitempty"`
	// Model answers this prompt, by the id that the registry knows it by, or its part after the
	// colon where only one has it; "" is the active one. Which model is active stays.
	Model string `json:"model,omitempty"`
	// Directory is where the person is, absolute. The model is told when it is below the session's workspace.
	Directory string `json:"directory,omitempty"`
	// Command is run by the agent's shell tool, behind the gate like any call of it, and no model is asked: models see
	// the text, the call and its result with the next prompt.
	Command string `json:"command,omitempty"`
}

// ModelQuery asks the registry, on registry.v1.get_active_model, for the model to use.
type ModelQuery struct {
	ModelID string `json:"model_id,omitempty"` // "" is the active one
}

// TurnLimits bound one turn, in place of the agent loop's own settings; zero fields leave those as
// they are. A turn that reaches one ends with StopIterations, StopCost or StopTime, and what it has done is kept.
type TurnLimits struct {
	MaxTurns    int     `json:"max_turns,omitempty"`    // rounds of tool calls
	MaxCostUSD  float64 `json:"max_cost_usd,omitempty"` // by what providers report
	TimeoutSecs int     `json:"timeout_secs,omitempty"` // from the moment the turn begins
}

// ActionCancelTurn in [InputContext].Action ends the running turn of the session.
const ActionCancelTurn = "cancel_turn"

// AgentResponse is text for the person. Non-final ones are deltas.
type AgentResponse struct {
	Text      string `json:"text"`
	IsFinal   bool   `json:"is_final"`
	SessionID string `json:"session_id"`
	TurnID    string `json:"turn_id,omitempty"` // the turn it belongs to, if the agent loop has such ids
}

// ApprovalRequired asks the clients of a principal for a decision.
type ApprovalRequired struct {
	RequestID string `json:"request_id"`
	Action    string `json:"action"`
	Resource  string `json:"resource"`
	Reason    string `json:"reason"`
	RiskLevel string `json:"risk_level"` // low, medium, high, critical
}

// ApprovalResponse answers an [ApprovalRequired].
type ApprovalResponse struct {
	RequestID string  `json:"request_id"`
	Decision  string  `json:"decision"`
	Reason    *string `json:"reason,omitempty"`
}

// Decisions of an [ApprovalResponse]. Any other text denies.
const (
	DecisionApprove          = "approve"
	DecisionApproveSession   = "approve_session"
	DecisionApproveWorkspace = "approve_workspace"
	DecisionApproveAlways    = "approve_always"
	DecisionDeny             = "deny"
	// DecisionDefer: the client cannot decide. Unless another one was asked too, the
	// request is queued as if nobody had been there.
	DecisionDefer = "defer"
)

// OnboardingRequired lists settings a capsule lacks.
type OnboardingRequired struct {
	CapsuleID string            `json:"capsule_id"`
	Fields    []OnboardingField `json:"fields"`
}

// OnboardingField is one question to the person.
type OnboardingField struct {
	Key         string    `json:"key"`
	Prompt      string    `json:"prompt"`
	Description string    `json:"description,omitempty"`
	FieldType   FieldType `json:"field_type"`
	Default     string    `json:"default,omitempty"`
	Placeholder string    `json:"placeholder,omitempty"`
}

// FieldType is "Text", "Secret", "Array" or {"Enum":[choices]}.
type FieldType struct {
	Name string   // Text, Secret, Array or Enum
	Enum []string // choices of Enum
}

// MarshalJSON writes the externally tagged form.
func (t FieldType) MarshalJSON() ([]byte, error) {
	switch t.Name {
	case "Text", "Secret", "Array":
		return json.Marshal(t.Name)
	case "Enum":
		return json.Marshal(map[string][]string{"Enum": append([]string{}, t.Enum...)}) // never null
	}
	return nil, fmt.Errorf("unknown field type %q", t.Name)
}

// UnmarshalJSON reads the externally tagged form.
func (t *FieldType) UnmarshalJSON(b []byte) error {
	var name string
	if json.Unmarshal(b, &name) == nil {
		switch name {
		case "Text", "Secret", "Array":
			*t = FieldType{Name: name}
			return nil
		}
		return fmt.Errorf("unknown field type %q", name)
	}
	var enum map[string][]string // a map keeps the name exact
	if err := json.Unmarshal(b, &enum); err != nil {
		return err
	}
	if len(enum) != 1 || enum["Enum"] == nil {
		return fmt.Errorf("unknown field type %s", b)
	}
	*t = FieldType{Name: "Enum", Enum: enum["Enum"]}
	return nil
}

// ToolExecuteRequest asks for one tool call.
type ToolExecuteRequest struct {
	CallID    string          `json:"call_id"`
	ToolName  string          `json:"tool_name"`
	Arguments json.RawMessage `json:"arguments"`
}

// ToolExecuteResult answers a [ToolExecuteRequest].
type ToolExecuteResult struct {
	CallID string         `json:"call_id"`
	Result ToolCallResult `json:"result"`
}

// ToolCancelRequest ends the processes started for the named calls.
type ToolCancelRequest struct {
	CallIDs []string `json:"call_ids"`
}

// SelectionRequired asks the person to pick one option; the choice goes to CallbackTopic.
type SelectionRequired struct {
	RequestID     string            `json:"request_id"`
	Title         string            `json:"title"`
	Options       []SelectionOption `json:"options"`
	CallbackTopic string            `json:"callback_topic"`
}

// SelectionOption is one choice of a [SelectionRequired].
type SelectionOption struct {
	ID          string `json:"id"`
	Label       string `json:"label"`
	Description string `json:"description,omitempty"`
}

// ElicitRequestEvent asks the person for one setting on behalf of a capsule.
type ElicitRequestEvent struct {
	RequestID string          `json:"request_id"`
	CapsuleID string          `json:"capsule_id"`
	Field     OnboardingField `json:"field"`
}

// ElicitResponse answers an [ElicitRequestEvent]; neither value means cancelled.
type ElicitResponse struct {
	RequestID string   `json:"request_id"`
	Value     *string  `json:"value,omitempty"`
	Values    []string `json:"values,omitempty"`
}

// ElicitWithdrawn says that a question needs no answer any more.
type ElicitWithdrawn struct {
	RequestID string `json:"request_id"`
	Reason    string `json:"reason"`
}

// Connect says that a client attached.
type Connect struct{}

// Disconnect says that a client went away.
type Disconnect struct {
	Reason string `json:"reason,omitempty"`
}

func (UserInput) PayloadTag() string          { return TagUserInput }
func (AgentResponse) PayloadTag() string      { return TagAgentResponse }
func (ApprovalRequired) PayloadTag() string   { return TagApprovalRequired }
func (ApprovalResponse) PayloadTag() string   { return TagApprovalResponse }
func (OnboardingRequired) PayloadTag() string { return TagOnboardingRequired }
func (ToolExecuteRequest) PayloadTag() string { return TagToolExecuteRequest }
func (ToolExecuteResult) PayloadTag() string  { return TagToolExecuteResult }
func (ToolCancelRequest) PayloadTag() string  { return TagToolCancelRequest }
func (SelectionRequired) PayloadTag() string  { return TagSelectionRequired }
func (ElicitRequestEvent) PayloadTag() string { return TagElicitRequest }
func (ElicitResponse) PayloadTag() string     { return TagElicitResponse }
func (Connect) PayloadTag() string            { return TagConnect }
func (Disconnect) PayloadTag() string         { return TagDisconnect }
