package busbar

import (
	"fmt"
	"runtime"
	"unsafe"

	"busbar/internal/abi"
)

// Event is what to append. Zero is a sensible default for every field.
type Event struct {
	Key         []byte
	Payload     []byte
	Attributes  []byte // made with AppendAttribute, or RawAttributes of a record
	Timestamp   int64  // nanoseconds since 1970; 0: unknown
	Operation   Operation
	ContentType ContentType
	Flags       Flags
}

// Output takes records, straight into the host's memory. It is valid until the call returns.
type Output struct {
	raw    *abi.Batch
	source *instance // of a source or bootstrap, whose records get the next sequence

	// The run of records that Copy has still to copy: where it begins and ends, where it must end, and how many more may come.
	from  unsafe.Pointer // nil: there is none
	next  uintptr        // not a pointer, since each store of one may cost a write barrier
	end   uintptr
	slots uint32
}

// Len is how many records it holds.
func (o *Output) Len() int {
	if o.from != nil {
		return int(o.raw.Limit - o.slots)
	}
	return int(o.raw.Count)
}

// Append appends an event: a source's own, with the next sequence, or one that stems from no single event. False: the output
// is full, and left as it was.
func (o *Output) Append(event *Event) bool {
	record := o.put(event)
	if record == nil {
		return false
	}
	o.stamp(record)
	o.advance(record)
	return true
}

// Derive appends an event that stems from `origin`, whose source and sequence it keeps. False: the output is full.
func (o *Output) Derive(origin Record, event *Event) bool {
	record := o.put(event)
	if record == nil {
		return false
	}
	record.Source, record.Sequence = origin.header.Source, origin.header.Sequence
	o.advance(record)
	return true
}

// Copy appends a record as it is. False: the output is full.
func (o *Output) Copy(record Record) bool {
	at := uintptr(unsafe.Pointer(record.header))
	next := at + uintptr(record.header.Size)
	if at != o.next || next > o.end || o.slots == 0 {
		return o.copyFirst(record)
	}
	o.next = next
	o.slots--
	return true
}

// copyFirst begins a run: records that Copy is given one after the other, as they lie in the batch. They are copied at once when
// the run ends, at the end of the call at the latest, since copying each by itself takes longer than all the rest of a loop.
func (o *Output) copyFirst(record Record) bool {
	o.endRun()
	size := uint64(record.header.Size)
	if o.room(size) == nil {
		return false
	}
	o.from = unsafe.Pointer(record.header)
	o.next = uintptr(o.from) + uintptr(size)
	o.end = uintptr(o.from) + uintptr(o.raw.Capacity-o.raw.Length)
	o.slots = o.raw.Limit - o.raw.Count - 1
	if o.source != nil { // what is copied may be gone before the call ends: it is of no batch of the call
		o.endRun()
	}
	return true
}

// endRun copies what Copy has left to copy, so that `raw` says what the output holds.
func (o *Output) endRun() {
	if o.from == nil {
		return
	}
	size := uint64(o.next - uintptr(o.from))
	to := unsafe.Add(o.raw.Data, o.raw.Length)
	copy(unsafe.Slice((*byte)(to), size), unsafe.Slice((*byte)(o.from), size))
	o.raw.Length += size
	o.raw.Count = o.raw.Limit - o.slots
	o.from, o.next = nil, 0
}

// Draft is a record that is written in place: fill the slices in, and shorten them where less is needed.
type Draft struct {
	Key, Payload, Attributes []byte
	Timestamp                int64
	Operation                Operation
	ContentType              ContentType
	Flags                    Flags
	record                   *abi.Record
}

// Reserve makes room for a record with up to so many bytes, to fill in and end with Commit or CommitDerived. False: the
// output is full.
func (o *Output) Reserve(key, payload, attributes int) (draft Draft, ok bool) {
	record := o.reserve(uint64(key), uint64(payload), uint64(attributes))
	if record == nil {
		return Draft{}, false
	}
	r := Record{record}
	return Draft{Key: r.Key(), Payload: r.Payload(), Attributes: r.RawAttributes(), record: record}, true
}

// Commit ends a record begun with Reserve, as Append would.
func (o *Output) Commit(draft *Draft) {
	o.stamp(draft.record)
	o.finish(draft)
}

// CommitDerived ends a record begun with Reserve, as Derive would.
func (o *Output) CommitDerived(origin Record, draft *Draft) {
	draft.record.Source, draft.record.Sequence = origin.header.Source, origin.header.Sequence
	o.finish(draft)
}

