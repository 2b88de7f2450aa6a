// Package config reads the daemon's configuration: TOML files, environment and flags, laid over each other.
//
//	built-in defaults
//	/etc/astrid/config.toml           the machine
//	$H/etc/config.toml                the user
//	<workspace>/.astrid/config.toml   the project: it may only tighten
//	environment                       ASTRID_WORKSPACE_MODE and its like, see Keys
//	flags
//
// Later layers win; tables merge, everything else replaces. The project's file comes with a cloned repository and is
// hostile: where it would loosen anything, or is about the daemon rather than the project's own sessions, it has no effect, and
// [Config.Notices] says so. Unknown keys, wrong types and values out
// of range are errors with file, line and column, in any layer: a misspelt rule must not look like one that holds.
//
// Every value, and every item of a list, keeps its [Origin], so that a refusal can name the file and line that caused it.
//
// ${NAME} in a string is replaced by the environment variable, once, when its file is read; a name that is not set stays as it
// is, with a notice. A project's file sees only ASTRID_* and ANTHROPIC_* variables, and of these none that sounds like a
// secret: a rule's text ends up in messages that a guest can read.
//
// What reads which key (a key that nothing reads is a bug):
//
//	storage                           kernel boot, for storage.Open; empty is bolt:$H/var/state.db
//	workspace.mode                    approval: the mode of the policy layer
//	workspace.hard_links              kernel: which files of the workspace are kept from agents for their names outside
//	security.approval_timeout_secs    approval: how long a question waits for a human before it is deferred
//	security.session_idle_secs        kernel: how long what was allowed for a session outlives its last client
//	security.policy.*                 approval: the rules of the policy layer
//	secrets.store                     kernel/secrets: where the key to a new home's secrets is kept
//	budget.*                          approval: the limits of the budget layer; budget.tariff its floors per host
//	audit.sync                        audit: "group" or "always"
//	audit.capsule_mb_per_day          approval: what one capsule may add to the log for one principal
//	http.*                            abi/host: the http functions
//	limits.guest_memory_mb            capsule/engine/wasm: memory of one instance
//	limits.call_deadline_secs         capsule: one call of a capsule
//	limits.cpu_percent                capsule/engine/wasm: share of a processor for one capsule and principal
//	limits.kv_mb                      kernel/storage: bytes of one capsule and principal
//	limits.kv_keys                    kernel/storage: keys of one capsule and principal
//	limits.mailbox                    capsule: messages waiting for one capsule
//	capsules.base_url                 the client, for sources on the network: see capsule/remote
//	capsules.timeout_secs             the same
//	capsules.watch                    kernel boot: whether changes of installed capsules are looked for
//	sandbox.*                         kernel: the rooms that programs of capsules run in
//	logging.*                         telemetry, in daemon and client
//	identity.links                    kernel boot, for identity.Store.Apply
package config
