package abi

import "time"

// Limits of parameters and results, in bytes unless the name says otherwise.
// A parameter over its limit is refused with [CodeTooLarge] before anything else happens.
const (
	MaxPath            = 4096
	MaxKey             = 4096
	MaxValue           = 10 << 20 // KV values, file contents, request records, network data
	MaxLogLevel        = 64
	MaxLogMessage      = 64 << 10
	MaxTopic           = 256
	MaxTopicSegments   = 8
	MaxHandle          = 32 // subscription handles and timeouts, as decimal text
	MaxStreamHandle    = 1024
	MaxUplinkField     = 512
	MaxUplinkID        = 128
	MaxUplinkContent   = 1 << 20
	MaxCapabilityCheck = 1024
	MaxProcessHandle   = 256
	MaxProcessRead     = 1 << 20 // a request to read, with input for the program
	MaxProcessOutput   = 1 << 20 // kept of each stream of a program
	MaxPublish         = 5 << 20
	MaxContext         = 4 << 20             // of a conversation in a request to a model: system prompt and tools come with it
	MaxHookRequest     = MaxPublish + 64<<10 // whatever may be published may be asked about
	MaxPublishPerSec   = 10 << 20
	MaxApprovalAction  = 256 // characters
	MaxApprovalText    = 1024
	MaxApprovalRisk    = 64
	MaxElicitText      = 1024 // characters of a prompt, default or option
	MaxElicitAnswer    = 64 << 10
	MaxElicitValues    = 256 // options of a question, values of an answer
	MaxSocketName      = 64
	MaxSessionID       = 128
	MaxPrincipal       = 64
)

// Counts and times a capsule instance is held to.
const (
	MaxSubscriptions    = 128
	MaxAutoSubscribe    = 64
	MaxHTTPStreams      = 4
	MaxNetStreams       = 8
	MaxNetListeners     = 4
	MaxProcesses        = 8 // in the background, for one capsule and session
	MaxUplinks          = 32
	MaxMemoryPages      = 1024 // 64 MiB, the initial size included
	MaxRecv             = 60 * time.Second
	CallDeadline        = 5 * time.Minute
	LifecycleDeadline   = 10 * time.Minute
	HTTPTimeout         = 30 * time.Second
	HTTPChunkTimeout    = 120 * time.Second
	ApprovalTimeout     = 60 * time.Second
	ElicitTimeout       = 120 * time.Second
	DefaultMailbox      = 256 // messages waiting for one capsule
	DefaultSubscription = 1024
	SubscriptionBytes   = 64 << 20 // of messages that wait in one subscription, and in all of a capsule instance
)
