package main

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"busbar"
	"busbar/busbartest"
)

func open(t *testing.T, config map[string]any) (*busbartest.Component, map[string]string) {
	t.Helper()
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	c := busbartest.New(t, busbar.NewSource("listen", newListener), busbartest.Options{Config: string(text), ArenaSize: 4096, Limit: 50})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	addresses := map[string]string{}
	for _, log := range c.Logs() {
		if log.Message == "listening" {
			addresses[log.Fields["transport"]] = log.Fields["address"]
		}
	}
	return c, addresses
}

// receive polls until there are `count` events.
func receive(t *testing.T, c *busbartest.Component, count int) (records []busbartest.Record) {
	t.Helper()
	c.Wait(fmt.Sprintf("%d events", count), func() bool {
		result := c.Poll()
		if result.Status < 0 {
			t.Fatal(result.Message)
		}
		records = append(records, result.Records...)
		return len(records) >= count
	})
	if len(records) != count {
		t.Fatalf("%d events, not %d", len(records), count)
	}
	return records
}

func send(t *testing.T, transport, address, data string) {
	t.Helper()
	connection, err := net.Dial(transport, address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err := connection.Write([]byte(data)); err != nil {
		t.Fatal(err)
	}
}

func TestUDPAndTCPAtOnce(t *testing.T) {
	c, at := open(t, map[string]any{"udp": []string{"127.0.0.1:0"}, "tcp": []string{"127.0.0.1:0"}, "attributes": true})
	send(t, "udp", at["udp"], "<34>1 2026-01-02T03:04:05.5Z h su 7 ID47 [a@1 b=\"c\"] 'su' failed\n")
	udp := receive(t, c, 1)[0]
	want := `{"facility":4,"severity":2,"timestamp":"2026-01-02T03:04:05.5Z","host":"h","app":"su","procid":"7","msgid":"ID47",` +
		`"structured_data":{"a@1":{"b":"c"}},"message":"'su' failed"}`
	if udp.Payload != want || udp.ContentType != busbar.JSON || udp.Flags != 0 {
		t.Errorf("%+v, not %s", udp, want)
	}
	if sent := time.Date(2026, 1, 2, 3, 4, 5, 5e8, time.UTC).UnixNano(); udp.Timestamp != sent {
		t.Errorf("timestamp %d, not %d", udp.Timestamp, sent)
	}
	if udp.Attributes["transport"] != "udp" || !strings.HasPrefix(udp.Attributes["peer"], "127.0.0.1:") {
		t.Errorf("attributes %v", udp.Attributes)
	}

	send(t, "tcp", at["tcp"], "17 <13>1 - - - - - -<13>1 - - - - - - a\n21 <13>1 - - - - - - b\nc<13>1 - - - - - - d")
	var messages []string
	for _, r := range receive(t, c, 4) {
		var m parsed
		if err := json.Unmarshal([]byte(r.Payload), &m); err != nil {
			t.Errorf("%s: %v", r.Payload, err)
		}
		messages = append(messages, m.Message)
	}
	if fmt.Sprintf("%q", messages) != `["" "a" "b\nc" "d"]` {
		t.Errorf("messages %q", messages)
	}
	c.Wait("the connection to be closed", func() bool { return c.Metric("connections_open") == 0 })
	if c.Metric("messages_received_total") != 5 {
		t.Errorf("received %v", c.Metric("messages_received_total"))
	}
}

func TestMalformedIsPassedOn(t *testing.T) {
	c, at := open(t, map[string]any{"udp": []string{"127.0.0.1:0"}, "tcp": []string{"127.0.0.1:0"}, "max_message": 64})
	send(t, "udp", at["udp"], "no syslog \xff")
	r := receive(t, c, 1)[0]
	if r.Payload != "no syslog \xff" || r.Flags != busbar.Marked || r.Attributes["syslog_error"] != "not UTF-8" {
		t.Errorf("%+v", r)
	}
	send(t, "tcp", at["tcp"], "500 <13>1 - - - - - - cut")
	r = receive(t, c, 1)[0]
	if r.Payload != "<13>1 - - - - - - cut" || r.Attributes["syslog_error"] != "the connection ended within the message" {
		t.Errorf("%+v", r)
	}
	long := "<13>1 - - - - - - " + strings.Repeat("x", 100)
	for _, data := range []string{long + "\n", fmt.Sprintf("%d %s", len(long), long)} {
		send(t, "tcp", at["tcp"], data+"<13>1 - - - - - - y\n")
		records := receive(t, c, 2)
		if records[0].Flags != busbar.Truncated || !strings.Contains(records[0].Payload, strings.Repeat("x", 64-18)+`"`) {
			t.Errorf("%+v", records[0])
		}
		if !strings.Contains(records[1].Payload, `"message":"y"`) {
			t.Errorf("%+v", records[1])
		}
	}
	if c.Metric("messages_malformed_total") != 2 {
		t.Errorf("malformed %v", c.Metric("messages_malformed_total"))
	}
}

func TestTCPWaitsWhenFull(t *testing.T) {
	c, at := open(t, map[string]any{"tcp": []string{"127.0.0.1:0"}, "queue": 2000, "output": "raw"})
	const count = 5000
	go func() {
		var all strings.Builder
		for i := range count {
			fmt.Fprintf(&all, "<13>1 - - - - - - message %d\n", i)
		}
		connection, err := net.Dial("tcp", at["tcp"])
		if err == nil {
			defer connection.Close()
			connection.Write([]byte(all.String()))
		}
	}()
	for i, r := range receive(t, c, count) {
		if want := fmt.Sprintf("<13>1 - - - - - - message %d", i); r.Payload != want {
			t.Fatalf("%q, not %q", r.Payload, want)
		}
	}
	if c.Metric("messages_dropped_total") != 0 {
		t.Error("messages were dropped")
	}
}

func TestUDPDropsAndCountsWhenFull(t *testing.T) {
	c, at := open(t, map[string]any{"udp": []string{"127.0.0.1:0"}, "queue": 300, "output": "raw"})
	connection, err := net.Dial("udp", at["udp"])
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	// One at a time until the first is dropped, so that the system drops none.
	l := 0
	c.Wait("a full queue", func() bool {
		connection.Write([]byte("<13>1 - - - - - - flood"))
		l++
		return l > 20
	})
	c.Wait("drops", func() bool {
		c.Poll()
		return c.Metric("messages_dropped_total") > 0 && c.Metric("messages_received_total") == float64(l)
	})
}

func TestLimitsWhoMayConnect(t *testing.T) {
	c, at := open(t, map[string]any{"tcp": []string{"127.0.0.1:0"}, "udp": []string{"127.0.0.1:0"}, "allow": []string{"10.0.0.0/8", "::1"}})
	send(t, "udp", at["udp"], "<13>1 - - - - - - x")
	connection, err := net.Dial("tcp", at["tcp"])
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err := connection.Read(make([]byte, 1)); err == nil {
		t.Error("the connection was not closed")
	}
	c.Wait("both to be counted", func() bool {
		if result := c.Poll(); len(result.Records) > 0 {
			t.Fatalf("%+v", result.Records)
		}
		return c.Metric("peers_refused_total") == 2
	})

	c, at = open(t, map[string]any{"tcp": []string{"127.0.0.1:0"}, "max_connections": 1})
	first, err := net.Dial("tcp", at["tcp"])
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	c.Wait("the first connection", func() bool { return c.Metric("connections_open") == 1 })
	second, err := net.Dial("tcp", at["tcp"])
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if _, err := second.Read(make([]byte, 1)); err == nil {
		t.Error("the second connection was not closed")
	}
}

func TestSilentConnectionsAreClosed(t *testing.T) {
	c, at := open(t, map[string]any{"tcp": []string{"127.0.0.1:0"}, "idle_timeout": "20ms"})
	connection, err := net.Dial("tcp", at["tcp"])
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	connection.Write([]byte("<13>1 - - - - - - unfinished"))
	if _, err := connection.Read(make([]byte, 1)); err == nil {
		t.Error("the connection was not closed")
	}
	receive(t, c, 1)
}

func TestStopsAndStartsAgain(t *testing.T) {
	c, at := open(t, map[string]any{"tcp": []string{"127.0.0.1:0"}})
	connection, err := net.Dial("tcp", at["tcp"])
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	connection.Write([]byte("<13>1 - - - - - - kept\n<13>1 - - -"))
	c.Wait("a message", func() bool { return c.Wakes() > 0 })
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	records := receive(t, c, 2)
	if !strings.Contains(records[0].Payload, "kept") || records[1].Flags != busbar.Marked {
		t.Errorf("%+v", records)
	}
	result := c.Poll()
	c.Resume(result.Position)
	c.Stop()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
}

func TestTakesNothingBeforeStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	config := fmt.Sprintf(`{"tcp":[%q]}`, taken.Addr())
	c := busbartest.New(t, busbar.NewSource("listen", newListener), busbartest.Options{Config: config})
	if err := c.Start(); err == nil || !strings.Contains(err.Error(), "Cannot listen on tcp") {
		t.Errorf("start: %v", err)
	}
}

func TestRefusesSettings(t *testing.T) {
	for config, want := range map[string]string{
		`{}`:                                            "neither",
		`{"udp":["host:1"]}`:                            `Cannot listen on "host:1"`,
		`{"udp":["[::]:1"],"allow":["10/8"]}`:           `Cannot allow "10/8"`,
		`{"udp":["[::]:1"],"time_zone":"Mars"}`:         `"Mars"`,
		`{"udp":["[::]:1"],"max_message":"1B"}`:         "64 bytes",
		`{"udp":["[::]:1"],"idle_timeout":"soon"}`:      `"soon"`,
		`{"udp":["[::]:1"],"something_else":"unknown"}`: "something_else",
	} {
		_, err := busbartest.Create(t, busbar.NewSource("listen", newListener), busbartest.Options{Config: config})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", config, err)
		}
	}
}
