package busbartest

import (
	"unsafe"

	"busbar/internal/abi"
)

// Request is what a service or hook is called with.
type Request struct {
	Slot                int
	Method, Path, Query string
	Headers             [][2]string // names in lower case
	Body                string
	Deadline            int64
}

// Answer is what it answered.
type Answer struct {
	Status  Status // of the call: OK, Done, Invalid…
	Message string // of a failure
	HTTP    int    // 0: not set
	Headers [][2]string
	Body    string
}

// Execute calls a service. Calls with different slots may be made by several goroutines at once; so with a hook.
func (c *Component) Execute(request Request) Answer {
	c.t.Helper()
	return c.call(abi.CallExecute, request, c.instance.Execute)
}

// BeforeRequest calls a hook.
func (c *Component) BeforeRequest(request Request) Answer {
	c.t.Helper()
	return c.call(abi.CallBeforeRequest, request, c.instance.BeforeRequest)
}

// Handle calls a hook.
func (c *Component) Handle(request Request) Answer {
	c.t.Helper()
	return c.call(abi.CallHandle, request, c.instance.Handle)
}

// AfterResponse calls a hook.
func (c *Component) AfterResponse(request Request) Answer {
	c.t.Helper()
	return c.call(abi.CallAfterResponse, request, c.instance.AfterResponse)
}

func (c *Component) call(offered abi.Calls, request Request, call func(*abi.Call) Status) Answer {
	c.t.Helper()
	c.need(offered, "such a call")
	var headers []abi.Header
	for _, h := range request.Headers {
		headers = append(headers, abi.Header{Name: text(h[0]), Value: text(h[1])})
	}
	message := make([]byte, 4096)
	raw := &abi.Call{
		Size: uint32(unsafe.Sizeof(abi.Call{})), Slot: uint32(request.Slot), Deadline: request.Deadline,
		Method: text(request.Method), Path: text(request.Path), Query: text(request.Query), Body: text(request.Body),
		Headers: unsafe.Pointer(unsafe.SliceData(headers)), HeaderCount: uint32(len(headers)),
		Error: unsafe.Pointer(&message[0]), ErrorCapacity: uint32(len(message)),
	}
	status := call(raw)
	answer := Answer{Status: status, Message: c.messageIn(message, status), HTTP: int(raw.AnswerStatus), Body: raw.Answer.String()}
	if raw.AnswerHeaderCount > 0 {
		for _, h := range unsafe.Slice((*abi.Header)(raw.AnswerHeaders), raw.AnswerHeaderCount) {
			answer.Headers = append(answer.Headers, [2]string{h.Name.String(), h.Value.String()})
		}
	}
	return answer
}
