// Package busbar is for writing plugins for busbar in Go.
//
// A plugin is a package main that exports its components before main, which is never called:
//
//	func init() {
//		busbar.Export(busbar.NewProcessor("count", newCounter))
//	}
//
//	func main() {}
//
// A component is a type with the methods of its kind, [Source], [Processor], [Reaction], [Bootstrap], [Service], or a
// hook's. What else it has is found by the methods of its type: [Starter], [Stopper], [Saver] and so on. Its factory gets
// the [Context] and the settings, decoded into a type of the plugin's own.
//
// # Threads
//
// Calls on one instance are made one at a time, each seeing the effects of those before; with a service or hook, one at
// a time for each slot. Goroutines of a component have ended when Stop returns; start them with [Context.Go], so that a panic
// in one does not end the process. Everything of a Context may be used from any goroutine.
//
// # Memory
//
// Records are views of the host's memory. They, and every slice got from them, are valid until the call returns, and must not be
// written to. A batch that a reaction keeps with [Batch.Keep] stays until it is completed.
//
// # Errors
//
// A method returns nil, one of the sentinels [ErrAgain], [ErrMore], [ErrDone] and [ErrPending] where they mean something, or what went
// wrong: any error (FAILED: try again later), [Invalid] (this record never), or [Fatal] (replace the whole cell). A panic
// is FATAL, and its stack is logged.
package busbar

import (
	"fmt"

	"busbar/internal/abi"
)

// Version is the version of this SDK.
const Version = "0.1.0"

// Operation says what a record does with the element that its key names.
type Operation uint8

// Operations.
const (
	Message Operation = 0 // something happened; appended, never replaced
	Insert  Operation = 1 // the element exists from now on
	Update  Operation = 2 // the element changed
	Delete  Operation = 3 // the element is gone
)

// ContentType says what a payload is. 128 to 255 are private between plugins.
type ContentType uint8

// Content types.
const (
	Bytes       ContentType = 0 // opaque
	Text        ContentType = 1 // UTF-8 expected, not promised
	JSON        ContentType = 2 // one JSON value
	MessagePack ContentType = 3
	CBOR        ContentType = 4
	Protobuf    ContentType = 5
	Avro        ContentType = 6
	Arrow       ContentType = 7 // one IPC stream
)

// Flags of a record.
type Flags uint32

// Flags.
const (
	Marked        Flags = 1 // a processor passed it on without having understood it
	FromBootstrap Flags = 2 // an element that existed before the source was started
	Truncated     Flags = 4 // the payload was longer than the source's limit
)

var exported []Component

// Export declares the plugin's components, in the order of its manifest. Call it from init. It panics where a name comes twice.
func Export(components ...Component) {
	for _, component := range components {
		for _, other := range exported {
			if other.name == component.name {
				panic(fmt.Sprintf("busbar: component %q is exported twice", component.name))
			}
		}
		exported = append(exported, component)
	}
}

// Component is a component to export: what NewSource, NewProcessor and so on give.
type Component struct {
	name   string
	kind   uint32
	calls  abi.Calls
	create func(*Context) (any, error)
}
