package busbar_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"busbar"
	"busbar/busbartest"
)

// steps is a source whose Poll is given by the test.
type steps struct {
	context  *busbar.Context
	poll     func(out *busbar.Output) error
	released [][]byte
}

func (s *steps) Poll(out *busbar.Output) error { return s.poll(out) }
func (s *steps) Release(memory []byte)         { s.released = append(s.released, memory) }

func source(t *testing.T, poll func(s *steps, out *busbar.Output) error, options busbartest.Options) (*busbartest.Component, *steps) {
	t.Helper()
	s := &steps{}
	s.poll = func(out *busbar.Output) error { return poll(s, out) }
	c := busbartest.New(t, busbar.NewSource("steps", func(context *busbar.Context, _ struct{}) (*steps, error) {
		s.context = context
		return s, nil
	}), options)
	return c, s
}

func TestSourceAppends(t *testing.T) {
	next := 0
	c, _ := source(t, func(_ *steps, out *busbar.Output) error {
		for next < 10 {
			event := busbar.Event{
				Key: []byte{byte('a' + next)}, Payload: []byte(strings.Repeat("x", next)), Timestamp: int64(next),
				Attributes: busbar.AppendAttribute(nil, "n", fmt.Sprint(next)), Operation: busbar.Update, ContentType: busbar.Text,
			}
			if !out.Append(&event) {
				return nil
			}
			next++
			out.SetPosition([]byte{byte(next)})
		}
		return busbar.ErrDone
	}, busbartest.Options{Limit: 4})
	var records []busbartest.Record
	for _, want := range []busbartest.Status{busbartest.OK, busbartest.OK, busbartest.Done} {
		result := c.Poll()
		records = append(records, result.Records...)
		if result.Status != want || int(result.Position[0]) != len(records) {
			t.Errorf("%v at %v", result.Status, result.Position)
		}
	}
	want := busbartest.Record{
		Key: "d", Payload: "xxx", Attributes: map[string]string{"n": "3"}, Sequence: 4, Timestamp: 3, Operation: busbar.Update,
		ContentType: busbar.Text,
	}
	if len(records) != 10 || !reflect.DeepEqual(records[3], want) {
		t.Errorf("%+v", records)
	}
}

func TestTooLargeARecordGetsALargerArena(t *testing.T) {
	given := false
	c, _ := source(t, func(_ *steps, out *busbar.Output) error {
		if !given {
			given = out.Append(&busbar.Event{Payload: make([]byte, 1000)})
		}
		return busbar.ErrAgain
	}, busbartest.Options{ArenaSize: 100})
	if result := c.Poll(); result.Status != busbartest.Again || len(result.Records) != 1 || result.Calls != 2 {
		t.Errorf("%+v", result)
	}
}

func TestDraftsAreShortened(t *testing.T) {
	c, _ := source(t, func(_ *steps, out *busbar.Output) error {
		draft, ok := out.Reserve(10, 100, 50)
		if !ok {
			t.Fatal("no room")
		}
		draft.Key = append(draft.Key[:0], "key"...)
		draft.Payload = append(draft.Payload[:0], "payload"...)
		draft.Attributes = busbar.AppendAttribute(draft.Attributes[:0], "a", "b")
		draft.ContentType = busbar.Text
		out.Commit(&draft)
		return busbar.ErrDone
	}, busbartest.Options{})
	want := []busbartest.Record{
		{Key: "key", Payload: "payload", Attributes: map[string]string{"a": "b"}, Sequence: 1, ContentType: busbar.Text},
	}
	if result := c.Poll(); !reflect.DeepEqual(result.Records, want) {
		t.Errorf("%+v", result)
	}
}

func TestLentMemoryComesBackOnce(t *testing.T) {
	memory := make([]byte, 1024)
	c, s := source(t, func(_ *steps, out *busbar.Output) error {
		if err := out.Lend(memory[1:]); err == nil {
			t.Error("memory that is not aligned was lent")
		}
		if err := out.Lend(memory); err != nil {
			return err
		}
		out.Append(&busbar.Event{Payload: []byte("lent")})
		return nil
	}, busbartest.Options{})
	if result := c.Poll(); result.Records[0].Payload != "lent" || !strings.Contains(string(memory), "lent") {
		t.Errorf("%+v", result)
	}
	if len(s.released) != 1 || &s.released[0][0] != &memory[0] {
		t.Errorf("released %d", len(s.released))
	}
}

