package busbar

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"strconv"
	"sync/atomic"
	"time"

	"busbar/internal/abi"
)

// LevelTrace and LevelFatal are levels of the host that slog has no name for.
const (
	LevelTrace = slog.Level(-8)
	LevelFatal = slog.Level(12)
)

// logHandler gives slog's records to the host.
type logHandler struct {
	context *Context
	prefix  string // of the groups
	fields  []abi.Field
}

func (h *logHandler) Enabled(_ context.Context, level slog.Level) bool {
	return hostLevel(level) >= atomic.LoadInt32(h.context.level)
}

func (h *logHandler) Handle(_ context.Context, record slog.Record) error {
	out := abi.LogRecord{
		Level:   hostLevel(record.Level),
		Message: record.Message,
		Fields:  h.fields[:len(h.fields):len(h.fields)],
	}
	if !record.Time.IsZero() {
		out.Time = record.Time.UnixNano()
	}
	record.Attrs(func(attr slog.Attr) bool {
		out.Fields = appendFields(out.Fields, h.prefix, attr)
		return true
	})
	h.context.do(func() { h.context.host.Log(h.context.raw, &out) })
	return nil
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	fields := h.fields[:len(h.fields):len(h.fields)]
	for _, attr := range attrs {
		fields = appendFields(fields, h.prefix, attr)
	}
	return &logHandler{h.context, h.prefix, fields}
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &logHandler{h.context, h.prefix + name + ".", h.fields}
}

func hostLevel(level slog.Level) int32 {
	switch {
	case level < slog.LevelDebug:
		return abi.LogTrace
	case level < slog.LevelInfo:
		return abi.LogDebug
	case level < slog.LevelWarn:
		return abi.LogInfo
	case level < slog.LevelError:
		return abi.LogWarning
	case level < LevelFatal:
		return abi.LogError
	}
	return abi.LogFatal
}

func appendFields(fields []abi.Field, prefix string, attr slog.Attr) []abi.Field {
	value := attr.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		if attr.Key != "" {
			prefix += attr.Key + "."
		}
		for _, member := range value.Group() {
			fields = appendFields(fields, prefix, member)
		}
		return fields
	}
	if attr.Equal(slog.Attr{}) {
		return fields
	}
	field := abi.Field{Name: prefix + attr.Key}
	field.Value, field.Type = fieldValue(value)
	return append(fields, field)
}

func fieldValue(value slog.Value) (string, uint32) {
	switch value.Kind() {
	case slog.KindBool:
		return strconv.FormatBool(value.Bool()), abi.FieldBool
	case slog.KindInt64:
		return strconv.FormatInt(value.Int64(), 10), abi.FieldNumber
	case slog.KindUint64:
		return strconv.FormatUint(value.Uint64(), 10), abi.FieldNumber
	case slog.KindFloat64:
		if f := value.Float64(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return strconv.FormatFloat(f, 'g', -1, 64), abi.FieldNumber
		}
	case slog.KindTime:
		return value.Time().Format(time.RFC3339Nano), abi.FieldString
	case slog.KindAny:
		if err, ok := value.Any().(error); ok {
			return err.Error(), abi.FieldString
		}
		if text, err := json.Marshal(value.Any()); err == nil {
			return string(text), abi.FieldJSON
		}
	}
	return value.String(), abi.FieldString
}
