package busbartest

import (
	"bytes"
	"unsafe"

	"busbar"
	"busbar/internal/abi"
	"busbar/internal/bridge"
)

// Record is a record of a batch, copied out of it, or to make one of.
type Record struct {
	Key         string
	Payload     string
	Attributes  map[string]string
	Source      int
	Sequence    uint64 // of what a component is given: 0 numbers them from 1
	Timestamp   int64
	Operation   busbar.Operation
	ContentType busbar.ContentType
	Flags       busbar.Flags
}

// Texts makes a record of each text.
func Texts(texts ...string) []Record {
	var records []Record
	for _, text := range texts {
		records = append(records, Record{Payload: text, ContentType: busbar.Text})
	}
	return records
}

// Result is what came of a call that is given a batch.
type Result struct {
	Status   Status
	Message  string // of a failure
	Done     int
	Records  []Record   // of a source or bootstrap; of a processor's first output
	Outputs  [][]Record // of a processor
	Position []byte     // of a source; nil where it set none
	Batch    uint64     // of a reaction: names a batch that is pending
	Calls    int        // 1, and one for each time that an output was full
}

// arena is a batch in memory of its own, with bytes behind it that must not change.
type arena struct {
	raw  abi.Batch
	data []byte
}

const guard = 64

func newArena(size, limit int) *arena {
	words := make([]uint64, (size+7)/8+guard/8)
	data := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*8)
	for i := size; i < len(data); i++ {
		data[i] = 0xa5
	}
	return &arena{
		raw: abi.Batch{
			Size: uint32(unsafe.Sizeof(abi.Batch{})), Data: unsafe.Pointer(&data[0]), Capacity: uint64(size), Limit: uint32(limit),
			NextSequence: 1,
		},
		data: data,
	}
}

// input makes a batch to read.
func (c *Component) input(records []Record) *arena {
	size := 0
	for _, r := range records {
		size += int(abi.RecordSize) + len(r.Key) + len(r.Payload) + 8
		for name, value := range r.Attributes {
			size += 8 + len(name) + len(value)
		}
	}
	a := newArena(size, len(records))
	for i, r := range records {
		a.append(i, r)
	}
	a.raw.Capacity = 0
	c.batches++
	a.raw.ID = c.batches
	return a
}

func (a *arena) append(index int, r Record) {
	var attributes []byte
	for name, value := range r.Attributes {
		attributes = busbar.AppendAttribute(attributes, name, value)
	}
	if r.Sequence == 0 {
		r.Sequence = uint64(index + 1)
	}
	used := int(abi.RecordSize) + len(r.Key) + len(r.Payload) + len(attributes)
	*(*abi.Record)(unsafe.Pointer(&a.data[a.raw.Length])) = abi.Record{
		Size: uint32(used+7) &^ 7, Operation: uint8(r.Operation), ContentType: uint8(r.ContentType), Source: uint16(r.Source),
		Timestamp: r.Timestamp, Sequence: r.Sequence, KeyLength: uint32(len(r.Key)), PayloadLength: uint32(len(r.Payload)),
		AttributesLength: uint32(len(attributes)), Flags: uint32(r.Flags),
	}
	to := a.data[a.raw.Length+abi.RecordSize:]
	to = to[copy(to, r.Key):]
	to = to[copy(to, r.Payload):]
	copy(to, attributes)
	a.raw.Length += uint64(used+7) &^ 7
	a.raw.Count++
}

// records copies out what a component has written, and fails the test where it is not as the contract says.
func (c *Component) records(a *arena) []Record {
	c.t.Helper()
	for i := a.raw.Capacity; a.raw.Loan == 0 && i < uint64(len(a.data)); i++ {
		if a.data[i] != 0xa5 {
			c.t.Fatalf("byte %d was written, behind the end of an arena of %d", i, a.raw.Capacity)
		}
	}
	if a.raw.Length > a.raw.Capacity || a.raw.Count > a.raw.Limit {
		c.t.Fatalf("%d records of %d bytes in an arena for %d of %d", a.raw.Count, a.raw.Length, a.raw.Limit, a.raw.Capacity)
	}
	var records []Record
	at := uint64(0)
	for at < a.raw.Length {
		raw := (*abi.Record)(unsafe.Add(a.raw.Data, at))
		used := abi.RecordSize + uint64(raw.KeyLength) + uint64(raw.PayloadLength) + uint64(raw.AttributesLength)
		if uint64(raw.Size) != (used+7)&^7 || at+uint64(raw.Size) > a.raw.Length {
			c.t.Fatalf("the record at byte %d has %d bytes, its parts %d", at, raw.Size, used)
		}
		records = append(records, copied(bridge.View(raw).(busbar.Record)))
		at += uint64(raw.Size)
	}
	if uint32(len(records)) != a.raw.Count {
		c.t.Fatalf("count is %d, not %d", a.raw.Count, len(records))
	}
	return records
}

func copied(r busbar.Record) Record {
	record := Record{
		Key: string(r.Key()), Payload: string(r.Payload()), Source: r.Source(), Sequence: r.Sequence(), Timestamp: r.Timestamp(),
		Operation: r.Operation(), ContentType: r.ContentType(), Flags: r.Flags(),
	}
	for name, value := range r.Attributes() {
		if record.Attributes == nil {
			record.Attributes = map[string]string{}
		}
		record.Attributes[string(name)] = string(value)
	}
	return record
}

