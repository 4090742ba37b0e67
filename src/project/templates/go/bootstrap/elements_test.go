package main

import (
	"testing"

	"busbar"
	"busbar/busbartest"
)

func TestGivesEveryElementOnce(t *testing.T) {
	component := busbar.NewBootstrap("elements", newElements)
	c := busbartest.New(t, component, busbartest.Options{Config: `{"count":3}`, Limit: 2})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if first := c.Fetch(); first.Status != busbartest.More || len(first.Records) != 2 {
		t.Fatal(first)
	}
	rest := c.Fetch()
	if rest.Status != busbartest.Done || len(rest.Records) != 1 {
		t.Fatal(rest)
	}
	if got := rest.Records[0]; got.Key != "element-3" || got.Payload != `{"number":3}` {
		t.Fatal(got)
	}
}
