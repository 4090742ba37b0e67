package busbar

// #cgo CFLAGS: -I${SRCDIR}/../include
// #cgo noescape busbar_go_log
// #cgo nocallback busbar_go_log
// #cgo noescape busbar_go_counter
// #cgo nocallback busbar_go_counter
// #cgo noescape busbar_go_gauge
// #cgo nocallback busbar_go_gauge
// #cgo noescape busbar_go_histogram
// #cgo nocallback busbar_go_histogram
// #cgo noescape busbar_go_wake
// #cgo nocallback busbar_go_wake
// #cgo noescape busbar_go_complete
// #cgo nocallback busbar_go_complete
// #include "bridge.h"
import "C"

import (
	"fmt"
	"runtime/cgo"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"busbar/internal/abi"
)

// cHost is busbar_host_t of an instance's context.
type cHost struct{ level *int32 }

func contextOf(raw *abi.Context) *C.busbar_context_t {
	return (*C.busbar_context_t)(unsafe.Pointer(raw))
}

func chars(s string) (*C.char, C.uint64_t) {
	return (*C.char)(unsafe.Pointer(unsafe.StringData(s))), C.uint64_t(len(s))
}

func (h cHost) Level() *int32 { return h.level }

// logText is what a log record is handed over in: C may not be given Go memory with pointers in it.
type logText struct {
	text  []byte
	spans []C.busbar_go_span_t
	types []C.uint32_t
}

var logTexts = sync.Pool{New: func() any { return new(logText) }}

func (t *logText) add(s string) {
	t.spans = append(t.spans, C.busbar_go_span_t{C.uint32_t(len(t.text)), C.uint32_t(len(s))})
	t.text = append(t.text, s...)
}

func (h cHost) Log(raw *abi.Context, record *abi.LogRecord) {
	t := logTexts.Get().(*logText)
	t.text, t.spans, t.types = append(t.text[:0], 0), t.spans[:0], append(t.types[:0], 0)
	t.add(record.Message)
	for _, field := range record.Fields {
		t.add(field.Name)
		t.add(field.Value)
		t.types = append(t.types, C.uint32_t(field.Type))
	}
	C.busbar_go_log(contextOf(raw), C.int32_t(record.Level), C.int64_t(record.Time), (*C.char)(unsafe.Pointer(&t.text[0])),
		&t.spans[0], (*C.uint32_t)(unsafe.Add(unsafe.Pointer(&t.types[0]), 4)), C.uint32_t(len(record.Fields)))
	if cap(t.text) <= 64<<10 {
		logTexts.Put(t)
	}
}

func (h cHost) Counter(raw *abi.Context, name string, add uint64) {
	data, length := chars(name)
	C.busbar_go_counter(contextOf(raw), data, length, C.uint64_t(add))
}

func (h cHost) Gauge(raw *abi.Context, name string, value float64) {
	data, length := chars(name)
	C.busbar_go_gauge(contextOf(raw), data, length, C.double(value))
}

func (h cHost) Histogram(raw *abi.Context, name string, value float64) {
	data, length := chars(name)
	C.busbar_go_histogram(contextOf(raw), data, length, C.double(value))
}

func (h cHost) Wake(raw *abi.Context) { C.busbar_go_wake(contextOf(raw)) }

func (h cHost) Complete(raw *abi.Context, batch uint64, status abi.Status, done uint32, message string) {
	data, length := chars(message)
	C.busbar_go_complete(contextOf(raw), C.uint64_t(batch), C.int32_t(status), C.uint32_t(done), data, length)
}

//export busbarGoPlugin
func busbarGoPlugin() *C.busbar_plugin_t {
	if len(exported) == 0 {
		return nil
	}
	var kinds, calls []C.uint32_t
	var names strings.Builder
	for _, component := range exported {
		kinds = append(kinds, C.uint32_t(component.kind))
		calls = append(calls, C.uint32_t(component.calls))
		names.WriteString(component.name + "\x00")
	}
	data, size := chars(names.String())
	return C.busbar_go_plugin(C.uint32_t(len(kinds)), &kinds[0], &calls[0], data, C.size_t(size))
}