// Poll asks a source for records, once, or twice where the first record needs a larger arena.
func (c *Component) Poll() Result {
	c.t.Helper()
	c.need(abi.CallPoll, "Poll")
	result := c.append(func(a *arena) Status { return c.instance.Poll(&a.raw) })
	for i, r := range result.Records {
		if r.Sequence != c.sequence+uint64(i) {
			c.t.Fatalf("record %d has sequence %d, not %d", i, r.Sequence, c.sequence+uint64(i))
		}
	}
	c.sequence += uint64(len(result.Records))
	return result
}

// Fetch asks a bootstrap for elements, as Poll does.
func (c *Component) Fetch() Result {
	c.t.Helper()
	c.need(abi.CallFetch, "Fetch")
	return c.append(func(a *arena) Status { return c.instance.Fetch(&a.raw) })
}

func (c *Component) append(call func(*arena) Status) (result Result) {
	c.t.Helper()
	for size := c.options.ArenaSize; ; {
		a := newArena(size, c.options.Limit)
		position := make([]byte, abi.PositionMax)
		a.raw.NextSequence = c.sequence
		a.raw.Position, a.raw.PositionCapacity = unsafe.Pointer(&position[0]), abi.PositionMax
		result.Status = call(a)
		result.Calls++
		result.Records = c.records(a)
		if a.raw.Loan != 0 {
			c.instance.Release(a.raw.Loan)
		}
		if a.raw.Count == 0 && a.raw.Required > uint64(size) && result.Calls == 1 {
			size = int(a.raw.Required)
			continue
		}
		if a.raw.PositionLength > 0 {
			result.Position = position[:a.raw.PositionLength]
		}
		result.Message = c.messageOf(result.Status)
		return result
	}
}

// Process gives records to a processor, and calls it again for as long as an output is full.
func (c *Component) Process(records ...Record) Result {
	c.t.Helper()
	c.need(abi.CallProcess, "Process")
	return c.process(c.input(records), func(raw *abi.Batch) Status { return c.instance.Process(raw) })
}

// Tick calls Tick, and again for as long as an output is full.
func (c *Component) Tick(tick busbar.Tick) Result {
	c.t.Helper()
	c.need(abi.CallTick, "Tick")
	a := newArena(0, 0)
	a.raw.Now = tick.Now
	if tick.Drain {
		a.raw.Flags = abi.BatchDrain
	}
	return c.process(a, func(raw *abi.Batch) Status { return c.instance.Tick(raw) })
}

func (c *Component) process(in *arena, call func(*abi.Batch) Status) Result {
	c.t.Helper()
	before := bytes.Clone(in.data)
	result := Result{Outputs: make([][]Record, c.options.Outputs)}
	size := c.options.ArenaSize
	for {
		arenas, raws := make([]*arena, c.options.Outputs), make([]*abi.Batch, c.options.Outputs)
		for i := range arenas {
			arenas[i] = newArena(size, c.options.Limit)
			raws[i] = &arenas[i].raw
		}
		in.raw.Out, in.raw.OutCount = unsafe.Pointer(&raws[0]), uint32(len(raws))
		cursor := in.raw.Cursor
		result.Status = call(&in.raw)
		result.Calls++
		progress := in.raw.Cursor != cursor
		for i, a := range arenas {
			records := c.records(a)
			result.Outputs[i] = append(result.Outputs[i], records...)
			progress = progress || len(records) > 0
			if a.raw.Required > uint64(size) {
				size, progress = int(a.raw.Required), true
			}
		}
		if !bytes.Equal(before, in.data) {
			c.t.Fatal("the batch that it reads was written to")
		}
		if result.Status != More {
			break
		}
		if !progress {
			c.t.Fatal("MORE, but nothing was read or written")
		}
	}
	result.Records, result.Done = result.Outputs[0], int(in.raw.Done)
	result.Message = c.messageOf(result.Status)
	return result
}

// Write gives records to a reaction. For PENDING, Wait for Completions.
func (c *Component) Write(records ...Record) Result {
	c.t.Helper()
	return c.write(false, records)
}

// Rewrite gives records to a reaction that it may have been given before.
func (c *Component) Rewrite(records ...Record) Result {
	c.t.Helper()
	return c.write(true, records)
}

func (c *Component) write(replay bool, records []Record) Result {
	c.t.Helper()
	c.need(abi.CallWrite, "Write")
	in := c.input(records)
	if replay {
		in.raw.Flags = abi.BatchReplay
	}
	before := bytes.Clone(in.data)
	c.host.change(func() { c.host.pending[in.raw.ID] = true })
	status := c.instance.Write(&in.raw)
	if status != Pending {
		c.host.change(func() { delete(c.host.pending, in.raw.ID) })
	}
	if !bytes.Equal(before, in.data) {
		c.t.Fatal("the batch that it reads was written to")
	}
	return Result{Status: status, Message: c.messageOf(status), Done: int(in.raw.Done), Batch: in.raw.ID, Calls: 1}
}

func (c *Component) messageOf(status Status) string {
	c.t.Helper()
	return c.messageIn(c.message, status)
}

func (c *Component) messageIn(buffer []byte, status Status) string {
	c.t.Helper()
	if status >= 0 {
		return ""
	}
	message := c.take(buffer)
	if message == "" {
		c.t.Fatalf("%v without a message", status)
	}
	return message
}
