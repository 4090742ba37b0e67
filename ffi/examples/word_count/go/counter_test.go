package main

import (
	"bytes"
	"fmt"
	"testing"

	"busbar"
	"busbar/busbartest"
)

func open(t *testing.T, options busbartest.Options) *busbartest.Component {
	t.Helper()
	return busbartest.New(t, busbar.NewProcessor("count", newCounter), options)
}

// tick gives what is emitted as "operation key payload".
func tick(t *testing.T, c *busbartest.Component) (lines []string) {
	t.Helper()
	result := c.Tick(busbar.Tick{Now: 7})
	if result.Status != busbartest.OK {
		t.Fatal(result)
	}
	for _, r := range result.Records {
		if r.Timestamp != 7 || r.Sequence != 0 || r.ContentType != busbar.JSON {
			t.Errorf("record %+v", r)
		}
		lines = append(lines, fmt.Sprintf("%d %s %s", r.Operation, r.Key, r.Payload))
	}
	return lines
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, not %q", got, want)
	}
}

func TestCountsWords(t *testing.T) {
	c := open(t, busbartest.Options{})
	c.Process(busbartest.Texts("The the cat's\thät, 42!", "", "-- the")...)
	expect(t, tick(t, c), `1 42 {"count":1}`, `1 cat's {"count":1}`, `1 hät {"count":1}`, `1 the {"count":3}`)
	expect(t, tick(t, c))
	c.Process(busbartest.Texts("a the")...)
	expect(t, tick(t, c), `1 a {"count":1}`, `2 the {"count":4}`)
}

func TestMinLengthAndCase(t *testing.T) {
	c := open(t, busbartest.Options{Config: `{"min_length":2,"case_sensitive":true}`})
	c.Process(busbartest.Texts("The the a ä")...)
	expect(t, tick(t, c), `1 The {"count":1}`, `1 the {"count":1}`, `1 ä {"count":1}`)
}

func TestFullOutputLosesAndRepeatsNothing(t *testing.T) {
	c := open(t, busbartest.Options{ArenaSize: 64, Limit: 3})
	var want []string
	for i := range 20 {
		c.Process(busbartest.Texts(fmt.Sprintf("w%02d", i))...)
		want = append(want, fmt.Sprintf(`1 w%02d {"count":1}`, i))
	}
	expect(t, tick(t, c), want...)
	expect(t, tick(t, c))
}

func TestStateGoesOn(t *testing.T) {
	first := open(t, busbartest.Options{})
	first.Process(busbartest.Texts("old both")...)
	tick(t, first)
	first.Process(busbartest.Texts("both new")...)
	state, err := first.Save()
	if err != nil {
		t.Fatal(err)
	}

	second := open(t, busbartest.Options{})
	if err := second.Restore(state); err != nil {
		t.Fatal(err)
	}
	again, _ := second.Save()
	if !bytes.Equal(state.Data, again.Data) {
		t.Errorf("saved again: %q, not %q", again.Data, state.Data)
	}
	expect(t, tick(t, second), `2 both {"count":2}`, `1 new {"count":1}`)
	second.Process(busbartest.Texts("old")...)
	expect(t, tick(t, second), `2 old {"count":2}`)
}

func TestRefusesOtherStates(t *testing.T) {
	c := open(t, busbartest.Options{})
	c.Process(busbartest.Texts("some words")...)
	state, _ := c.Save()
	wrong := []busbar.State{{Version: 2, Data: state.Data}, {Version: 1, Data: append(state.Data, 1)}}
	for length := 1; length < len(state.Data); length++ {
		if length != 7 { // where the first word ends
			wrong = append(wrong, busbar.State{Version: 1, Data: state.Data[:length]})
		}
	}
	for _, state := range wrong {
		err := open(t, busbartest.Options{}).Restore(state)
		if e, ok := err.(*busbartest.Error); !ok || e.Status != busbartest.Invalid {
			t.Errorf("%q: %v", state.Data, err)
		}
	}
}
