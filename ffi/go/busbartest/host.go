package busbartest

import (
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"busbar/internal/abi"
)

// Log is a record that was logged.
type Log struct {
	Level   slog.Level
	Message string
	Fields  map[string]string
}

// Completion is what a pending batch was completed with.
type Completion struct {
	Batch   uint64 // see Result.Batch
	Status  Status
	Done    int
	Message string
}

// host records what components ask of it.
type host struct {
	level       int32
	mu          sync.Mutex
	changed     chan struct{} // closed and replaced by every change
	logs        []Log
	metrics     map[string]float64
	wakes       int
	completions []Completion
	pending     map[uint64]bool
	faults      []string
}

func newHost() *host {
	return &host{
		level: abi.LogTrace, changed: make(chan struct{}), metrics: map[string]float64{}, pending: map[uint64]bool{},
	}
}

func (h *host) change(do func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	do()
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *host) Level() *int32 { return &h.level }

var levels = map[int32]slog.Level{
	abi.LogTrace: -8, abi.LogDebug: slog.LevelDebug, abi.LogInfo: slog.LevelInfo,
	abi.LogWarning: slog.LevelWarn, abi.LogError: slog.LevelError, abi.LogFatal: 12,
}

func (h *host) Log(_ *abi.Context, record *abi.LogRecord) {
	log := Log{Level: levels[record.Level], Message: record.Message, Fields: map[string]string{}}
	for _, field := range record.Fields {
		log.Fields[field.Name] = field.Value
	}
	h.change(func() { h.logs = append(h.logs, log) })
}

func (h *host) Counter(_ *abi.Context, name string, add uint64) {
	h.change(func() { h.metrics[name] += float64(add) })
}

func (h *host) Gauge(_ *abi.Context, name string, value float64) {
	h.change(func() { h.metrics[name] = value })
}

func (h *host) Histogram(_ *abi.Context, name string, value float64) {
	h.change(func() { h.metrics[name] += value })
}

func (h *host) Wake(*abi.Context) { h.change(func() { h.wakes++ }) }

func (h *host) Complete(_ *abi.Context, batch uint64, status Status, done uint32, message string) {
	h.change(func() {
		if !h.pending[batch] {
			h.faults = append(h.faults, "a batch was completed that is not pending")
		}
		delete(h.pending, batch)
		h.completions = append(h.completions, Completion{batch, status, int(done), message})
	})
}

// Logs is what was logged so far.
func (c *Component) Logs() []Log {
	c.host.mu.Lock()
	defer c.host.mu.Unlock()
	return append([]Log(nil), c.host.logs...)
}

// SetLogLevel has records below `level` thrown away, as an operator can. All are kept at first.
func (c *Component) SetLogLevel(level slog.Level) {
	best := int32(math.MaxInt32)
	for number, l := range levels {
		if l >= level {
			best = min(best, number)
		}
	}
	atomic.StoreInt32(&c.host.level, best)
}

// Metric is the sum of a counter or histogram, or the last value of a gauge; 0 where it was never reported.
func (c *Component) Metric(name string) float64 {
	c.host.mu.Lock()
	defer c.host.mu.Unlock()
	return c.host.metrics[name]
}

// Wakes is how often it asked for a call.
func (c *Component) Wakes() int {
	c.host.mu.Lock()
	defer c.host.mu.Unlock()
	return c.host.wakes
}

// Completions is what pending batches were completed with, in that order.
func (c *Component) Completions() []Completion {
	c.host.mu.Lock()
	defer c.host.mu.Unlock()
	if len(c.host.faults) > 0 {
		c.t.Fatal(c.host.faults[0])
	}
	return append([]Completion(nil), c.host.completions...)
}

// Wait waits until `condition` holds, asking again whenever something was logged, measured, woken or completed, and at least
// every 10 ms. It fails the test after a long time.
func (c *Component) Wait(what string, condition func() bool) {
	c.t.Helper()
	deadline := time.After(time.Minute)
	for {
		c.host.mu.Lock()
		changed := c.host.changed
		c.host.mu.Unlock()
		if condition() {
			return
		}
		select {
		case <-changed:
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			c.t.Fatalf("waited in vain for %s", what)
		}
	}
}
