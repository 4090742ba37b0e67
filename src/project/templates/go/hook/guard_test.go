package main

import (
	"testing"

	"busbar"
	"busbar/busbartest"
)

func TestLetsOnlyTheRightTokenPass(t *testing.T) {
	component := busbar.NewHook("guard", newGuard)
	c := busbartest.New(t, component, busbartest.Options{Config: `{"token":"secret"}`})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ask := func(token string) busbartest.Answer {
		headers := [][2]string{{"x-token", token}}
		return c.BeforeRequest(busbartest.Request{Method: "GET", Path: "/", Headers: headers})
	}
	if answer := ask("secret"); answer.Status != busbartest.OK {
		t.Fatal(answer)
	}
	if answer := ask("secreT"); answer.Status != busbartest.Done || answer.HTTP != 401 {
		t.Fatal(answer)
	}
}
