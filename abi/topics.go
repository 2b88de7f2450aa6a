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
	TopicApprovalResponse     = "astrid.v1.approval.response."
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
	TopicDescribeModels       = "llm.v1.request.describe"
	TopicDescribeTools        = "tool.v1.request.describe"
	TopicToolRequest          = "tool.v1.request.execute"
	TopicToolCancel           = "tool.v1.request.cancel"
	TopicToolExecutePrefix    = "tool.v1.execute."
	TopicToolResult           = "tool.v1.execute.result"
	TopicModelChanged         = "registry.v1.active_model_changed"
)

// TurnStarted is published on [TopicTurnStarted] once the person's message is stored:
// from then on it survives a crash of the daemon.
type TurnStarted struct {
	SessionID string `json:"session_id"`
	TurnID    string `json:"turn_id"`
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
}

// Reasons a turn ends for.
const (
	StopEndTurn    = "end_turn"
	StopCancelled  = "cancelled"
	StopIterations = "max_iterations"
	StopTimeout    = "timeout"
	StopError      = "error"
)

// TurnError says why a turn failed. Kind is stable, Message is for people.
type TurnError struct {
	Kind    string `json:"kind"` // provider, timeout, limit, internal
	Message string `json:"message"`
}