func TestPanicsAreFatal(t *testing.T) {
	c, s := source(t, func(*steps, *busbar.Output) error { panic("oh no") }, busbartest.Options{})
	if result := c.Poll(); result.Status != busbartest.Fatal || result.Message != "poll panicked: oh no" {
		t.Errorf("%+v", result)
	}
	log := c.Logs()[0]
	if log.Level != slog.LevelError || !strings.Contains(log.Fields["stack"], "sdk_test.go") {
		t.Errorf("%+v", log)
	}

	s.poll = func(*busbar.Output) error { return busbar.ErrAgain }
	s.context.Go(func() { panic("in the background") })
	c.Wait("a wake", func() bool { return c.Wakes() == 1 })
	if result := c.Poll(); result.Status != busbartest.Fatal || !strings.Contains(result.Message, "in the background") {
		t.Errorf("%+v", result)
	}
}

func TestStatusesOfPoll(t *testing.T) {
	for _, test := range []struct {
		err    error
		status busbartest.Status
		text   string
	}{
		{nil, busbartest.OK, ""},
		{busbar.ErrAgain, busbartest.Again, ""},
		{busbar.ErrDone, busbartest.Done, ""},
		{errors.New("some"), busbartest.Failed, "some"},
		{fmt.Errorf("wrapped: %w", io.EOF), busbartest.Failed, "wrapped: EOF"},
		{fmt.Errorf("wrapped: %w", busbar.Fatal(io.EOF)), busbartest.Fatal, "wrapped: EOF"},
		{busbar.ErrMore, busbartest.Fatal, "Poll answered MORE"},
		{busbar.Invalid(0, io.EOF), busbartest.Fatal, "Poll answered INVALID"},
	} {
		c, _ := source(t, func(*steps, *busbar.Output) error { return test.err }, busbartest.Options{})
		if result := c.Poll(); result.Status != test.status || !strings.Contains(result.Message, test.text) {
			t.Errorf("%v: %+v", test.err, result)
		}
	}
}

// doubler gives each record twice, to two outputs in turn.
type doubler struct{ err error }

func (d *doubler) Process(batch *busbar.Batch, out []*busbar.Output) error {
	for index, record := range batch.Records() {
		if string(record.Payload()) == "bad" {
			return busbar.Invalid(index, errors.New("bad record"))
		}
		event := record.Event()
		event.Payload = append([]byte("2x"), event.Payload...)
		if !out[index%2].Derive(record, &event) {
			return busbar.ErrMore
		}
	}
	return d.err
}

func doubled(t *testing.T, d *doubler, options busbartest.Options) *busbartest.Component {
	options.Outputs = 2
	return busbartest.New(t, busbar.NewProcessor("double", func(*busbar.Context, struct{}) (*doubler, error) { return d, nil }), options)
}

func TestProcessorGoesOnAfterMore(t *testing.T) {
	c := doubled(t, &doubler{}, busbartest.Options{Limit: 1})
	records := []busbartest.Record{{Payload: "a", Sequence: 5, Source: 3}, {Payload: "b"}, {Payload: "c"}}
	result := c.Process(records...)
	if result.Status != busbartest.OK || len(result.Outputs[0])+len(result.Outputs[1]) != 3 || result.Calls != 2 {
		t.Errorf("%+v", result)
	}
	if first := result.Records[0]; first.Payload != "2xa" || first.Sequence != 5 || first.Source != 3 {
		t.Errorf("%+v", first)
	}
}

func TestProcessorFails(t *testing.T) {
	d := &doubler{}
	c := doubled(t, d, busbartest.Options{})
	result := c.Process(busbartest.Texts("a", "b", "bad", "c")...)
	if result.Status != busbartest.Invalid || result.Done != 2 || result.Message != "bad record" || len(result.Records) != 1 {
		t.Errorf("%+v", result)
	}
	d.err = errors.New("later")
	if result = c.Process(busbartest.Texts("a")...); result.Status != busbartest.Failed || result.Done != 0 || len(result.Records) != 0 {
		t.Errorf("%+v", result)
	}
	d.err = busbar.Failed(1, errors.New("later"))
	if result = c.Process(busbartest.Texts("a")...); result.Status != busbartest.Failed || result.Done != 1 || len(result.Records) != 1 {
		t.Errorf("%+v", result)
	}
}

// keeping is a reaction that keeps every batch and completes it as the test says.
type keeping struct {
	kept  []*busbar.Pending
	write func(p *busbar.Pending) error
}

func (k *keeping) Write(batch *busbar.Batch) error {
	p := batch.Keep()
	k.kept = append(k.kept, p)
	return k.write(p)
}

