// Package abi mirrors the declarations of busbar.h that cross the boundary, so that everything but the crossing itself
// is plain Go and runs in tests without C. Package layout's test compares the two.
package abi

import "unsafe"

// Record is busbar_record_t.
type Record struct {
	Size             uint32
	Operation        uint8
	ContentType      uint8
	Source           uint16
	Timestamp        int64
	Sequence         uint64
	KeyLength        uint32
	PayloadLength    uint32
	AttributesLength uint32
	Flags            uint32
}

// RecordSize is the size of a record's header.
const RecordSize = uint64(unsafe.Sizeof(Record{}))

// Bytes is busbar_string_t and busbar_bytes_t.
type Bytes struct {
	Data   unsafe.Pointer
	Length uint64
}

// Slice is a view of the bytes.
func (b Bytes) Slice() []byte {
	if b.Length == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(b.Data), b.Length)
}

// String is a copy of the bytes.
func (b Bytes) String() string { return string(b.Slice()) }

// Batch is busbar_batch_t.
type Batch struct {
	Size             uint32
	Flags            uint32
	Data             unsafe.Pointer
	Capacity         uint64
	Length           uint64
	Count            uint32
	Limit            uint32
	NextSequence     uint64
	Done             uint32
	Source           uint32
	Cursor           uint64
	Required         uint64
	ID               uint64
	Now              int64
	Position         unsafe.Pointer
	PositionLength   uint32
	PositionCapacity uint32
	Loan             uintptr
	Out              unsafe.Pointer
	OutCount         uint32
	_                uint32
	_                [4]uint64
}

// Outputs is a view of the batch's outputs.
func (b *Batch) Outputs() []*Batch {
	if b.OutCount == 0 {
		return nil
	}
	return unsafe.Slice((**Batch)(b.Out), b.OutCount)
}

// Acknowledged is busbar_acknowledged_t.
type Acknowledged struct {
	SourceID Bytes
	Sequence uint64
	Source   uint32
	_        uint32
}

// Context is busbar_context_t.
type Context struct {
	Size              uint32
	_                 uint32
	Host              unsafe.Pointer
	PipelineID        Bytes
	ComponentID       Bytes
	Config            Bytes
	PluginDirectory   Bytes
	DataDirectory     Bytes
	Error             unsafe.Pointer
	ErrorCapacity     uint32
	PartitionIndex    uint32
	PartitionCount    uint32
	AcknowledgedCount uint32
	Acknowledged      unsafe.Pointer
	Position          Bytes
	Internal          unsafe.Pointer
	Component         Bytes
	_                 [2]uint64
}

// State is busbar_state_t.
type State struct {
	Size    uint32
	Version uint32
	Data    Bytes
}

// Health is busbar_health_t.
type Health struct {
	Size    uint32
	_       uint32
	Message Bytes
}

// Header is busbar_header_t.
type Header struct {
	Name  Bytes
	Value Bytes
}

// Call is busbar_call_t.
type Call struct {
	Size              uint32
	Slot              uint32
	ID                uint64
	Deadline          int64
	Method            Bytes
	Path              Bytes
	Query             Bytes
	Headers           unsafe.Pointer
	Body              Bytes
	HeaderCount       uint32
	AnswerStatus      uint32
	AnswerHeaders     unsafe.Pointer
	Answer            Bytes
	AnswerHeaderCount uint32
	_                 uint32
	Error             unsafe.Pointer
	ErrorCapacity     uint32
	_                 uint32
	_                 [2]uint64
}
