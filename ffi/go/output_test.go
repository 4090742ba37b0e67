package busbar

import (
	"fmt"
	"testing"
	"unsafe"

	"busbar/internal/abi"
)

// silent is a host that nobody listens to.
type silent struct{ abi.Host }

func (silent) Level() *int32                    { return new(int32) }
func (silent) Log(*abi.Context, *abi.LogRecord) {}

// inMemory is an empty batch with memory for so many bytes and records.
func inMemory(capacity, limit int) *abi.Batch {
	words := make([]uint64, capacity/8)
	return &abi.Batch{
		Data: unsafe.Pointer(unsafe.SliceData(words)), Capacity: uint64(capacity), Limit: uint32(limit), NextSequence: 1,
	}
}

// given is a batch with a record for each payload.
func given(payloads ...string) *abi.Batch {
	raw := inMemory(64*len(payloads), len(payloads))
	out := Output{raw: raw}
	for _, payload := range payloads {
		out.Append(&Event{Payload: []byte(payload)})
	}
	return raw
}

// copying is a processor that is a function.
type copying func(in []Record, out *Output) error

func (c copying) Process(batch *Batch, out []*Output) error {
	var in []Record
	for _, record := range batch.Records() {
		in = append(in, record)
	}
	return c(in, out[0])
}

// copied has a processor copy from records "a" to "f", each of 48 bytes, to `out`, and gives what is there when the call has ended.
func copied(t *testing.T, out *abi.Batch, process copying) (status abi.Status, payloads string) {
	t.Helper()
	in := given("a", "b", "c", "d", "e", "f")
	outs := []*abi.Batch{out}
	in.Out, in.OutCount = unsafe.Pointer(&outs[0]), 1
	context := newContext(&abi.Context{}, silent{})
	i := &instance{processor: process, context: context}
	status = i.Process(in)
	var result Batch
	result.reset(out)
	count := 0
	for _, record := range result.Records() {
		payloads += string(record.Payload())
		count++
	}
	if err := result.Err(); err != nil || count != int(out.Count) {
		t.Errorf("%d records, not %d: %v", count, out.Count, err)
	}
	return status, payloads
}

func TestCopyKeepsTheOrder(t *testing.T) {
	for _, test := range []struct {
		name, want string
		process    copying
	}{
		{"in order", "abcdef", func(in []Record, out *Output) error {
			for _, record := range in {
				out.Copy(record)
			}
			return nil
		}},
		{"with gaps", "abdf", func(in []Record, out *Output) error {
			for _, n := range []int{0, 1, 3, 5} {
				out.Copy(in[n])
			}
			return nil
		}},
		{"backwards and twice", "cbbca", func(in []Record, out *Output) error {
			for _, n := range []int{2, 1, 1, 2, 0} {
				out.Copy(in[n])
			}
			return nil
		}},
		{"with others between", "abxcyzde", func(in []Record, out *Output) error {
			out.Copy(in[0])
			out.Copy(in[1])
			out.Append(&Event{Payload: []byte("x")})
			out.Copy(in[2])
			out.Derive(in[2], &Event{Payload: []byte("y")})
			draft, _ := out.Reserve(0, 1, 0)
			copy(draft.Payload, "z")
			out.CommitDerived(in[2], &draft)
			out.Copy(in[3])
			out.Copy(in[4])
			return nil
		}},
	} {
		status, payloads := copied(t, inMemory(1024, 100), test.process)
		if status != abi.OK || payloads != test.want {
			t.Errorf("%s: %v, %q", test.name, status, payloads)
		}
	}
}

func TestCopyUntilTheOutputIsFull(t *testing.T) {
	for _, size := range []struct {
		capacity, limit int
		want            string
	}{{48 * 4, 100, "abcd"}, {48*5 - 8, 100, "abcd"}, {1024, 4, "abcd"}, {48 * 6, 6, "abcdef"}, {48, 100, "a"}, {1024, 1, "a"}, {1024, 0, ""}} {
		name := fmt.Sprintf("%d records in %d bytes", size.limit, size.capacity)
		status, payloads := copied(t, inMemory(size.capacity, size.limit), func(in []Record, out *Output) error {
			for n, record := range in {
				if out.Len() != n {
					t.Errorf("%s: %d, not %d, are copied", name, out.Len(), n)
				}
				if !out.Copy(record) {
					if out.Copy(record) || out.Append(&Event{Payload: make([]byte, 8)}) {
						t.Errorf("%s: there is room again", name)
					}
					return ErrMore
				}
			}
			return nil
		})
		if payloads != size.want || (status == abi.More) != (size.want != "abcdef") {
			t.Errorf("%s: %v, %q", name, status, payloads)
		}
	}
}

func TestCopyOfTooLargeARecord(t *testing.T) {
	out := inMemory(40, 100)
	status, payloads := copied(t, out, func(in []Record, out *Output) error {
		out.Copy(in[0])
		return ErrMore
	})
	if status != abi.More || payloads != "" || out.Required != 48 {
		t.Errorf("%v, %q, %d bytes required", status, payloads, out.Required)
	}
}

func TestCopyBeforeAFailure(t *testing.T) {
	cause := fmt.Errorf("no")
	for _, test := range []struct {
		err    error
		status abi.Status
		want   string
	}{{cause, abi.Failed, ""}, {Failed(2, cause), abi.Failed, "ab"}, {Invalid(2, cause), abi.Invalid, "ab"}} {
		status, payloads := copied(t, inMemory(1024, 100), func(in []Record, out *Output) error {
			out.Copy(in[0])
			out.Copy(in[1])
			return test.err
		})
		if status != test.status || payloads != test.want {
			t.Errorf("%v: %v, %q", test.err, status, payloads)
		}
	}
}

func TestCopyBeforeAPanic(t *testing.T) {
	out := inMemory(1024, 100)
	status, payloads := copied(t, out, func(in []Record, out *Output) error {
		out.Copy(in[0])
		out.Append(&Event{Payload: []byte("x")})
		out.Copy(in[1])
		panic("no")
	})
	if status != abi.Fatal || payloads != "ax" {
		t.Errorf("%v, %q", status, payloads)
	}
}

// What a source copies, of a batch that a reaction keeps, is copied at once.
func TestCopyOfASource(t *testing.T) {
	in, raw := given("a"), inMemory(1024, 100)
	out := Output{raw: raw, source: &instance{}}
	out.Copy(Record{(*abi.Record)(in.Data)})
	if raw.Count != 1 || raw.Length != 48 {
		t.Errorf("%d records of %d bytes", raw.Count, raw.Length)
	}
}
