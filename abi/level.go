package abi

import "log/slog"

// LevelTrace is below all levels that slog names.
const LevelTrace = slog.LevelDebug - 4

// LogLevels are the levels of the log function and of logging.level, by name.
var LogLevels = map[string]slog.Level{"trace": LevelTrace, "debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

// LevelName is the name of the highest level in LogLevels that is not above l; "trace" below all of them.
func LevelName(l slog.Level) string {
	switch {
	case l < slog.LevelDebug:
		return "trace"
	case l < slog.LevelInfo:
		return "debug"
	case l < slog.LevelWarn:
		return "info"
	case l < slog.LevelError:
		return "warn"
	}
	return "error"
}
