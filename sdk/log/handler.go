package log

import (
	"context"
	"log/slog"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
)

// Options configure a [Handler]; the zero value logs everything from Info on.
type Options struct {
	Level slog.Leveler // the lowest level written; nil is slog.LevelInfo
}

// Handler is a slog.Handler that writes to the capsule's log. The host adds the time.
type Handler struct {
	level  slog.Leveler
	prefix string // of keys: the open groups, each with its dot
	pairs  string // of WithAttrs, already written out
}

// NewHandler returns a handler for slog.New.
func NewHandler(o Options) *Handler {
	if o.Level == nil {
		o.Level = slog.LevelInfo
	}
	return &Handler{level: o.Level}
}

// Enabled implements slog.Handler.
func (h *Handler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// Handle implements slog.Handler.
func (h *Handler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	b.WriteString(h.pairs)
	r.Attrs(func(a slog.Attr) bool {
		attr(&b, h.prefix, a)
		return true
	})
	emit(abi.LevelName(r.Level), b.String())
	return nil
}

// WithAttrs implements slog.Handler.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	b.WriteString(h.pairs)
	for _, a := range attrs {
		attr(&b, h.prefix, a)
	}
	return &Handler{h.level, h.prefix, b.String()}
}

// WithGroup implements slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &Handler{h.level, h.prefix + name + ".", h.pairs}
}

func attr(b *strings.Builder, prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, in := range v.Group() {
			attr(b, prefix, in)
		}
		return
	}
	if a.Key == "" && v.Any() == nil {
		return
	}
	pair(b, prefix+a.Key, v.Any())
}
