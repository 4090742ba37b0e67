package abi

// Status is what a call returns.
type Status int32

// The statuses of busbar.h.
const (
	OK      Status = 0
	Again   Status = 1
	More    Status = 2
	Done    Status = 3
	Pending Status = 4
	Failed  Status = -1
	Invalid Status = -2
	Fatal   Status = -3
)

// Kinds of component.
const (
	Source    = 1
	Processor = 2
	Reaction  = 3
	Bootstrap = 4
	Service   = 5
	Hook      = 6
)

// Flags of a batch.
const (
	BatchReplay = 1
	BatchDrain  = 2
)

// Levels of the log.
const (
	LogTrace   = 1
	LogDebug   = 2
	LogInfo    = 3
	LogWarning = 4
	LogError   = 5
	LogFatal   = 6
)

// Types of a log field.
const (
	FieldString = 0
	FieldNumber = 1
	FieldBool   = 2
	FieldJSON   = 3
)

// Limits.
const (
	RecordMax   = 0x7ffffff8
	PositionMax = 65536
)

func (s Status) String() string {
	switch s {
	case OK:
		return "OK"
	case Again:
		return "AGAIN"
	case More:
		return "MORE"
	case Done:
		return "DONE"
	case Pending:
		return "PENDING"
	case Failed:
		return "FAILED"
	case Invalid:
		return "INVALID"
	case Fatal:
		return "FATAL"
	}
	return "unknown status"
}
