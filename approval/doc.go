// Package approval is the gate: every effect of every capsule passes [Interceptor.Intercept], and nothing happens
// that it did not allow and record.
//
// # One decision
//
//	manifest bounds → policy → token → budget reserve → approval → audit entry → grant → effect → settle
//
// A Guarded action runs all layers and gets exactly one signed decision entry, which is durable before Intercept
// returns ("decide, record, act"; reads inside the workspace may be answered up to 50 ms before). If the entry
// cannot be written, the answer is [ErrAuditFailed] and nothing else happened: the budget is refunded, a claimed
// token released, the use of an allowance restored. The host performs the effect and calls [Grant.Settle] once, which
// puts the true cost in place of the reservation and writes an outcome entry if the action failed, cost something or
// has a detail. Plain and Message actions run bounds and the cheap part of the policy only; allowed ones are counted
// without an allocation, refused ones are recorded like all others.
//
// Every refusal is a [*Denial] that names layer, rule and the file and line that set the rule. A context that ends
// while a human is being asked gives everything back and leaves no entry.
//
// Grants are about the resource string, which the host makes from the call. Fields of an Action that say something
// else than its resource are refused; the resource of a command is rebuilt from its argument vector, that of a
// request gets one spelling.
//
// A capsule whose calls have filled the log as far as they may ([Brake]) is braked: for ten minutes those of its calls that
// would be recorded are refused with [ErrBraked]. The first of them has an entry that says why, and when the brake opens, or
// the daemon ends, an outcome entry of that one says how many more there were. Nothing that is allowed goes unrecorded.
//
// # Policy
//
// Hard blocks hold in every mode and whatever tokens or allowances say: `..` components in any encoding, privileged
// programs (sudo, su, doas and kin), denied paths, hosts, commands and capsules, oversized arguments, unknown kinds.
// Commands are judged on their argument vector, through wrappers (env, nice, xargs, find -exec, …) and shells: quoting,
// separators, substitutions, assignments, here-documents and functions are read, and a command whose program is not
// written out ("$X ls", curl | sh) is refused. Programs in other languages, script files and options by which other
// programs run things (git -c alias, tar --to-command) are not looked into: they run in the sandbox, which has no
// privileges to give. What is not blocked is decided by lists and then by the mode:
//
//	              inside the workspace   read outside   write outside   spawn, network, identity, questions
//	safe          allow                  ask            ask             ask
//	guided        allow                  allow          ask             ask
//	autonomous    allow                  allow          allow           allow
//	yolo          allow                  allow          allow           allow
//
// A question of critical risk and whatever approval_required_tools lists is asked for in all modes. `X/**` in
// denied_paths denies X too; a denied domain denies the names below it; an entry of several words in blocked_tools
// (`rm -rf /`) means that program with at least those flags and operands, in any order and spelling. never_allow does
// not reach into a workspace or home that itself lies below the listed directory. A workspace's rules only tighten
// ([Tighten]), and so does a session's own mode ([Place], [Policy.AtMost]).
//
// # Budgets
//
// Amounts are integers ([Micros]). One lock covers session and workspace, so both are reserved or neither. A zero limit
// is no limit. Reservations are saved before the effect: a crash over-counts, never under-counts. The tariff is a floor
// per host under the reserved and the settled cost. A true cost above the reservation is counted in full, and the next
// reservation refused. Totals belong to one principal.
//
// # Approval
//
// When the policy asks and no token covers the action, an [Allowance] of the same principal and capsule may; else the
// clients attached for the principal are asked ([Manager.Attach]) and one of them answers ([Manager.Resolve]). The caller
// of both has authenticated the principal. Ids have 128 random bits and are used once; a wrong, foreign, answered or expired
// id is [ErrUnknownRequest] alike. Requests show the real resource, escaped by [Display], and what each answer grants:
//
//	approve            this call
//	approve_session    this resource (requests: every path of scheme, host and port), this session; in memory
//	approve_workspace  the same in this workspace; persisted
//	approve_always     the same as a signed capability token of this principal and capsule; listed and revoked by `astrid caps`
//	approve_with_allowance  a pattern the human wrote, which must cover the action
//	deny               nothing; the feedback reaches the capsule
//
// What was allowed for a session ends with it: when its client says so, when the daemon ends, or when nobody has been in
// it for security.session_idle_secs, which the kernel watches. What is asked before the end is not granted after it.
//
// An answer also covers other calls that wait for the same thing. When nobody is attached, or the deadline passes, the
// request is queued durably and Intercept returns [ErrDeferred] with its id; approving it later records the answer and then
// lets exactly that action of that principal, capsule, session and workspace run once within 24 hours ([FallbackSkip]
// refuses instead, [FallbackBlock] waits for a client first). The same action is queued once.
//
// # Cases of v0.5.0
//
// The test modules of v0.5.0 and where their cases are here, as far as they apply. What a module asserted about text or
// JSON of types that do not exist here is left out with the type.
//
//	action        TestRisks TestSummaries TestRequestShowsWhatIsAsked
//	policy        TestDefaultRules TestFileRules TestHosts TestToolRules TestPrivilegedCommands TestBlockedCommands
//	              TestArgumentSizeAndApprovalRequired TestDenialText TestModes
//	budget        TestReserve TestBudgetProperties TestConcurrentReservationsNeverOverspend TestNonsenseCosts
//	              TestBudgetSurvivesRestartAndFailsClosed TestBudgetWarningReachesTheKernel TestMoney
//	manager       TestDecisionTable TestOneAnswerCoversWaitingCalls TestNobodyAnswersInTime TestWhoeverCannotDecideDefers
//	              TestOnlyThePrincipalAnswersAndOnlyOnce TestPatternMustCoverTheAction
//	deferred      TestQueuedApprovalRunsOnce TestQueuedDenial TestPendingOrder TestQueueAge TestSameActionIsQueuedOnce
//	request       TestRequestIDs TestDecisionJSON TestChoicesThatMakeNoSenseAreNotOffered
//	allowance     TestAllowanceLife TestAllowanceReach TestPatterns TestPatternsThatAreRefused TestPatternTexts
//	              TestUsesAreCountedOnce TestDamagedAllowanceRecords TestGlobCharactersGrantNothingMore
//	interceptor   TestDecisionTable TestCancellationRefundsAndLeavesNothing TestRefundAndSettleCountOnce TestRealEntries
//	              TestRealSingleUse TestRealAlways
//	integration   TestEndSession TestApprovalsReachNobodyElse TestRealAlways TestUsesAreCountedOnce
//
// # Left out of v0.5.0
//
//	transmit_data, financial_transaction,     no host function does them; a capsule asks with astrid_request_approval,
//	access_control_change, capability_grant   and critical risk always reaches a human
//	capsule_* action variants                 every action names its capsule in the Subject
//	pattern `custom`                          never matched anything
//	allowance signatures                      were never verified; the store is as trusted as the audit key beside it
//	fallback `safe_default`                   the kernel knows no default that is safe for an action; it was never acted on
//	pending kinds budget_exceeded,            never created: a refusal is not a question
//	capability_missing, error_resolution
//	budget snapshots and config JSON          totals are saved as they change; limits come from the configuration
//	negative and NaN costs are allowed        they are refused
//	byte prefix of a command is blocked       blocked `suspend` for `su`; words are compared
//	* and ? cross /                           they do not; ** does
//	token used up by a budget denial          it is claimed after the budget
//	warn_percent above 100 is cut to 100      it is an error with its line
//	one hour for "always"                     it is listed and revocable instead; TokenStore.TTL sets one
package approval
