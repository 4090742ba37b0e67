package busbar

import (
	"errors"
	"fmt"

	"busbar/internal/abi"
)

// What a method may return that is not a failure.
var (
	// ErrAgain: a source has nothing now, a reaction can take nothing now. Asked again after [Context.Wake] or a while.
	ErrAgain = errors.New("busbar: nothing now")
	// ErrMore: an output is full. Process is called again at the record where its loop was left, Tick is called again.
	ErrMore = errors.New("busbar: an output is full")
	// ErrDone: a source or bootstrap is at its end. A hook has answered the call.
	ErrDone = errors.New("busbar: done")
	// ErrPending: a reaction has kept the batch with [Batch.Keep] and completes it later.
	ErrPending = errors.New("busbar: pending")
)

// ErrMalformed is wrapped by what [Batch.Err] gives for a record whose lengths do not fit.
var ErrMalformed = errors.New("malformed record")

type statusError struct {
	status abi.Status
	done   int
	err    error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

// Failed is err for a batch of which the first `accepted` records are accepted. The rest is offered again after a backoff.
// A plain error accepts none.
func Failed(accepted int, err error) error { return &statusError{abi.Failed, accepted, err} }

// Invalid is err for the record at `index`, which can never be accepted and becomes a dead letter. Those before it are
// accepted, the rest is offered again. From Execute or a hook, with index 0, the request is bad; from Restore, the state.
func Invalid(index int, err error) error { return &statusError{abi.Invalid, index, err} }

// Fatal is err for an instance that is beyond repair: its cell is replaced.
func Fatal(err error) error { return &statusError{abi.Fatal, 0, err} }

// statusOf is the status of what a method returned, and `done` of FAILED and INVALID. A sentinel that is wrapped is a failure
// with a text.
func statusOf(err error) (status abi.Status, done int) {
	switch err {
	case nil:
		return abi.OK, 0
	case ErrAgain:
		return abi.Again, 0
	case ErrMore:
		return abi.More, 0
	case ErrDone:
		return abi.Done, 0
	case ErrPending:
		return abi.Pending, 0
	}
	var e *statusError
	if errors.As(err, &e) {
		return e.status, e.done
	}
	return abi.Failed, 0
}

// isPlain says that err is a failure without a word of how much is accepted.
func isPlain(err error) bool {
	if err == nil {
		return false
	}
	var e *statusError
	return !errors.As(err, &e)
}

// allow makes FATAL of a status that the call must not give.
func allow(call string, err error, allowed ...abi.Status) error {
	status, _ := statusOf(err)
	for _, a := range allowed {
		if status == a {
			return err
		}
	}
	return Fatal(fmt.Errorf("%s answered %v, which it may not: %w", call, status, err))
}
