// Package telemetry writes logs. Nothing leaves the machine: there are no metrics, traces or reports.
//
// The daemon and the client log to $H/log/astrid.YYYY-MM-DD.log, one line of key=value pairs per record (log/slog's text form).
// Each capsule logs to $P/.local/log/<capsule>/YYYY-MM-DD.log, one line "<unix seconds>.<millis> <LEVEL> [<capsule>] <message>".
//
// Dates are UTC. A file is changed for the next day's at the first line of that day, also in a process that runs for weeks,
// and files older than the retention are removed then. Files are 0600. Several processes may append to one file.
//
// What a guest, a model or a repository says cannot forge lines or reach a terminal: line breaks, control and direction
// characters are written escaped. A capsule has a number of bytes per day; when it has used them, one line says so and
// the next day's first line says how much was dropped. Nothing is lost in silence: lines that the disk refused are counted and
// reported by the next one that it takes.
package telemetry