func TestPendingIsCompletedOnce(t *testing.T) {
	k := &keeping{}
	c := busbartest.New(t, busbar.NewReaction("keep", func(*busbar.Context, struct{}) (*keeping, error) { return k, nil }), busbartest.Options{})
	k.write = func(*busbar.Pending) error { return busbar.ErrPending }
	result := c.Write(busbartest.Texts("a", "b")...)
	if result.Status != busbartest.Pending {
		t.Fatalf("%+v", result)
	}
	done := make(chan int)
	go func() {
		n := 0
		for _, r := range k.kept[0].Batch.Records() {
			n += len(r.Payload())
		}
		k.kept[0].Complete(busbar.Failed(1, errors.New("no disk")))
		k.kept[0].Complete(nil)
		done <- n
	}()
	if n := <-done; n != 2 {
		t.Errorf("%d bytes", n)
	}
	want := []busbartest.Completion{{Batch: result.Batch, Status: busbartest.Failed, Done: 1, Message: "no disk"}}
	if got := c.Completions(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}

	k.write = func(p *busbar.Pending) error { p.Complete(nil); return busbar.ErrPending }
	if result := c.Write(busbartest.Texts("a")...); result.Status != busbartest.OK {
		t.Errorf("%+v", result)
	}
	k.write = func(*busbar.Pending) error { return errors.New("not now") }
	if result := c.Write(busbartest.Texts("a")...); result.Status != busbartest.Failed {
		t.Errorf("%+v", result)
	}
	k.kept[2].Complete(nil)
	k.write = func(*busbar.Pending) error { return busbar.ErrPending }
	c.Write(busbartest.Texts("a")...)
	c.Stop()
	got := c.Completions()
	if len(got) != 2 || got[1].Status != busbartest.Failed || !strings.Contains(got[1].Message, "stopped") {
		t.Errorf("%+v", got)
	}
	k.kept[3].Complete(nil)
	if len(c.Completions()) != 2 {
		t.Error("completed after stop")
	}
}

// full has everything that a component can have.
type full struct {
	context *busbar.Context
	calls   []string
	fail    error
}

func (f *full) call(name string) error {
	f.calls = append(f.calls, name)
	return f.fail
}
func (f *full) Write(*busbar.Batch) error { return f.call("write") }
func (f *full) Start() error              { return f.call("start") }
func (f *full) Stop() error               { return f.call("stop") }
func (f *full) Close() error              { return f.call("close") }
func (f *full) Save() (busbar.State, error) {
	return busbar.State{Version: 3, Data: []byte("state")}, f.fail
}
func (f *full) Restore(s busbar.State) error {
	return f.call(fmt.Sprint("restore ", s.Version, string(s.Data)))
}
func (f *full) Health() error               { return f.fail }
func (f *full) Flush() error                { return f.call("flush") }
func (f *full) Tick(tick busbar.Tick) error { return f.call(fmt.Sprint("tick ", tick.Now, tick.Drain)) }

func TestLifecycle(t *testing.T) {
	f := &full{}
	c := busbartest.New(t, busbar.NewReaction("full", func(context *busbar.Context, _ struct{}) (*full, error) {
		f.context = context
		return f, nil
	}), busbartest.Options{Acknowledged: []busbar.Acknowledged{{SourceID: "s", Source: 1, Sequence: 9}}, PartitionCount: 2, PartitionIndex: 1})
	state, err := c.Save()
	if err != nil || c.Restore(state) != nil || c.Start() != nil || c.Health() != nil || c.Flush() != nil {
		t.Error(err)
	}
	c.Tick(busbar.Tick{Now: 4, Drain: true})
	c.Write(busbartest.Texts("a")...)
	for a := range f.context.Acknowledged() {
		if a != (busbar.Acknowledged{SourceID: "s", Source: 1, Sequence: 9}) {
			t.Errorf("%+v", a)
		}
	}
	if index, count := f.context.Partition(); index != 1 || count != 2 {
		t.Errorf("%d of %d", index, count)
	}
	f.fail = errors.New("ill")
	if err := c.Health(); err == nil || err.Error() != "FAILED: ill" {
		t.Error(err)
	}
	if err := c.Restore(state); err == nil || err.Error() != "INVALID: ill" {
		t.Error(err)
	}
	f.fail = nil
	c.Close()
	want := "[restore 3state start flush tick 4 true write restore 3state stop close]"
	if fmt.Sprint(f.calls) != want {
		t.Errorf("%v, not %v", f.calls, want)
	}
	f.context.Wake()
	f.context.Logger().Info("nobody listens any more")
	if c.Wakes() != 0 || f.context.DataDirectory() != "" {
		t.Error("a closed context does something")
	}
}

