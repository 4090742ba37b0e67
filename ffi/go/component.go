package busbar

import (
	"fmt"
	"io"
	"reflect"

	"busbar/internal/abi"
)

// Source makes events.
type Source interface {
	// Poll appends events and sets the position after them, until the output is full or there is nothing more now. nil: something
	// was appended, there may be more; ErrAgain: nothing more now; ErrDone: the end; an error: asked again after a backoff.
	Poll(out *Output) error
}

// Processor makes events of events.
type Processor interface {
	// Process reads the batch and appends to the outputs, which are in the manifest's order. nil: all is read. ErrMore: an output is
	// full, go on at the record where the loop over [Batch.Records] was left. A plain error takes back what was appended, and
	// the batch is offered again; with [Failed] and [Invalid] the outputs hold what came of the records before.
	Process(batch *Batch, out []*Output) error
}

// Reaction takes events out of busbar.
type Reaction interface {
	// Write takes the records. nil: all; ErrAgain: none, offered again; ErrPending: the batch was kept with [Batch.Keep];
	// Failed, Invalid, or any error for later.
	Write(batch *Batch) error
}

// Bootstrap gives the elements that existed before a source was started.
type Bootstrap interface {
	// Fetch appends elements, as Insert with a key. nil: there is more; ErrDone: that was all; ErrAgain: nothing now.
	Fetch(out *Output) error
}

// Service answers calls.
type Service interface {
	// Execute answers a call: nil, Invalid for a bad request, or an error. Up to the manifest's `concurrency` run at once.
	Execute(call *Call) error
}

// BeforeRequester is a hook that is called before a request. nil goes on, with what it changed; ErrDone: it is answered.
type BeforeRequester interface{ BeforeRequest(call *Call) error }

// Handler is a hook that may answer a request. nil goes on; ErrDone: it is answered.
type Handler interface{ Handle(call *Call) error }

// AfterResponder is a hook that is called after a response.
type AfterResponder interface{ AfterResponse(call *Call) error }

// Starter opens, binds and locks; nothing exclusive is taken before. Context.Position and Acknowledged are set from here on.
type Starter interface{ Start() error }

// Stopper gives back what Start took. Its goroutines have ended when it returns, and nothing is completed afterwards.
type Stopper interface{ Stop() error }

// Saver gives what Restore needs to go on, in another process. The bytes are the SDK's until the next call on the instance.
type Saver interface{ Save() (State, error) }

// Restorer takes up what Save gave, before Start. Any error means that it cannot read the state.
type Restorer interface{ Restore(state State) error }

// Closer is closed as the last thing, when it was stopped or never started: what it holds besides memory is freed.
type Closer = io.Closer

// Healther says how it is, cheaply: nil, or what an operator should know.
type Healther interface{ Health() error }

// Committer is a source that wants to know what is finished everywhere: everything up to `position`, never asked for again.
type Committer interface{ Commit(position []byte) error }

// Releaser is a source that wants memory back which it gave with [Output.Lend]. Exactly once for each.
type Releaser interface{ Release(memory []byte) }

// Ticker is a processor that emits without input: every `tick_ms` of the manifest and after a wake. nil or ErrMore.
type Ticker interface {
	Tick(tick Tick, out []*Output) error
}

// TimedReaction is a reaction with something that depends on time: every `tick_ms` of the manifest and after a wake.
type TimedReaction interface{ Tick(tick Tick) error }

// Flusher is a reaction that makes durable what Write accepted. nil, ErrAgain, or an error.
type Flusher interface{ Flush() error }

// State is what Save gives and Restore gets. Version is the component's own number for the layout of Data. In Restore, Data
// is valid until the call returns.
type State struct {
	Version uint32
	Data    []byte
}

// Tick is when and why Tick is called.
type Tick struct {
	Now   int64 // nanoseconds since 1970
	Drain bool  // the pipeline is stopping: emit what is complete
}

// NewSource declares a source. `create` makes an instance, and takes nothing exclusive: no port, no lock, no output file. Its
// config is a JSON object, decoded into C with encoding/json; fields that C does not have are an error. S is the component's own
// type, since its methods say what it can do.
func NewSource[C any, S Source](name string, create func(*Context, C) (S, error)) Component {
	return declare(abi.Source, name, create, always(abi.CallPoll|abi.CallRelease),
		optional[Committer](abi.CallCommit))
}

// NewProcessor declares a processor, see [NewSource].
func NewProcessor[C any, P Processor](name string, create func(*Context, C) (P, error)) Component {
	return declare(abi.Processor, name, create, always(abi.CallProcess), optional[Ticker](abi.CallTick))
}

// NewReaction declares a reaction, see [NewSource].
func NewReaction[C any, R Reaction](name string, create func(*Context, C) (R, error)) Component {
	return declare(abi.Reaction, name, create, always(abi.CallWrite|abi.CallStop),
		optional[Flusher](abi.CallFlush), optional[TimedReaction](abi.CallTick))
}

// NewBootstrap declares a bootstrap, see [NewSource].
func NewBootstrap[C any, B Bootstrap](name string, create func(*Context, C) (B, error)) Component {
	return declare(abi.Bootstrap, name, create, always(abi.CallFetch))
}

// NewService declares a service, see [NewSource].
func NewService[C any, S Service](name string, create func(*Context, C) (S, error)) Component {
	return declare(abi.Service, name, create, always(abi.CallExecute))
}

// NewHook declares a hook, see [NewSource]. H has at least one of the methods of [BeforeRequester], [Handler], [AfterResponder].
func NewHook[C, H any](name string, create func(*Context, C) (H, error)) Component {
	component := declare(abi.Hook, name, create, optional[BeforeRequester](abi.CallBeforeRequest),
		optional[Handler](abi.CallHandle), optional[AfterResponder](abi.CallAfterResponse))
	if component.calls&(abi.CallBeforeRequest|abi.CallHandle|abi.CallAfterResponse) == 0 {
		panic(fmt.Sprintf("busbar: hook %q has none of BeforeRequest, Handle, AfterResponse", name))
	}
	return component
}

// offer is a call that types with the methods of `needs` offer; all, where it is nil.
type offer struct {
	calls abi.Calls
	needs reflect.Type
}

func always(calls abi.Calls) offer { return offer{calls: calls} }

func optional[I any](call abi.Calls) offer { return offer{call, reflect.TypeFor[I]()} }

func declare[C, T any](kind uint32, name string, create func(*Context, C) (T, error), offers ...offer) Component {
	component := Component{name: name, kind: kind}
	typ := reflect.TypeFor[T]()
	for _, offer := range append(offers, optional[Stopper](abi.CallStop), optional[Starter](abi.CallStart),
		optional[Saver](abi.CallSave), optional[Restorer](abi.CallRestore), optional[Healther](abi.CallHealth)) {
		if offer.needs == nil || typ.Implements(offer.needs) {
			component.calls |= offer.calls
		}
	}
	component.create = func(context *Context) (any, error) {
		var config C
		if err := decodeConfig(context.Config(), &config); err != nil {
			return nil, err
		}
		return create(context, config)
	}
	return component
}
