package busbar

import (
	"errors"
	"testing"
	"unsafe"

	"busbar/internal/abi"
)

// Records never reads beyond the batch, whatever the lengths say.
func FuzzRecords(f *testing.F) {
	arena := make([]byte, 128)
	raw := abi.Batch{Data: unsafe.Pointer(&arena[0]), Capacity: 128, Limit: 2}
	out := Output{raw: &raw}
	out.Append(&Event{Key: []byte("k"), Payload: []byte("payload"), Attributes: AppendAttribute(nil, "name", "value")})
	out.Append(&Event{})
	f.Add(append([]byte(nil), arena[:raw.Length]...))
	f.Add(append([]byte(nil), arena[:raw.Length-8]...))
	f.Fuzz(func(t *testing.T, data []byte) {
		aligned := make([]uint64, len(data)/8+1)
		bytes := unsafe.Slice((*byte)(unsafe.Pointer(&aligned[0])), len(data))
		copy(bytes, data)
		var batch Batch
		batch.reset(&abi.Batch{Data: unsafe.Pointer(&aligned[0]), Length: uint64(len(data))})
		used, count := 0, 0
		for index, record := range batch.Records() {
			used += int(abi.RecordSize) + len(record.Key()) + len(record.Payload()) + len(record.RawAttributes())
			for name, value := range record.Attributes() {
				used += len(name) - len(name) + len(value) - len(value)
			}
			if index != count || used > len(data) {
				t.Fatalf("record %d, %d bytes of %d", index, used, len(data))
			}
			count++
		}
		if err := batch.Err(); (err == nil) != (batch.at == uint64(len(data))) || err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatalf("ended at %d of %d: %v", batch.at, len(data), err)
		}
	})
}

// malformed returns nil without having looked at Err.
type careless struct{}

func (careless) Process(batch *Batch, _ []*Output) error {
	for range batch.Records() {
	}
	return nil
}

func TestMalformedRecordsAreInvalid(t *testing.T) {
	arena := make([]byte, 256)
	raw := abi.Batch{Data: unsafe.Pointer(&arena[0]), Capacity: 256, Limit: 9}
	out := Output{raw: &raw}
	out.Append(&Event{})
	start := raw.Length
	out.Append(&Event{})
	(*abi.Record)(unsafe.Pointer(&arena[start])).PayloadLength = 1 << 31
	message := make([]byte, 100)
	i := &instance{processor: careless{}, context: &Context{raw: &abi.Context{Error: unsafe.Pointer(&message[0]), ErrorCapacity: 100}}}
	if status := i.Process(&raw); status != abi.Invalid || raw.Done != 1 {
		t.Errorf("%v at %d: %s", status, raw.Done, message)
	}
}
