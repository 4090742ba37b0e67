package main

import (
	"testing"

	"busbar"
	"busbar/busbartest"
)

var greet = busbar.NewSource("greet", newGreeter)

func TestGivesAsManyAsAskedFor(t *testing.T) {
	c := busbartest.New(t, greet, busbartest.Options{Config: `{"count":2,"text":"hi"}`})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	result := c.Poll()
	if result.Status != busbartest.Done || len(result.Records) != 2 {
		t.Fatal(result)
	}
	if got := result.Records[1].Payload; got != "hi 2" {
		t.Errorf("payload is %q", got)
	}
}

func TestResumesAfterItsPosition(t *testing.T) {
	options := busbartest.Options{Config: `{"count":5,"text":"hi"}`, Position: []byte{3, 0, 0, 0, 0, 0, 0, 0}}
	c := busbartest.New(t, greet, options)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	result := c.Poll()
	if len(result.Records) != 2 || result.Records[0].Payload != "hi 4" {
		t.Fatal(result)
	}
}
