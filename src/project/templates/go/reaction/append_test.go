package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"busbar"
	"busbar/busbartest"
)

var component = busbar.NewReaction("append", newAppender)

func TestAppendsLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.log")
	c := busbartest.New(t, component, busbartest.Options{Config: fmt.Sprintf(`{"path":%q}`, path)})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if result := c.Write(busbartest.Texts("one", "two")...); result.Status != busbartest.OK {
		t.Fatal(result)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); string(text) != "one\ntwo\n" {
		t.Fatal(string(text), err)
	}
}

func TestSaysWhyItCannotStart(t *testing.T) {
	c := busbartest.New(t, component, busbartest.Options{Config: `{"path":"/no-such-folder/a.log"}`})
	if err := c.Start(); err == nil {
		t.Fatal("it started")
	}
}
