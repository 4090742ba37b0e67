package busbar

import (
	"errors"
	"sync"

	"busbar/internal/abi"
)

// Pending is a batch that a reaction works on after Write returned [ErrPending]. Its records are readable, from any goroutine,
// until it is completed. What is not completed when Stop returns is FAILED.
type Pending struct {
	// Batch is what was kept. Loops over its records are of one goroutine at a time.
	Batch    Batch
	instance *instance
	id       uint64

	mu      sync.Mutex
	waiting bool // Write returned ErrPending, nothing is reported yet
	over    bool
	err     error // of Complete, while Write has not returned
}

// Complete ends it, exactly once: nil accepts all; otherwise Failed, Invalid, Fatal or any error, as from Write. The records are
// gone when it returns. Completing a batch again does nothing but log an error.
func (p *Pending) Complete(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		p.instance.context.logger.Error("a batch was completed that is not pending")
		return
	}
	if err == nil {
		err = p.Batch.Err()
	}
	p.over, p.err = true, err
	p.Batch = Batch{}
	if p.waiting {
		p.report()
	}
}

// accept is called after Write answered PENDING; when it was completed before, that is what Write answers.
func (p *Pending) accept() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		p.instance.forget(p)
		return p.err
	}
	p.waiting = true
	return ErrPending
}

// revoke ends it without a report, since Write answered something else.
func (p *Pending) revoke() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	p.Batch = Batch{}
	p.instance.forget(p)
}

func (p *Pending) report() {
	err := completable(p.err)
	status, done := statusOf(err)
	message := ""
	if err != nil {
		message = err.Error()
	}
	c := p.instance.context
	c.do(func() { c.host.Complete(c.raw, p.id, status, uint32(done), message) })
	p.instance.forget(p)
}

func completable(err error) error {
	if err == nil {
		return nil
	}
	return allow("Complete", err, abi.Failed, abi.Invalid, abi.Fatal)
}

var errStopped = errors.New("the component was stopped before the batch was completed")

// keep makes a batch of this instance's Write pending.
func (i *instance) keep(id uint64) *Pending {
	p := &Pending{Batch: i.batch, instance: i, id: id}
	p.Batch.keep = nil
	i.pending.Store(p, nil)
	return p
}

func (i *instance) forget(p *Pending) { i.pending.Delete(p) }

// failPending ends what is still pending, once no completions may follow.
func (i *instance) failPending() {
	i.pending.Range(func(key, _ any) bool {
		p := key.(*Pending)
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.over {
			p.over, p.err = true, errStopped
			p.Batch = Batch{}
			p.report()
		}
		return true
	})
}
