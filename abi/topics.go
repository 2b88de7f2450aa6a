package abi

// Topics that more than one component names. Those below astrid.v1 are reserved:
// the kernel accepts them only from itself and, each for what it may say, from
// authenticated clients.
const (
	TopicRequestPrefix        = "astrid.v1.request."
	TopicResponsePrefix       = "astrid.v1.response."
	TopicCapsulesLoaded       = "astrid.v1.capsules_loaded"
	TopicWatchdogTick         = "astrid.v1.watchdog.tick"
	TopicHealthFailed         = "astrid.v1.health.failed"
	TopicBusLagged            = "astrid.v1.event_bus.lagged"
	TopicApproval             = "astrid.v1.approval"
	TopicApprovalWithdrawn    = "astrid.v1.approval.withdrawn" // request_id, reason: an answer is of no use any more
	TopicApprovalResponse     = "astrid.v1.approval.response."
	TopicElicit               = "astrid.v1.elicit"           // [ElicitRequestEvent], to clients that are [ClientSubscribe].Elicitor
	TopicElicitResponse       = "astrid.v1.elicit.response." // [ElicitResponse], from such a client; the request's id follows
	TopicElicitWithdrawn      = "astrid.v1.elicit.withdrawn" // [ElicitWithdrawn]: it was answered elsewhere, or nobody needs it any more
	TopicUplinkInbound        = "astrid.v1.uplink.inbound"   // [UplinkInbound]
	TopicOnboardingRequired   = "astrid.v1.onboarding.required"
	TopicClientConnected      = "client.v1.connected"
	TopicClientDisconnect     = "client.v1.disconnect"
	TopicUserPrompt           = "user.v1.prompt"
	TopicCommandExecute       = "cli.v1.command.execute"
	TopicAgentResponse        = "agent.v1.response"
	TopicAgentDelta           = "agent.v1.stream.delta"
	TopicAgentReasoning       = "agent.v1.stream.reasoning"
	TopicTurnStarted          = "agent.v1.turn.started"
	TopicTurnCompleted        = "agent.v1.turn.completed"
	TopicTurnSteered          = "agent.v1.turn.steered"
	TopicTurnResumed          = "agent.v1.turn.resumed"
	TopicTurnCompacted        = "agent.v1.turn.compacted"
	TopicTurnWake             = "agent.v1.turn.wake"
	TopicToolStarted          = "agent.v1.tool.started"
	TopicToolCompleted        = "agent.v1.tool.completed"
	TopicSessionGet           = "session.v1.request.get_messages"
	TopicSessionGetResponse   = "session.v1.response.get_messages."
	TopicSessionClear         = "session.v1.request.clear"
	TopicSessionClearResponse = "session.v1.response.clear."
	TopicSessionAppend        = "session.v1.append"
	TopicSparkBuild           = "spark.v1.request.build"
	TopicSparkReady           = "spark.v1.response.ready"
	TopicAssemble             = "prompt_builder.v1.assemble"
	TopicAssembled            = "prompt_builder.v1.response.assemble"
	TopicBeforeBuild          = "prompt_builder.v1.hook.before_build"
	TopicAfterBuild           = "prompt_builder.v1.hook.after_build"
	TopicGeneratePrefix       = "llm.v1.request.generate."
	TopicStreamPrefix         = "llm.v1.stream."
	TopicGenerateCancel       = "llm.v1.request.cancel"
	TopicCompact              = "context_engine.v1.compact"
	TopicCompacted            = "context_engine.v1.response.compact"
	TopicEstimateTokens       = "context_engine.v1.estimate_tokens"
	TopicTokensEstimated      = "context_engine.v1.response.estimate_tokens"
	TopicBeforeCompaction     = "context_engine.v1.hook.before_compaction"
	TopicAfterCompaction      = "context_engine.v1.hook.after_compaction"
	TopicDescribeModels       = "llm.v1.request.describe"
	TopicDescribeTools        = "tool.v1.request.describe"
	TopicToolRequest          = "tool.v1.request.execute"
	TopicToolCancel           = "tool.v1.request.cancel"
	TopicToolExecutePrefix    = "tool.v1.execute."
	TopicToolResult           = "tool.v1.execute.result"
	TopicRefreshModels        = "registry.v1.refresh_models"
	TopicModelsRefreshed      = "registry.v1.response.refresh_models"
	TopicModelChanged         = "registry.v1.active_model_changed"
)

