package busbar

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"

	"busbar/internal/abi"
	"busbar/internal/bridge"
)

// instance is one instance of a component, as the host sees it: every method is an entry from outside, and lets no panic out.
type instance struct {
	context   *Context
	component any

	source    Source
	processor Processor
	reaction  Reaction

	batch   Batch
	output  Output
	outputs []Output
	outs    []*Output // of outputs

	loans    map[uintptr]*loan
	lastLoan uintptr
	pending  sync.Map // of *Pending
	slots    slots
	state    runtime.Pinner // of what Save gave
	health   runtime.Pinner
}

func init() {
	bridge.Open = func(component any) bridge.Component { return inside(component.(Component)) }
	bridge.View = func(record *abi.Record) any { return Record{record} }
}

type inside Component

func (c inside) Kind() uint32     { return c.kind }
func (c inside) Name() string     { return c.name }
func (c inside) Calls() abi.Calls { return c.calls }

func (c inside) Create(raw *abi.Context, host abi.Host) (abi.Instance, abi.Status) {
	i := &instance{context: newContext(raw, host), loans: map[uintptr]*loan{}}
	i.output.source = i
	status := i.enter("create", func() (err error) {
		i.component, err = c.create(i.context)
		if err == nil && i.component == nil {
			err = errors.New("the factory gave neither a component nor an error")
		}
		return allow("create", err, abi.OK, abi.Failed, abi.Fatal)
	})
	if status != abi.OK {
		i.context.close()
		return nil, status
	}
	i.source, _ = i.component.(Source)
	i.processor, _ = i.component.(Processor)
	i.reaction, _ = i.component.(Reaction)
	return i, abi.OK
}

// enter makes a call whose error is a status and nothing else.
func (i *instance) enter(name string, call func() error) (status abi.Status) {
	defer i.recover(name, &status)
	status, _ = i.report(call())
	return status
}

// report writes the message of an error and gives its status.
func (i *instance) report(err error) (status abi.Status, done uint32) {
	status, at, message := i.judge(err)
	if status < 0 {
		i.context.setError(message)
	}
	return status, uint32(max(at, 0))
}

// judge is the status of an error, and the message of a failure.
func (i *instance) judge(err error) (status abi.Status, at int, message string) {
	if cause := i.context.broken.Load(); cause != nil {
		err = Fatal(*cause)
	}
	if status, at = statusOf(err); status >= 0 {
		return status, at, ""
	}
	if message = err.Error(); message == "" {
		message = "no reason given"
	}
	return status, at, message
}

// recover makes FATAL of a panic. It is deferred by every entry, but those of calls.
func (i *instance) recover(name string, status *abi.Status) {
	if cause := recover(); cause != nil {
		i.context.setError(i.panicked(name, cause))
		*status = abi.Fatal
	}
}

// recoverCall makes FATAL of a panic in a call of a service or hook, which has an error buffer of its own.
func (i *instance) recoverCall(name string, call *abi.Call, status *abi.Status) {
	if cause := recover(); cause != nil {
		writeError(call.Error, call.ErrorCapacity, i.panicked(name, cause))
		*status = abi.Fatal
	}
}

// panicked logs a panic and gives its message.
func (i *instance) panicked(name string, cause any) string {
	message := fmt.Sprintf("%s panicked: %v", name, cause)
	i.context.logger.Error(message, "stack", string(debug.Stack()))
	return message
}

func (i *instance) Restore(state *abi.State) abi.Status {
	return i.enter("restore", func() error {
		err := i.component.(Restorer).Restore(State{state.Version, state.Data.Slice()})
		if status, _ := statusOf(err); status == abi.Failed {
			err = Invalid(0, err)
		}
		return allow("Restore", err, abi.OK, abi.Invalid, abi.Fatal)
	})
}

