package main

import (
	"reflect"
	"testing"

	"busbar"
	"busbar/busbartest"
)

func TestCopiesRecords(t *testing.T) {
	records := []busbartest.Record{
		{Payload: "first", Sequence: 7, Source: 2, Timestamp: 5, ContentType: busbar.Text, Flags: busbar.Marked},
		{Key: "key", Operation: busbar.Delete, Sequence: 8, Attributes: map[string]string{"name": "value"}},
	}
	c := busbartest.New(t, busbar.NewProcessor("pass", newPass), busbartest.Options{ArenaSize: 80, Limit: 1})
	result := c.Process(records...)
	if result.Status != busbartest.OK || result.Calls < 2 || !reflect.DeepEqual(result.Records, records) {
		t.Errorf("%+v", result)
	}
}
