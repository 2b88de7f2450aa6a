//go:build wasip1

package link

import "github.com/unicity-astrid/astrid-go/abi"

// dispatch calls the import of fn. Call has checked fn and the number of parameters.
func dispatch(fn abi.Function, p []string) uint64 {
	switch fn {
	case abi.FsExists:
		return hostFsExists(p[0])
	case abi.FsMkdir:
		return hostFsMkdir(p[0])
	case abi.FsReaddir:
		return hostFsReaddir(p[0])
	case abi.FsStat:
		return hostFsStat(p[0])
	case abi.FsUnlink:
		return hostFsUnlink(p[0])
	case abi.ReadFile:
		return hostReadFile(p[0])
	case abi.WriteFile:
		return hostWriteFile(p[0], p[1])
	case abi.IpcPublish:
		return hostIpcPublish(p[0], p[1])
	case abi.IpcSubscribe:
		return hostIpcSubscribe(p[0])
	case abi.IpcUnsubscribe:
		return hostIpcUnsubscribe(p[0])
	case abi.IpcPoll:
		return hostIpcPoll(p[0])
	case abi.IpcRecv:
		return hostIpcRecv(p[0], p[1])
	case abi.UplinkRegister:
		return hostUplinkRegister(p[0], p[1], p[2])
	case abi.UplinkSend:
		return hostUplinkSend(p[0], p[1], p[2])
	case abi.KvGet:
		return hostKvGet(p[0])
	case abi.KvSet:
		return hostKvSet(p[0], p[1])
	case abi.KvDelete:
		return hostKvDelete(p[0])
	case abi.KvListKeys:
		return hostKvListKeys(p[0])
	case abi.KvClearPrefix:
		return hostKvClearPrefix(p[0])
	case abi.GetConfig:
		return hostGetConfig(p[0])
	case abi.GetCaller:
		return hostGetCaller()
	case abi.HTTPRequestFn:
		return hostHttpRequest(p[0])
	case abi.TriggerHook:
		return hostTriggerHook(p[0])
	case abi.Log:
		return hostLog(p[0], p[1])
	case abi.SpawnHost:
		return hostSpawnHost(p[0])
	case abi.NetBindUnix:
		return hostNetBindUnix(p[0])
	case abi.NetAccept:
		return hostNetAccept(p[0])
	case abi.NetRead:
		return hostNetRead(p[0])
	case abi.NetWrite:
		return hostNetWrite(p[0], p[1])
	case abi.Elicit:
		return hostElicit(p[0])
	case abi.HasSecret:
		return hostHasSecret(p[0])
	case abi.SignalReady:
		return hostSignalReady()
	case abi.ClockMs:
		return hostClockMs()
	case abi.GetInterceptorHandles:
		return hostGetInterceptorHandles()
	case abi.RequestApproval:
		return hostRequestApproval(p[0])
	case abi.IdentityResolve:
		return hostIdentityResolve(p[0])
	case abi.IdentityLink:
		return hostIdentityLink(p[0])
	case abi.IdentityUnlink:
		return hostIdentityUnlink(p[0])
	case abi.IdentityCreateUser:
		return hostIdentityCreateUser(p[0])
	case abi.IdentityListLinks:
		return hostIdentityListLinks(p[0])
	case abi.CheckCapsuleCapability:
		return hostCheckCapsuleCapability(p[0])
	case abi.SpawnBackgroundHost:
		return hostSpawnBackgroundHost(p[0])
	case abi.ReadProcessLogsHost:
		return hostReadProcessLogsHost(p[0])
	case abi.KillProcessHost:
		return hostKillProcessHost(p[0])
	case abi.NetCloseStream:
		return hostNetCloseStream(p[0])
	case abi.NetPollAccept:
		return hostNetPollAccept(p[0])
	case abi.HTTPStreamStart:
		return hostHttpStreamStart(p[0])
	case abi.HTTPStreamRead:
		return hostHttpStreamRead(p[0])
	case abi.HTTPStreamClose:
		return hostHttpStreamClose(p[0])
	}
	return uint64(abi.CodeInvalid) << 32
}