func (i *instance) Start() abi.Status {
	return i.enter("start", func() error {
		return allow("Start", i.component.(Starter).Start(), abi.OK, abi.Failed, abi.Fatal)
	})
}

func (i *instance) Stop() abi.Status {
	return i.enter("stop", func() (err error) {
		defer i.failPending()
		if stopper, ok := i.component.(Stopper); ok {
			err = stopper.Stop()
		}
		if status, _ := statusOf(err); status != abi.OK {
			err = Failed(0, err)
		}
		return err
	})
}

func (i *instance) Save(raw *abi.State) abi.Status {
	return i.enter("save", func() error {
		i.state.Unpin()
		state, err := i.component.(Saver).Save()
		raw.Version, raw.Data = state.Version, pinned(&i.state, state.Data)
		return allow("Save", err, abi.OK, abi.Failed, abi.Fatal)
	})
}

func (i *instance) Health(raw *abi.Health) abi.Status {
	return i.enter("health", func() error {
		i.health.Unpin()
		err := i.component.(Healther).Health()
		if err == nil {
			return nil
		}
		raw.Message = pinned(&i.health, []byte(err.Error()))
		return Failed(0, err)
	})
}

func (i *instance) Destroy() {
	i.enter("destroy", func() error {
		if closer, ok := i.component.(Closer); ok {
			if err := closer.Close(); err != nil {
				i.context.logger.Warn("Cannot close the component", "error", err)
			}
		}
		return nil
	})
	i.context.close()
	i.state.Unpin()
	i.health.Unpin()
	i.slots.clear()
	for _, loan := range i.loans {
		loan.pinner.Unpin()
	}
}

func (i *instance) Poll(raw *abi.Batch) (status abi.Status) {
	defer i.recover("poll", &status)
	i.output.raw = raw
	status, _ = i.report(allow("Poll", i.source.Poll(&i.output), abi.OK, abi.Again, abi.Done, abi.Failed, abi.Fatal))
	return status
}

func (i *instance) Fetch(raw *abi.Batch) (status abi.Status) {
	defer i.recover("fetch", &status)
	i.output.raw = raw
	err := i.component.(Bootstrap).Fetch(&i.output)
	if err == nil {
		err = ErrMore
	}
	status, _ = i.report(allow("Fetch", err, abi.More, abi.Again, abi.Done, abi.Failed, abi.Fatal))
	return status
}

func (i *instance) Commit(position *abi.Bytes) abi.Status {
	return i.enter("commit", func() error {
		err := i.component.(Committer).Commit(position.Slice())
		return allow("Commit", err, abi.OK, abi.Failed)
	})
}

// lend keeps lent memory in place and gives its token.
func (i *instance) lend(l *loan) uintptr {
	i.lastLoan++
	i.loans[i.lastLoan] = l
	return i.lastLoan
}

func (i *instance) Release(token uintptr) {
	i.enter("release", func() error {
		l := i.loans[token]
		if l == nil {
			return fmt.Errorf("loan %d is not out", token)
		}
		delete(i.loans, token)
		l.pinner.Unpin()
		if releaser, ok := i.component.(Releaser); ok {
			releaser.Release(l.memory)
		}
		return nil
	})
}

// write has the outputs of a call, the same ones in each, written to.
func (i *instance) write(raw *abi.Batch, call func([]*Output) error) error {
	batches := raw.Outputs()
	if len(i.outs) != len(batches) {
		i.outputs, i.outs = make([]Output, len(batches)), make([]*Output, len(batches))
	}
	for n, batch := range batches {
		i.outputs[n] = Output{raw: batch}
		i.outs[n] = &i.outputs[n]
	}
	err := call(i.outs)
	for _, out := range i.outs {
		out.endRun()
	}
	return err
}

