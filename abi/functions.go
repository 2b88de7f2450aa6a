package abi

// Function is the index of a host function in the table. The order is part of
// the contract: functions are only ever appended (it numbers the functions for
// the "shim" import module of QuickJS capsules).
type Function uint8

// The host functions, in table order.
const (
	FsExists Function = iota
	FsMkdir
	FsReaddir
	FsStat
	FsUnlink
	ReadFile
	WriteFile
	IpcPublish
	IpcSubscribe
	IpcUnsubscribe
	IpcPoll
	IpcRecv
	UplinkRegister
	UplinkSend
	KvGet
	KvSet
	KvDelete
	KvListKeys
	KvClearPrefix
	GetConfig
	GetCaller
	HTTPRequestFn
	TriggerHook
	Log
	SpawnHost
	NetBindUnix
	NetAccept
	NetRead
	NetWrite
	Elicit
	HasSecret
	SignalReady
	ClockMs
	GetInterceptorHandles
	RequestApproval
	IdentityResolve
	IdentityLink
	IdentityUnlink
	IdentityCreateUser
	IdentityListLinks
	CheckCapsuleCapability
	SpawnBackgroundHost
	ReadProcessLogsHost
	KillProcessHost
	NetCloseStream
	NetPollAccept
	HTTPStreamStart
	HTTPStreamRead
	HTTPStreamClose

	// FunctionCount is the number of host functions.
	FunctionCount
)

var functionNames = [FunctionCount]string{
	"astrid_fs_exists",
	"astrid_fs_mkdir",
	"astrid_fs_readdir",
	"astrid_fs_stat",
	"astrid_fs_unlink",
	"astrid_read_file",
	"astrid_write_file",
	"astrid_ipc_publish",
	"astrid_ipc_subscribe",
	"astrid_ipc_unsubscribe",
	"astrid_ipc_poll",
	"astrid_ipc_recv",
	"astrid_uplink_register",
	"astrid_uplink_send",
	"astrid_kv_get",
	"astrid_kv_set",
	"astrid_kv_delete",
	"astrid_kv_list_keys",
	"astrid_kv_clear_prefix",
	"astrid_get_config",
	"astrid_get_caller",
	"astrid_http_request",
	"astrid_trigger_hook",
	"astrid_log",
	"astrid_spawn_host",
	"astrid_net_bind_unix",
	"astrid_net_accept",
	"astrid_net_read",
	"astrid_net_write",
	"astrid_elicit",
	"astrid_has_secret",
	"astrid_signal_ready",
	"astrid_clock_ms",
	"astrid_get_interceptor_handles",
	"astrid_request_approval",
	"astrid_identity_resolve",
	"astrid_identity_link",
	"astrid_identity_unlink",
	"astrid_identity_create_user",
	"astrid_identity_list_links",
	"astrid_check_capsule_capability",
	"astrid_spawn_background_host",
	"astrid_read_process_logs_host",
	"astrid_kill_process_host",
	"astrid_net_close_stream",
	"astrid_net_poll_accept",
	"astrid_http_stream_start",
	"astrid_http_stream_read",
	"astrid_http_stream_close",
}

// String returns the import name of the function.
func (f Function) String() string {
	if f >= FunctionCount {
		return "astrid_unknown"
	}
	return functionNames[f]
}

// FunctionByName returns the function with that import name.
func FunctionByName(name string) (Function, bool) {
	for i, n := range functionNames {
		if n == name {
			return Function(i), true
		}
	}
	return 0, false
}

// Import modules and link functions.
const (
	ModuleNative     = "astrid"           // the host functions, native convention
	ModuleLink       = "astrid_link"      // take and yield
	ModuleExtismEnv  = "extism:host/env"  // Extism builtins
	ModuleExtismUser = "extism:host/user" // the host functions, Extism convention
	ModuleShim       = "shim"             // dispatch by number for QuickJS capsules
	ModuleWASI       = "wasi_snapshot_preview1"

	LinkTake  = "take"  // (ptr i32, cap i32) -> i32
	LinkYield = "yield" // () -> (), inserted by the meter, refused in guests
)

// Exports the kernel calls.
const (
	ExportHookTrigger = "astrid_hook_trigger"
	ExportRun         = "run"
	ExportInstall     = "astrid_install"
	ExportUpgrade     = "astrid_upgrade"
)
