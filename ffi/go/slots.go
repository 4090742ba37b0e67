package busbar

import (
	"runtime"
	"sync"
	"unsafe"

	"busbar/internal/abi"
)

// slot keeps what the host still reads of a call, until the next one with the same slot.
type slot struct {
	pinner  runtime.Pinner
	answer  answer
	headers []abi.Header
}

// slots are an instance's, made as they are first used.
type slots struct {
	mu  sync.Mutex
	all map[uint32]*slot
}

func (s *slots) get(number uint32) *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[uint32]*slot{}
	}
	if s.all[number] == nil {
		s.all[number] = &slot{}
	}
	return s.all[number]
}

// clear lets the memory go.
func (s *slots) clear() {
	for _, slot := range s.all {
		slot.pinner.Unpin()
	}
	s.all = nil
}

// begin forgets the answer before, whose memory is used again.
func (s *slot) begin() {
	s.pinner.Unpin()
	s.answer = answer{headers: s.answer.headers[:0], lengths: s.answer.lengths[:0], body: s.answer.body[:0]}
}

// end hands the answer over. A hook that set nothing leaves the call as it was.
func (s *slot) end(raw *abi.Call) {
	a := &s.answer
	if !a.set {
		return
	}
	s.headers = s.headers[:0]
	rest := a.headers
	next := func(length int) (part abi.Bytes) {
		part = pinned(&s.pinner, rest[:length])
		rest = rest[length:]
		return part
	}
	for i := 0; i < len(a.lengths); i += 2 {
		name := next(a.lengths[i])
		s.headers = append(s.headers, abi.Header{Name: name, Value: next(a.lengths[i+1])})
	}
	raw.AnswerStatus = a.status
	raw.Answer = pinned(&s.pinner, a.body)
	raw.AnswerHeaders, raw.AnswerHeaderCount = nil, uint32(len(s.headers))
	if len(s.headers) > 0 {
		s.pinner.Pin(unsafe.SliceData(s.headers))
		raw.AnswerHeaders = unsafe.Pointer(unsafe.SliceData(s.headers))
	}
}

// pinned lets the host read Go memory until the pinner lets it go.
func pinned(pinner *runtime.Pinner, b []byte) abi.Bytes {
	if len(b) == 0 {
		return abi.Bytes{}
	}
	data := unsafe.SliceData(b)
	pinner.Pin(data)
	return abi.Bytes{Data: unsafe.Pointer(data), Length: uint64(len(b))}
}
