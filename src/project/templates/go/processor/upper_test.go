package main

import (
	"testing"

	"busbar"
	"busbar/busbartest"
)

func TestMakesCapitals(t *testing.T) {
	component := busbar.NewProcessor("upper", newUpper)
	c := busbartest.New(t, component, busbartest.Options{Config: `{"skip_empty":true}`})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	result := c.Process(busbartest.Texts("hello 1", "")...)
	if len(result.Records) != 1 || result.Records[0].Payload != "HELLO 1" {
		t.Fatal(result)
	}
}
