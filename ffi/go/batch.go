package busbar

import (
	"fmt"
	"iter"
	"unsafe"

	"busbar/internal/abi"
)

// Batch is some thousand records to read.
type Batch struct {
	data      unsafe.Pointer
	start     uint64 // byte of the first record of this call
	at        uint64 // byte of the record at which the last loop was left
	length    uint64
	count     int
	index     int // of the record at `at`, counted from `start`
	malformed bool
	replay    bool
	keep      func() *Pending // of a reaction's batch
}

func (b *Batch) reset(raw *abi.Batch) {
	start := min(raw.Cursor, raw.Length)
	*b = Batch{
		data:   raw.Data,
		start:  start,
		at:     start,
		length: raw.Length,
		count:  int(raw.Count),
		replay: raw.Flags&abi.BatchReplay != 0,
	}
}

// Len is how many records the whole batch has; after ErrMore, some of them were read before.
func (b *Batch) Len() int { return b.count }

// Replay says that a reaction may have been offered the batch before, perhaps by a process that crashed: compare sequences if it
// matters.
func (b *Batch) Replay() bool { return b.replay }

// Records gives the records and their indices, for [Failed] and [Invalid]. After ErrMore it goes on at the record where the loop was left
// by break or return. It checks the lengths as it goes and ends where they do not fit; Process or Write that then returns nil
// is INVALID for that record, without being asked to.
func (b *Batch) Records() iter.Seq2[int, Record] {
	return func(yield func(int, Record) bool) {
		at, index := b.start, 0
		for b.length-at >= abi.RecordSize {
			header := (*abi.Record)(unsafe.Add(b.data, at))
			size := uint64(header.Size)
			parts := uint64(header.KeyLength) + uint64(header.PayloadLength) + uint64(header.AttributesLength)
			if size < abi.RecordSize+parts || size > b.length-at || size%8 != 0 {
				break
			}
			if !yield(index, Record{header}) {
				b.at, b.index = at, index
				return
			}
			at += size
			index++
		}
		b.at, b.index, b.malformed = at, index, at < b.length
	}
}

// Err is an error for the record whose lengths did not fit, once the loop over Records ended there.
func (b *Batch) Err() error {
	if !b.malformed {
		return nil
	}
	return Invalid(b.index, fmt.Errorf("%w at byte %d of the batch", ErrMalformed, b.at))
}

// Keep keeps a reaction's batch beyond Write, which then returns [ErrPending]. Completing it ends that.
func (b *Batch) Keep() *Pending {
	if b.keep == nil {
		panic("busbar: Keep of a batch that is not given to Write, or was kept before")
	}
	keep := b.keep
	b.keep = nil
	return keep()
}
