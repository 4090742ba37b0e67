package abi

// Field is one key and value of a log record.
type Field struct {
	Name, Value string
	Type        uint32
}

// LogRecord is one record for the host's log.
type LogRecord struct {
	Level   int32
	Message string
	Time    int64
	Fields  []Field
}

// Host is what the host offers: functions of busbar_host_t, or those of a test.
type Host interface {
	// Level is where the current log level stands.
	Level() *int32
	Log(context *Context, record *LogRecord)
	Counter(context *Context, name string, add uint64)
	Gauge(context *Context, name string, value float64)
	Histogram(context *Context, name string, value float64)
	Wake(context *Context)
	Complete(context *Context, batch uint64, status Status, done uint32, message string)
}

// Instance is one instance of a component. Of the calls, only those that Calls names may be made.
type Instance interface {
	Restore(state *State) Status
	Start() Status
	Stop() Status
	Save(state *State) Status
	Destroy()
	Health(health *Health) Status
	Poll(batch *Batch) Status
	Commit(position *Bytes) Status
	Release(loan uintptr)
	Process(batch *Batch) Status
	Tick(batch *Batch) Status
	Write(batch *Batch) Status
	Flush() Status
	Fetch(batch *Batch) Status
	Execute(call *Call) Status
	BeforeRequest(call *Call) Status
	Handle(call *Call) Status
	AfterResponse(call *Call) Status
}

// Calls is a set of calls that a component offers besides create and destroy.
type Calls uint32

// The calls.
const (
	CallRestore Calls = 1 << iota
	CallStart
	CallStop
	CallSave
	CallHealth
	CallPoll
	CallCommit
	CallRelease
	CallProcess
	CallTick
	CallWrite
	CallFlush
	CallFetch
	CallExecute
	CallBeforeRequest
	CallHandle
	CallAfterResponse
)

// Has says whether all of `calls` are offered.
func (c Calls) Has(calls Calls) bool { return c&calls == calls }
