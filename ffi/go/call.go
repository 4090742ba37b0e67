package busbar

import (
	"iter"
	"time"
	"unsafe"

	"busbar/internal/abi"
)

// Call is one request and its answer. What it gives is valid until the method returns; what answers it is copied.
type Call struct {
	raw    *abi.Call
	answer *answer
}

// answer is what the host reads until the next call with the same slot. It is Go memory, kept in place by a pinner.
type answer struct {
	status  uint32
	headers []byte // names and values, one behind the other
	lengths []int
	body    []byte
	set     bool
}

// Slot is below the manifest's `concurrency`; calls with one slot are made one at a time.
func (c *Call) Slot() int { return int(c.raw.Slot) }

// ID names the call.
func (c *Call) ID() uint64 { return c.raw.ID }

// Deadline is when nobody waits for the answer any more; the zero time: never.
func (c *Call) Deadline() time.Time {
	if c.raw.Deadline == 0 {
		return time.Time{}
	}
	return time.Unix(0, c.raw.Deadline)
}

// Method is the request's method.
func (c *Call) Method() string { return c.raw.Method.String() }

// Path is the request's path.
func (c *Call) Path() string { return c.raw.Path.String() }

// Query is the request's query, without the question mark.
func (c *Call) Query() string { return c.raw.Query.String() }

// Body is the request's body, or a service's input. It must not be written to.
func (c *Call) Body() []byte { return c.raw.Body.Slice() }

// Headers gives names, in lower case, and values.
func (c *Call) Headers() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if c.raw.HeaderCount == 0 {
			return
		}
		for _, h := range unsafe.Slice((*abi.Header)(c.raw.Headers), c.raw.HeaderCount) {
			if !yield(h.Name.String(), h.Value.String()) {
				return
			}
		}
	}
}

// Header is the value of the first header of that name, in lower case; empty where there is none.
func (c *Call) Header(name string) string {
	for n, value := range c.Headers() {
		if n == name {
			return value
		}
	}
	return ""
}

// SetStatus sets the HTTP status of the answer; 200 unless set.
func (c *Call) SetStatus(status int) {
	c.answer.status, c.answer.set = uint32(status), true
}

// AddHeader adds a header to the answer. `name` is in lower case.
func (c *Call) AddHeader(name, value string) {
	c.answer.headers = append(append(c.answer.headers, name...), value...)
	c.answer.lengths = append(c.answer.lengths, len(name), len(value))
	c.answer.set = true
}

// Write appends to the answer's body; it is an io.Writer, and never fails.
func (c *Call) Write(body []byte) (int, error) {
	c.answer.body, c.answer.set = append(c.answer.body, body...), true
	return len(body), nil
}
