package main

import (
	"testing"

	"busbar"
	"busbar/busbartest"
)

func TestAnswersInCapitals(t *testing.T) {
	c := busbartest.New(t, busbar.NewService("shout", newShouter), busbartest.Options{})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if answer := c.Execute(busbartest.Request{Body: "hello"}); answer.Body != "HELLO" {
		t.Fatal(answer)
	}
	if answer := c.Execute(busbartest.Request{}); answer.Status != busbartest.Invalid {
		t.Fatal(answer)
	}
}