func (o *Output) finish(draft *Draft) {
	record := draft.record
	if unsafe.Pointer(record) != unsafe.Add(o.raw.Data, o.raw.Length) {
		panic("busbar: Commit of a draft that is not the last one reserved")
	}
	r := Record{record}
	whole := r.Event()
	if len(draft.Key) > len(whole.Key) || len(draft.Payload) > len(whole.Payload) || len(draft.Attributes) > len(whole.Attributes) {
		panic("busbar: Commit of a draft that has grown beyond what was reserved")
	}
	// The parts lie without gaps: what follows a shortened one moves up. Copying onto itself does nothing.
	record.KeyLength = uint32(copy(whole.Key, draft.Key))
	record.PayloadLength = uint32(len(draft.Payload))
	copy(r.Payload(), draft.Payload)
	record.AttributesLength = uint32(len(draft.Attributes))
	copy(r.RawAttributes(), draft.Attributes)
	record.Timestamp, record.Flags = draft.Timestamp, uint32(draft.Flags)
	record.Operation, record.ContentType = uint8(draft.Operation), uint8(draft.ContentType)
	o.advance(record)
}

// SetPosition says where to resume after what the output now holds; for sources. It panics where the position is longer than
// 64 KiB.
func (o *Output) SetPosition(position []byte) {
	if len(position) > int(o.raw.PositionCapacity) {
		panic(fmt.Sprintf("busbar: position of %d bytes, at most %d", len(position), o.raw.PositionCapacity))
	}
	copy(unsafe.Slice((*byte)(o.raw.Position), o.raw.PositionCapacity), position)
	o.raw.PositionLength = uint32(len(position))
}

// Lend has records written to memory of the source's own, which the host reads in place. For an output that is still
// empty. The memory must stay as it is until a [Releaser] gets it back; it is at least 64 bytes and begins at a multiple of 8, as
// every slice that make gives does.
func (o *Output) Lend(memory []byte) error {
	if o.raw.Count != 0 || o.raw.Loan != 0 {
		return fmt.Errorf("Cannot lend memory to an output that is not empty")
	}
	data := unsafe.Pointer(unsafe.SliceData(memory))
	if len(memory) < 64 || uintptr(data)%8 != 0 {
		return fmt.Errorf("Cannot lend %d bytes at %p: use at least 64, at a multiple of 8", len(memory), data)
	}
	l := &loan{memory: memory}
	l.pinner.Pin(unsafe.SliceData(memory))
	o.raw.Data, o.raw.Capacity, o.raw.Loan = data, uint64(len(memory)), o.source.lend(l)
	return nil
}

type loan struct {
	memory []byte
	pinner runtime.Pinner
}

func (o *Output) put(event *Event) *abi.Record {
	record := o.reserve(uint64(len(event.Key)), uint64(len(event.Payload)), uint64(len(event.Attributes)))
	if record == nil {
		return nil
	}
	r := Record{record}
	copy(r.Key(), event.Key)
	copy(r.Payload(), event.Payload)
	copy(r.RawAttributes(), event.Attributes)
	record.Timestamp, record.Flags = event.Timestamp, uint32(event.Flags)
	record.Operation, record.ContentType = uint8(event.Operation), uint8(event.ContentType)
	return record
}

func (o *Output) reserve(key, payload, attributes uint64) *abi.Record {
	size := (abi.RecordSize + key + payload + attributes + 7) &^ 7
	if size > abi.RecordMax {
		panic(fmt.Sprintf("busbar: record of %d bytes, at most %d", size, uint64(abi.RecordMax)))
	}
	o.endRun()
	record := (*abi.Record)(o.room(size))
	if record == nil {
		return nil
	}
	*record = abi.Record{
		Size: uint32(size), KeyLength: uint32(key), PayloadLength: uint32(payload), AttributesLength: uint32(attributes),
	}
	return record
}

func (o *Output) room(size uint64) unsafe.Pointer {
	b := o.raw
	if b.Count >= b.Limit {
		return nil
	}
	if size > b.Capacity-b.Length {
		if size > b.Capacity {
			b.Required = size
		}
		return nil
	}
	return unsafe.Add(b.Data, b.Length)
}

func (o *Output) stamp(record *abi.Record) {
	if o.source != nil {
		record.Source, record.Sequence = uint16(o.raw.Source), o.raw.NextSequence
		o.raw.NextSequence++
	}
}

// advance takes the record at the end in, with its padding zeroed.
func (o *Output) advance(record *abi.Record) {
	used := abi.RecordSize + uint64(record.KeyLength) + uint64(record.PayloadLength) + uint64(record.AttributesLength)
	size := (used + 7) &^ 7
	if size > used {
		last := (*uint64)(unsafe.Add(unsafe.Pointer(record), size-8))
		*last &= ^uint64(0) >> (8 * (size - used))
	}
	record.Size = uint32(size)
	o.raw.Length += size
	o.raw.Count++
}
