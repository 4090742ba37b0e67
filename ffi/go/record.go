package busbar

import (
	"iter"
	"time"
	"unsafe"

	"busbar/internal/abi"
)

// Record is one event: a view of the host's memory, valid until the call returns. The slices it gives must not be written to.
type Record struct{ header *abi.Record }

// Key names the element that the record is about; empty where there is none.
func (r Record) Key() []byte { return r.part(0, r.header.KeyLength) }

// Payload is the event itself.
func (r Record) Payload() []byte { return r.part(uintptr(r.header.KeyLength), r.header.PayloadLength) }

// RawAttributes is the attributes as they stand in the record, to hand on with [Event].
func (r Record) RawAttributes() []byte {
	return r.part(uintptr(r.header.KeyLength)+uintptr(r.header.PayloadLength), r.header.AttributesLength)
}

func (r Record) part(offset uintptr, length uint32) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(r.header), uintptr(abi.RecordSize)+offset)), length)
}

// Attributes gives names and values, as far as their lengths fit.
func (r Record) Attributes() iter.Seq2[[]byte, []byte] {
	return func(yield func([]byte, []byte) bool) {
		for rest := r.RawAttributes(); len(rest) >= 8; {
			name, value := uint64(load32(rest)), uint64(load32(rest[4:]))
			if name+value > uint64(len(rest)-8) {
				return
			}
			if !yield(rest[8:8+name:8+name], rest[8+name:8+name+value:8+name+value]) {
				return
			}
			rest = rest[8+name+value:]
		}
	}
}

// Attribute is the value of the first attribute of that name.
func (r Record) Attribute(name string) (value []byte, ok bool) {
	for n, v := range r.Attributes() {
		if string(n) == name {
			return v, true
		}
	}
	return nil, false
}

// Operation says what the record does with the element that its key names.
func (r Record) Operation() Operation { return Operation(r.header.Operation) }

// ContentType is that of the payload.
func (r Record) ContentType() ContentType { return ContentType(r.header.ContentType) }

// Source is which source of the pipeline it came from, as in [Acknowledged].
func (r Record) Source() int { return int(r.header.Source) }

// Sequence is its number within that source, counted from 1; 0 where it stems from no single event.
func (r Record) Sequence() uint64 { return r.header.Sequence }

// Timestamp is when it happened, nanoseconds since 1970; 0: unknown.
func (r Record) Timestamp() int64 { return r.header.Timestamp }

// Time is when it happened; the zero time: unknown.
func (r Record) Time() time.Time {
	if r.header.Timestamp == 0 {
		return time.Time{}
	}
	return time.Unix(0, r.header.Timestamp).UTC()
}

// Flags are Marked, FromBootstrap and Truncated.
func (r Record) Flags() Flags { return Flags(r.header.Flags) }

// Event is a copy of nothing: the record's parts as views, for [Output.Derive] to change one of them.
func (r Record) Event() Event {
	return Event{
		Key:         r.Key(),
		Payload:     r.Payload(),
		Attributes:  r.RawAttributes(),
		Timestamp:   r.header.Timestamp,
		Operation:   r.Operation(),
		ContentType: r.ContentType(),
		Flags:       r.Flags(),
	}
}

// AppendAttribute appends a name and a value to attributes, for [Event].
func AppendAttribute[V ~string | ~[]byte](attributes []byte, name string, value V) []byte {
	attributes = append32(append32(attributes, uint32(len(name))), uint32(len(value)))
	return append(append(attributes, name...), value...)
}

// In the machine's byte order, as records are; all targets are little-endian.
func load32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func append32(b []byte, v uint32) []byte {
	return append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
}
