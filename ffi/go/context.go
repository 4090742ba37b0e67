package busbar

import (
	"fmt"
	"iter"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"busbar/internal/abi"
)

// Context is one component in one pipeline: who it is, its settings, and what the host does for it. Its methods may be called
// from any goroutine until the component is closed; afterwards they do nothing.
type Context struct {
	raw         *abi.Context
	host        abi.Host
	level       *int32
	config      []byte
	pipelineID  string
	componentID string
	component   string
	logger      *slog.Logger

	mu     sync.RWMutex // held for writing while the host takes the context back
	closed bool

	broken atomic.Pointer[error] // what a goroutine of Go ended with
}

func newContext(raw *abi.Context, host abi.Host) *Context {
	c := &Context{
		raw:         raw,
		host:        host,
		level:       host.Level(),
		config:      append([]byte(nil), raw.Config.Slice()...),
		pipelineID:  raw.PipelineID.String(),
		componentID: raw.ComponentID.String(),
		component:   raw.Component.String(),
	}
	c.logger = slog.New(&logHandler{context: c})
	return c
}

// PipelineID is the id of the pipeline.
func (c *Context) PipelineID() string { return c.pipelineID }

// ComponentID is the component's id in the pipeline.
func (c *Context) ComponentID() string { return c.componentID }

// Component is the component's name in the plugin.
func (c *Context) Component() string { return c.component }

// Config is the settings as JSON, checked against the manifest's schema, with its defaults.
func (c *Context) Config() []byte { return c.config }

// PluginDirectory is the folder of the plugin's files, read-only.
func (c *Context) PluginDirectory() string {
	return use(c, func() string { return c.raw.PluginDirectory.String() })
}

// DataDirectory is a folder of the component's own, which is kept over restarts.
func (c *Context) DataDirectory() string {
	return use(c, func() string { return c.raw.DataDirectory.String() })
}

// Partition says which share of its keys this instance has, of how many.
func (c *Context) Partition() (index, count int) {
	partition := use(c, func() [2]uint32 { return [2]uint32{c.raw.PartitionIndex, c.raw.PartitionCount} })
	return int(partition[0]), int(partition[1])
}

// Position is a copy of the position to resume right after; empty: from the beginning. For sources, from Start on.
func (c *Context) Position() []byte {
	return use(c, func() []byte { return append([]byte(nil), c.raw.Position.Slice()...) })
}

// Acknowledged is how far the events of a source are finished everywhere.
type Acknowledged struct {
	SourceID string
	Source   int    // as in records
	Sequence uint64 // 0: none
}

// Acknowledged gives the sources of the pipeline and how far each is; what is beyond may come again. From Start on.
func (c *Context) Acknowledged() iter.Seq[Acknowledged] {
	all := use(c, func() (all []Acknowledged) {
		if c.raw.AcknowledgedCount == 0 {
			return nil
		}
		for _, a := range unsafe.Slice((*abi.Acknowledged)(c.raw.Acknowledged), c.raw.AcknowledgedCount) {
			all = append(all, Acknowledged{a.SourceID.String(), int(a.Source), a.Sequence})
		}
		return all
	})
	return func(yield func(Acknowledged) bool) {
		for _, a := range all {
			if !yield(a) {
				return
			}
		}
	}
}

// Logger logs with the component's id. A record below the host's level costs a load.
func (c *Context) Logger() *slog.Logger { return c.logger }

// Wake asks for a call soon: Poll of a source, Tick of a processor or reaction, Write of a reaction that answered ErrAgain.
// Any number of wakes before that call are one.
func (c *Context) Wake() {
	c.do(func() { c.host.Wake(c.raw) })
}

// Go runs a function in a goroutine of the component. When it panics, the stack is logged, and the next call on the instance
// is FATAL; in a goroutine started otherwise, the whole cell would end with SIGABRT. It must have returned when Stop returns.
func (c *Context) Go(run func()) {
	go func() {
		defer func() {
			if cause := recover(); cause != nil {
				err := fmt.Errorf("a goroutine panicked: %v", cause)
				c.logger.Error(err.Error(), "stack", string(debug.Stack()))
				c.broken.CompareAndSwap(nil, &err)
				c.Wake()
			}
		}()
		run()
	}()
}

// Counter counts something. `name` is in snake_case with its unit, at most 63 bytes.
func (c *Context) Counter(name string) Counter { return Counter{c, checkName(name)} }

// Gauge is a value that goes up and down; `name` as for a counter.
func (c *Context) Gauge(name string) Gauge { return Gauge{c, checkName(name)} }

// Histogram is a distribution of values; `name` as for a counter.
func (c *Context) Histogram(name string) Histogram { return Histogram{c, checkName(name)} }

// Counter is one of [Context.Counter].
type Counter struct {
	context *Context
	name    string
}

// Add adds to it.
func (m Counter) Add(n uint64) {
	m.context.do(func() { m.context.host.Counter(m.context.raw, m.name, n) })
}

// Gauge is one of [Context.Gauge].
type Gauge struct {
	context *Context
	name    string
}

// Set sets it.
func (m Gauge) Set(value float64) {
	m.context.do(func() { m.context.host.Gauge(m.context.raw, m.name, value) })
}

// Histogram is one of [Context.Histogram].
type Histogram struct {
	context *Context
	name    string
}

// Observe records one observation.
func (m Histogram) Observe(value float64) {
	m.context.do(func() { m.context.host.Histogram(m.context.raw, m.name, value) })
}

// ObserveSeconds records one duration, in seconds.
func (m Histogram) ObserveSeconds(d time.Duration) { m.Observe(d.Seconds()) }

func checkName(name string) string {
	if len(name) == 0 || len(name) > 63 {
		panic(fmt.Sprintf("busbar: name of a metric %q has %d bytes, not 1 to 63", name, len(name)))
	}
	return name
}

// do calls the host, unless the context is closed.
func (c *Context) do(call func()) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !c.closed {
		call()
	}
}

// use reads the host's memory, unless the context is closed.
func use[T any](c *Context, read func() T) (value T) {
	c.do(func() { value = read() })
	return value
}

func (c *Context) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
}

// setError writes the message of a call that is about to fail.
func (c *Context) setError(message string) { writeError(c.raw.Error, c.raw.ErrorCapacity, message) }

// writeError writes to a buffer of the host's.
func writeError(data unsafe.Pointer, capacity uint32, message string) {
	if capacity == 0 || data == nil {
		return
	}
	buffer := unsafe.Slice((*byte)(data), capacity)
	n := cutUTF8(message, int(capacity)-1)
	copy(buffer, message[:n])
	buffer[n] = 0
}

// cutUTF8 is the length of text when cut to at most `limit` bytes, not within a character.
func cutUTF8(text string, limit int) int {
	if len(text) <= limit {
		return len(text)
	}
	for n := limit; n > limit-4 && n > 0; n-- {
		if text[n]&0xc0 != 0x80 {
			return n
		}
	}
	return limit
}