//export busbarGoCreate
func busbarGoCreate(context unsafe.Pointer, self *C.uintptr_t) C.int32_t {
	raw := (*abi.Context)(context)
	name := raw.Component.String()
	at := slices.IndexFunc(exported, func(component Component) bool { return component.name == name })
	if at < 0 {
		writeError(raw.Error, raw.ErrorCapacity, fmt.Sprintf("Cannot create %q: the plugin has no such component", name))
		return C.int32_t(abi.Fatal)
	}
	host := cHost{(*int32)(unsafe.Pointer(C.busbar_go_level(contextOf(raw))))}
	instance, status := inside(exported[at]).Create(raw, host)
	if status == abi.OK {
		*self = C.uintptr_t(cgo.NewHandle(instance))
	}
	return C.int32_t(status)
}

func instanceOf(self C.uintptr_t) *instance { return cgo.Handle(self).Value().(*instance) }

//export busbarGoRestore
func busbarGoRestore(self C.uintptr_t, state unsafe.Pointer) C.int32_t {
	return C.int32_t(instanceOf(self).Restore((*abi.State)(state)))
}

//export busbarGoStart
func busbarGoStart(self C.uintptr_t) C.int32_t { return C.int32_t(instanceOf(self).Start()) }

//export busbarGoStop
func busbarGoStop(self C.uintptr_t) C.int32_t { return C.int32_t(instanceOf(self).Stop()) }

//export busbarGoSave
func busbarGoSave(self C.uintptr_t, state unsafe.Pointer) C.int32_t {
	return C.int32_t(instanceOf(self).Save((*abi.State)(state)))
}

//export busbarGoDestroy
func busbarGoDestroy(self C.uintptr_t) {
	instanceOf(self).Destroy()
	cgo.Handle(self).Delete()
}

//export busbarGoHealth
func busbarGoHealth(self C.uintptr_t, health unsafe.Pointer) C.int32_t {
	return C.int32_t(instanceOf(self).Health((*abi.Health)(health)))
}

//export busbarGoPoll
func busbarGoPoll(self C.uintptr_t, batch unsafe.Pointer) C.int32_t {
	return C.int32_t(instanceOf(self).Poll((*abi.Batch)(batch)))
}

//export busbarGoCommit
func busbarGoCommit(self C.uintptr_t, position unsafe.Pointer) C.int32_t {
	return C.int32_t(instanceOf(self).Commit((*abi.Bytes)(position)))
}

//export busbarGoRelease
func busbarGoRelease(self, loan C.uintptr_t) { instanceOf(self).Release(uintptr(loan)) }

//export busbarGoProcess
func busbarGoProcess(self C.uintptr_t, batch unsafe.Pointer) C.int32_t {
	return C.int32_t(instanceOf(self).Process((*abi.Batch)(batch)))
}

//export busbarGoTick
func busbarGoTick(self C.uintptr_t, batch unsafe.Pointer) C.int32_t {
	return C.int32_t(instanceOf(self).Tick((*abi.Batch)(batch)))
}

//export busbarGoWrite
func busbarGoWrite(self C.uintptr_t, batch unsafe.Pointer) C.int32_t {
	return C.int32_t(instanceOf(self).Write((*abi.Batch)(batch)))
}

//export busbarGoFlush
func busbarGoFlush(self C.uintptr_t) C.int32_t { return C.int32_t(instanceOf(self).Flush()) }

//export busbarGoFetch
func busbarGoFetch(self C.uintptr_t, batch unsafe.Pointer) C.int32_t {
	return C.int32_t(instanceOf(self).Fetch((*abi.Batch)(batch)))
}

//export busbarGoExecute
func busbarGoExecute(self C.uintptr_t, call unsafe.Pointer) C.int32_t {
	return C.int32_t(instanceOf(self).Execute((*abi.Call)(call)))
}

//export busbarGoBeforeRequest
func busbarGoBeforeRequest(self C.uintptr_t, call unsafe.Pointer) C.int32_t {
	return C.int32_t(instanceOf(self).BeforeRequest((*abi.Call)(call)))
}

//export busbarGoHandle
func busbarGoHandle(self C.uintptr_t, call unsafe.Pointer) C.int32_t {
	return C.int32_t(instanceOf(self).Handle((*abi.Call)(call)))
}

//export busbarGoAfterResponse
func busbarGoAfterResponse(self C.uintptr_t, call unsafe.Pointer) C.int32_t {
	return C.int32_t(instanceOf(self).AfterResponse((*abi.Call)(call)))
}