func (i *instance) Process(raw *abi.Batch) (status abi.Status) {
	defer i.recover("process", &status)
	i.batch.reset(raw)
	err := i.write(raw, func(out []*Output) error { return i.processor.Process(&i.batch, out) })
	if err == nil {
		err = i.batch.Err()
	}
	if err == ErrMore {
		raw.Cursor = i.batch.at
		return abi.More
	}
	if isPlain(err) {
		takeBack(raw)
	}
	status, raw.Done = i.report(allow("Process", err, abi.OK, abi.Failed, abi.Invalid, abi.Fatal))
	return status
}

// takeBack empties the outputs, since none of the batch is done.
func takeBack(raw *abi.Batch) {
	for _, out := range raw.Outputs() {
		out.Length, out.Count = 0, 0
	}
}

func (i *instance) Tick(raw *abi.Batch) (status abi.Status) {
	defer i.recover("tick", &status)
	tick := Tick{Now: raw.Now, Drain: raw.Flags&abi.BatchDrain != 0}
	if ticker, ok := i.component.(Ticker); ok {
		err := i.write(raw, func(out []*Output) error { return ticker.Tick(tick, out) })
		err = allow("Tick", err, abi.OK, abi.More, abi.Failed, abi.Fatal)
		status, _ = i.report(err)
		return status
	}
	err := i.component.(TimedReaction).Tick(tick)
	status, _ = i.report(allow("Tick", err, abi.OK, abi.Failed, abi.Fatal))
	return status
}

func (i *instance) Write(raw *abi.Batch) (status abi.Status) {
	defer i.recover("write", &status)
	var kept *Pending
	i.batch.reset(raw)
	i.batch.keep = func() *Pending {
		kept = i.keep(raw.ID)
		return kept
	}
	err := i.reaction.Write(&i.batch)
	switch {
	case err == ErrPending && kept == nil:
		err = Fatal(errors.New("Write returned ErrPending for a batch that it did not keep"))
	case err == ErrPending:
		err = kept.accept()
	case kept != nil:
		kept.revoke()
	}
	if err == nil {
		err = i.batch.Err()
	}
	status, raw.Done = i.report(allow("Write", err, abi.OK, abi.Again, abi.Pending, abi.Failed, abi.Invalid, abi.Fatal))
	return status
}

func (i *instance) Flush() abi.Status {
	return i.enter("flush", func() error {
		return allow("Flush", i.component.(Flusher).Flush(), abi.OK, abi.Again, abi.Failed, abi.Fatal)
	})
}

func (i *instance) Execute(raw *abi.Call) abi.Status {
	return i.answer("execute", raw, func(call *Call) error {
		return allow("Execute", i.component.(Service).Execute(call), abi.OK, abi.Invalid, abi.Failed, abi.Fatal)
	})
}

func (i *instance) BeforeRequest(raw *abi.Call) abi.Status {
	return i.answer("before_request", raw, func(call *Call) error {
		return hooked("BeforeRequest", i.component.(BeforeRequester).BeforeRequest(call))
	})
}

func (i *instance) Handle(raw *abi.Call) abi.Status {
	return i.answer("handle", raw, func(call *Call) error {
		return hooked("Handle", i.component.(Handler).Handle(call))
	})
}

func (i *instance) AfterResponse(raw *abi.Call) abi.Status {
	return i.answer("after_response", raw, func(call *Call) error {
		return hooked("AfterResponse", i.component.(AfterResponder).AfterResponse(call))
	})
}

func hooked(name string, err error) error {
	return allow(name, err, abi.OK, abi.Done, abi.Invalid, abi.Failed, abi.Fatal)
}

func (i *instance) answer(name string, raw *abi.Call, call func(*Call) error) (status abi.Status) {
	defer i.recoverCall(name, raw, &status)
	s := i.slots.get(raw.Slot)
	s.begin()
	err := call(&Call{raw: raw, answer: &s.answer})
	s.end(raw)
	status, _, message := i.judge(err)
	if status < 0 {
		writeError(raw.Error, raw.ErrorCapacity, message)
	}
	return status
}
