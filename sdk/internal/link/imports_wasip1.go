//go:build wasip1

package link

// The imports of module "astrid". A string parameter is passed as (ptr i32, len i32),
// which is exactly a logical parameter of the native convention.

//go:wasmimport astrid astrid_fs_exists
//go:noescape
func hostFsExists(a string) uint64

//go:wasmimport astrid astrid_fs_mkdir
//go:noescape
func hostFsMkdir(a string) uint64

//go:wasmimport astrid astrid_fs_readdir
//go:noescape
func hostFsReaddir(a string) uint64

//go:wasmimport astrid astrid_fs_stat
//go:noescape
func hostFsStat(a string) uint64

//go:wasmimport astrid astrid_fs_unlink
//go:noescape
func hostFsUnlink(a string) uint64

//go:wasmimport astrid astrid_read_file
//go:noescape
func hostReadFile(a string) uint64

//go:wasmimport astrid astrid_write_file
//go:noescape
func hostWriteFile(a, b string) uint64

//go:wasmimport astrid astrid_ipc_publish
//go:noescape
func hostIpcPublish(a, b string) uint64

//go:wasmimport astrid astrid_ipc_subscribe
//go:noescape
func hostIpcSubscribe(a string) uint64

//go:wasmimport astrid astrid_ipc_unsubscribe
//go:noescape
func hostIpcUnsubscribe(a string) uint64

//go:wasmimport astrid astrid_ipc_poll
//go:noescape
func hostIpcPoll(a string) uint64

//go:wasmimport astrid astrid_ipc_recv
//go:noescape
func hostIpcRecv(a, b string) uint64

//go:wasmimport astrid astrid_uplink_register
//go:noescape
func hostUplinkRegister(a, b, c string) uint64

//go:wasmimport astrid astrid_uplink_send
//go:noescape
func hostUplinkSend(a, b, c string) uint64

//go:wasmimport astrid astrid_kv_get
//go:noescape
func hostKvGet(a string) uint64

//go:wasmimport astrid astrid_kv_set
//go:noescape
func hostKvSet(a, b string) uint64

//go:wasmimport astrid astrid_kv_delete
//go:noescape
func hostKvDelete(a string) uint64

//go:wasmimport astrid astrid_kv_list_keys
//go:noescape
func hostKvListKeys(a string) uint64

//go:wasmimport astrid astrid_kv_clear_prefix
//go:noescape
func hostKvClearPrefix(a string) uint64

//go:wasmimport astrid astrid_get_config
//go:noescape
func hostGetConfig(a string) uint64

//go:wasmimport astrid astrid_get_caller
//go:noescape
func hostGetCaller() uint64

//go:wasmimport astrid astrid_http_request
//go:noescape
func hostHttpRequest(a string) uint64

//go:wasmimport astrid astrid_trigger_hook
//go:noescape
func hostTriggerHook(a string) uint64

//go:wasmimport astrid astrid_log
//go:noescape
func hostLog(a, b string) uint64

//go:wasmimport astrid astrid_spawn_host
//go:noescape
func hostSpawnHost(a string) uint64

//go:wasmimport astrid astrid_net_bind_unix
//go:noescape
func hostNetBindUnix(a string) uint64

//go:wasmimport astrid astrid_net_accept
//go:noescape
func hostNetAccept(a string) uint64

//go:wasmimport astrid astrid_net_read
//go:noescape
func hostNetRead(a string) uint64

//go:wasmimport astrid astrid_net_write
//go:noescape
func hostNetWrite(a, b string) uint64

//go:wasmimport astrid astrid_elicit
//go:noescape
func hostElicit(a string) uint64

//go:wasmimport astrid astrid_has_secret
//go:noescape
func hostHasSecret(a string) uint64

//go:wasmimport astrid astrid_signal_ready
//go:noescape
func hostSignalReady() uint64

//go:wasmimport astrid astrid_clock_ms
//go:noescape
func hostClockMs() uint64

//go:wasmimport astrid astrid_get_interceptor_handles
//go:noescape
func hostGetInterceptorHandles() uint64

//go:wasmimport astrid astrid_request_approval
//go:noescape
func hostRequestApproval(a string) uint64

//go:wasmimport astrid astrid_identity_resolve
//go:noescape
func hostIdentityResolve(a string) uint64

//go:wasmimport astrid astrid_identity_link
//go:noescape
func hostIdentityLink(a string) uint64

//go:wasmimport astrid astrid_identity_unlink
//go:noescape
func hostIdentityUnlink(a string) uint64

//go:wasmimport astrid astrid_identity_create_user
//go:noescape
func hostIdentityCreateUser(a string) uint64

//go:wasmimport astrid astrid_identity_list_links
//go:noescape
func hostIdentityListLinks(a string) uint64

//go:wasmimport astrid astrid_check_capsule_capability
//go:noescape
func hostCheckCapsuleCapability(a string) uint64

//go:wasmimport astrid astrid_spawn_background_host
//go:noescape
func hostSpawnBackgroundHost(a string) uint64

//go:wasmimport astrid astrid_read_process_logs_host
//go:noescape
func hostReadProcessLogsHost(a string) uint64

//go:wasmimport astrid astrid_kill_process_host
//go:noescape
func hostKillProcessHost(a string) uint64

//go:wasmimport astrid astrid_net_close_stream
//go:noescape
func hostNetCloseStream(a string) uint64

//go:wasmimport astrid astrid_net_poll_accept
//go:noescape
func hostNetPollAccept(a string) uint64

//go:wasmimport astrid astrid_http_stream_start
//go:noescape
func hostHttpStreamStart(a string) uint64

//go:wasmimport astrid astrid_http_stream_read
//go:noescape
func hostHttpStreamRead(a string) uint64

//go:wasmimport astrid astrid_http_stream_close
//go:noescape
func hostHttpStreamClose(a string) uint64