func TestSettings(t *testing.T) {
	type config struct {
		Every busbar.Duration
		Size  busbar.Size
	}
	var got config
	component := busbar.NewHook("hook", func(_ *busbar.Context, c config) (hook, error) { got = c; return hook{}, nil })
	for text, want := range map[string]config{
		`{"Every":"1.5s","Size":"4KiB"}`: {busbar.Duration(1500 * time.Millisecond), 4096},
		`{"Every":"2d","Size":7}`:        {busbar.Duration(48 * time.Hour), 7},
		``:                               {},
	} {
		got = config{}
		if _, err := busbartest.Create(t, component, busbartest.Options{Config: text}); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{`{"other":1}`, `{"Every":"1"}`, `{"Every":5}`, `{"Every":"999999999999d"}`, `{"Size":"1XB"}`, `{"Size":-1}`, `[]`, `{} {}`, `{`} {
		if _, err := busbartest.Create(t, component, busbartest.Options{Config: text}); err == nil {
			t.Errorf("%s is accepted", text)
		}
	}
}

type hook struct{}

func (hook) Handle(call *busbar.Call) error {
	if call.Path() != "/hello" {
		return nil
	}
	call.SetStatus(201)
	call.AddHeader("x-name", call.Header("name"))
	fmt.Fprintf(call, "%s %s %s", call.Method(), call.Query(), call.Body())
	return busbar.ErrDone
}

func TestHookAnswers(t *testing.T) {
	c := busbartest.New(t, busbar.NewHook("hook", func(*busbar.Context, struct{}) (hook, error) { return hook{}, nil }), busbartest.Options{})
	request := busbartest.Request{Method: "PUT", Path: "/hello", Query: "a=b", Body: "body", Headers: [][2]string{{"name", "value"}}}
	want := busbartest.Answer{Status: busbartest.Done, HTTP: 201, Headers: [][2]string{{"x-name", "value"}}, Body: "PUT a=b body"}
	for range 3 {
		if got := c.Handle(request); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v", got)
		}
	}
	if got := c.Handle(busbartest.Request{Path: "/"}); !reflect.DeepEqual(got, busbartest.Answer{}) {
		t.Errorf("%+v", got)
	}
}

// meeting fails when calls of two slots have come, each with its own message.
type meeting struct{ both sync.WaitGroup }

func (m *meeting) Execute(call *busbar.Call) error {
	m.both.Done()
	m.both.Wait()
	if call.Slot() == 0 {
		return busbar.Invalid(0, errors.New("cannot answer slot 0"))
	}
	panic("cannot answer slot 1")
}

func TestCallsThatFailAtOnceKeepTheirOwnMessages(t *testing.T) {
	m := &meeting{}
	m.both.Add(2)
	c := busbartest.New(t, busbar.NewService("meeting", func(context *busbar.Context, _ struct{}) (*meeting, error) {
		if context.Component() != "meeting" {
			return nil, fmt.Errorf("component %q", context.Component())
		}
		return m, nil
	}), busbartest.Options{})
	var answers [2]busbartest.Answer
	var calls sync.WaitGroup
	for slot := range answers {
		calls.Add(1)
		go func() {
			defer calls.Done()
			answers[slot] = c.Execute(busbartest.Request{Slot: slot})
		}()
	}
	calls.Wait()
	want := [2]busbartest.Answer{
		{Status: busbartest.Invalid, Message: "cannot answer slot 0"},
		{Status: busbartest.Fatal, Message: "execute panicked: cannot answer slot 1"},
	}
	if !reflect.DeepEqual(answers, want) {
		t.Errorf("%+v", answers)
	}
}

func TestLogAndMetrics(t *testing.T) {
	c, s := source(t, nil, busbartest.Options{})
	logger := s.context.Logger().With("a", 1).WithGroup("g")
	logger.Warn("text", "b", true, "c", 1.5, slog.Group("d", "e", "f"), "err", io.EOF, "list", []int{1, 2}, "for", time.Second)
	want := busbartest.Log{Level: slog.LevelWarn, Message: "text", Fields: map[string]string{
		"a": "1", "g.b": "true", "g.c": "1.5", "g.d.e": "f", "g.err": "EOF", "g.list": "[1,2]", "g.for": "1s",
	}}
	if logs := c.Logs(); len(logs) != 1 || !reflect.DeepEqual(logs[0], want) {
		t.Errorf("%+v", logs)
	}
	c.SetLogLevel(slog.LevelError)
	logger.Warn("too low")
	if len(c.Logs()) != 1 {
		t.Error("logged below the level")
	}
	s.context.Counter("things_total").Add(2)
	s.context.Counter("things_total").Add(3)
	s.context.Gauge("level").Set(1.5)
	s.context.Histogram("took_seconds").ObserveSeconds(500 * time.Millisecond)
	if c.Metric("things_total") != 5 || c.Metric("level") != 1.5 || c.Metric("took_seconds") != 0.5 {
		t.Error("metrics")
	}
}