// TurnStarted is published on [TopicTurnStarted] once the person's message is stored:
// from then on it survives a crash of the daemon.
type TurnStarted struct {
	SessionID string `json:"session_id"`
	TurnID    string `json:"turn_id"`
}

// TurnSteered is published on [TopicTurnSteered] when a message was taken into a running turn.
type TurnSteered struct {
	SessionID string `json:"session_id"`
	TurnID    string `json:"turn_id"`
	Text      string `json:"text"`
}

// TurnResumed is published on [TopicTurnResumed] when a turn goes on that a restart had
// interrupted. What the model said since its last tool calls comes again.
type TurnResumed struct {
	SessionID string `json:"session_id"`
	TurnID    string `json:"turn_id"`
	Text      string `json:"text"` // the prompt
}

// TurnCompacted is published on [TopicTurnCompacted] when a summary has taken the place of old
// messages in what the model sees.
type TurnCompacted struct {
	SessionID       string `json:"session_id"`
	TurnID          string `json:"turn_id"`
	MessagesRemoved int    `json:"messages_removed"`
	TokensBefore    uint64 `json:"tokens_before"` // estimated
	TokensAfter     uint64 `json:"tokens_after"`
	Strategy        string `json:"strategy"`
}

// TurnWake is what an agent loop sends itself on [TopicTurnWake] to go on in a session from outside of one.
type TurnWake struct {
	SessionID string `json:"session_id"`
	TurnID    string `json:"turn_id,omitempty"`
}

// LlmCancel is published on [TopicGenerateCancel] when nobody waits for the answer to a
// request any more. A provider ends its stream and closes the connection; it need not answer.
type LlmCancel struct {
	RequestID string `json:"request_id"`
}

// TextDelta is published on [TopicAgentDelta] and [TopicAgentReasoning] as the model speaks.
type TextDelta struct {
	SessionID string `json:"session_id"`
	TurnID    string `json:"turn_id"`
	Text      string `json:"text"`
}

// ToolStarted is published on [TopicToolStarted] before a tool call is sent.
type ToolStarted struct {
	SessionID string `json:"session_id"`
	TurnID    string `json:"turn_id"`
	ToolCall
}

// ToolCompleted is published on [TopicToolCompleted] when its result has come.
type ToolCompleted struct {
	SessionID  string `json:"session_id"`
	TurnID     string `json:"turn_id"`
	Name       string `json:"name"`
	DurationMs int64  `json:"duration_ms"`
	ToolCallResult
}

// TurnCompleted is published on [TopicTurnCompleted] just before the final [AgentResponse].
type TurnCompleted struct {
	SessionID  string     `json:"session_id"`
	TurnID     string     `json:"turn_id"`
	StopReason string     `json:"stop_reason"` // one of the Stop constants
	Error      *TurnError `json:"error,omitempty"`
	Model      string     `json:"model,omitempty"` // id of the provider entry
	Usage      Usage      `json:"usage"`
	ToolCalls  int        `json:"tool_calls"`
	Iterations int        `json:"iterations"`
	DurationMs int64      `json:"duration_ms"`
	// Unread are messages that were meant to steer the turn and that no model has seen.
	Unread []string `json:"unread,omitempty"`
}

// Reasons a turn ends for.
const (
	StopEndTurn    = "end_turn"
	StopCancelled  = "cancelled"
	StopIterations = "max_iterations"
	StopCost       = "max_cost"
	StopTime       = "max_time"
	StopTimeout    = "timeout" // something that the turn waited for
	StopError      = "error"
)

// TurnError says why a turn failed. Kind is stable, Message is for people.
type TurnError struct {
	Kind    string      `json:"kind"` // provider, timeout, limit, internal
	Message string      `json:"message"`
	Failure *LlmFailure `json:"failure,omitempty"` // of a provider
}
