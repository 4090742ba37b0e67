// Package busbartest runs components within go test, without busbar and without crossing into C:
//
//	func TestCounts(t *testing.T) {
//		c := busbartest.New(t, busbar.NewProcessor("count", newCounter), busbartest.Options{Config: `{"min_length":2}`})
//		c.Start()
//		c.Process(busbartest.Texts("a bee", "bee")...)
//		result := c.Tick(busbar.Tick{Now: 1})
//		if got := result.Records; len(got) != 1 || got[0].Key != "bee" {
//			t.Fatal(got)
//		}
//	}
//
// What a component does wrong by the contract (records that do not fit, sequences, a batch that is written to) fails the test
// without being asked for. A component is stopped and closed when its test ends.
package busbartest

import (
	"bytes"
	"fmt"
	"testing"
	"unsafe"

	"busbar"
	"busbar/internal/abi"
	"busbar/internal/bridge"
)

// Status is what a call returned.
type Status = abi.Status

// Statuses.
const (
	OK      = abi.OK
	Again   = abi.Again
	More    = abi.More
	Done    = abi.Done
	Pending = abi.Pending
	Failed  = abi.Failed
	Invalid = abi.Invalid
	Fatal   = abi.Fatal
)

// Options are what a component is given. Zero is a sensible default for every field.
type Options struct {
	Config          string // JSON; as the host would have filled it in, with defaults
	Outputs         int    // of a processor; default 1
	ArenaSize       int    // bytes of an output at first; default 1 MiB
	Limit           int    // records of a batch; default 1024
	PluginDirectory string
	DataDirectory   string // default: a temporary one
	Position        []byte
	Acknowledged    []busbar.Acknowledged
	PartitionIndex  int
	PartitionCount  int // default 1
}

// Component is a component under test.
type Component struct {
	t        testing.TB
	inside   bridge.Component
	instance abi.Instance
	options  Options
	host     *host
	context  *abi.Context
	message  []byte // the error buffer
	started  bool
	sequence uint64 // of the next record that it polls
	batches  uint64
	closed   bool
}

// Error is a status that is not OK, with its message.
type Error struct {
	Status  Status
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("%v: %s", e.Status, e.Message) }

// New creates an instance, or fails the test.
func New(t testing.TB, component busbar.Component, options Options) *Component {
	t.Helper()
	c, err := Create(t, component, options)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return c
}

// Create creates an instance, or says why it cannot.
func Create(t testing.TB, component busbar.Component, options Options) (*Component, error) {
	t.Helper()
	if options.Outputs == 0 {
		options.Outputs = 1
	}
	if options.ArenaSize == 0 {
		options.ArenaSize = 1 << 20
	}
	if options.Limit == 0 {
		options.Limit = 1024
	}
	if options.PartitionCount == 0 {
		options.PartitionCount = 1
	}
	if options.DataDirectory == "" {
		options.DataDirectory = t.TempDir()
	}
	c := &Component{
		t: t, inside: bridge.Open(component), options: options, host: newHost(), message: make([]byte, 4096), sequence: 1,
	}
	c.context = &abi.Context{
		Size:            uint32(unsafe.Sizeof(abi.Context{})),
		PipelineID:      text("test"),
		ComponentID:     text(c.inside.Name()),
		Component:       text(c.inside.Name()),
		Config:          text(options.Config),
		PluginDirectory: text(options.PluginDirectory),
		DataDirectory:   text(options.DataDirectory),
		Error:           unsafe.Pointer(&c.message[0]),
		ErrorCapacity:   uint32(len(c.message)),
		PartitionIndex:  uint32(options.PartitionIndex),
		PartitionCount:  uint32(options.PartitionCount),
	}
	instance, status := c.inside.Create(c.context, c.host)
	if status != OK {
		return nil, c.result(status)
	}
	c.instance = instance
	t.Cleanup(c.Close)
	return c, nil
}

// Start starts it, if it has Start, after setting the position and what is acknowledged.
func (c *Component) Start() error {
	c.context.Position = view(c.options.Position)
	var acknowledged []abi.Acknowledged
	for _, a := range c.options.Acknowledged {
		acknowledged = append(acknowledged,
			abi.Acknowledged{SourceID: text(a.SourceID), Source: uint32(a.Source), Sequence: a.Sequence})
	}
	c.context.Acknowledged = unsafe.Pointer(unsafe.SliceData(acknowledged))
	c.context.AcknowledgedCount = uint32(len(acknowledged))
	err := c.optional(abi.CallStart, func() Status { return c.instance.Start() })
	c.started = err == nil
	return err
}

// Resume sets the position for the next Start.
func (c *Component) Resume(position []byte) { c.options.Position = position }

// Stop stops it, if it has Stop.
func (c *Component) Stop() error {
	c.started = false
	return c.optional(abi.CallStop, func() Status { return c.instance.Stop() })
}

// Close stops it if it is started, and closes it. The end of the test does so, unless it was done before.
func (c *Component) Close() {
	if c.closed {
		return
	}
	c.closed = true
	if c.started {
		if err := c.Stop(); err != nil {
			c.t.Errorf("stop: %v", err)
		}
	}
	c.instance.Destroy()
}

// Save gives its state.
func (c *Component) Save() (busbar.State, error) {
	c.need(abi.CallSave, "Save")
	state := abi.State{Size: uint32(unsafe.Sizeof(abi.State{}))}
	err := c.result(c.instance.Save(&state))
	return busbar.State{Version: state.Version, Data: append([]byte(nil), state.Data.Slice()...)}, err
}

// Restore restores a state.
func (c *Component) Restore(state busbar.State) error {
	c.need(abi.CallRestore, "Restore")
	raw := abi.State{Size: uint32(unsafe.Sizeof(abi.State{})), Version: state.Version, Data: view(state.Data)}
	return c.result(c.instance.Restore(&raw))
}

// Health says how it is.
func (c *Component) Health() error {
	health := abi.Health{Size: uint32(unsafe.Sizeof(abi.Health{}))}
	return c.optional(abi.CallHealth, func() Status { return c.instance.Health(&health) })
}

// Commit tells a source what is finished everywhere.
func (c *Component) Commit(position []byte) error {
	raw := view(position)
	return c.optional(abi.CallCommit, func() Status { return c.instance.Commit(&raw) })
}

// Flush has a reaction make durable what it accepted.
func (c *Component) Flush() error {
	return c.optional(abi.CallFlush, func() Status { return c.instance.Flush() })
}

func (c *Component) optional(call abi.Calls, do func() Status) error {
	if !c.inside.Calls().Has(call) {
		return nil
	}
	return c.result(do())
}

func (c *Component) need(call abi.Calls, name string) {
	c.t.Helper()
	if !c.inside.Calls().Has(call) {
		c.t.Fatalf("component %q has no %s", c.inside.Name(), name)
	}
}

// result is a status as an error; nil for OK.
func (c *Component) result(status Status) error {
	if status == OK {
		return nil
	}
	return &Error{status, c.take(c.message)}
}

// take gives the message in an error buffer, and empties it.
func (c *Component) take(buffer []byte) string {
	c.t.Helper()
	end := bytes.IndexByte(buffer, 0)
	if end < 0 {
		c.t.Fatal("the error message has no NUL")
	}
	message := string(buffer[:end])
	buffer[0] = 0
	return message
}

func text(s string) abi.Bytes {
	return abi.Bytes{Data: unsafe.Pointer(unsafe.StringData(s)), Length: uint64(len(s))}
}

func view(b []byte) abi.Bytes {
	return abi.Bytes{Data: unsafe.Pointer(unsafe.SliceData(b)), Length: uint64(len(b))}
}
