package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestParses3164(t *testing.T) {
	s, err := readSettings(config{UDP: []string{"[::]:1"}, TimeZone: "Europe/Berlin"})
	if err != nil {
		t.Fatal(err)
	}
	p := newParser(s)
	now := time.Date(2027, 1, 1, 0, 30, 0, 0, time.UTC)
	for raw, want := range map[string]string{
		"<13>Dec 31 23:59:59 host app[12]: a\tb": `"timestamp":"2026-12-31T23:59:59+01:00","host":"host","app":"app","procid":"12","msgid":null,"message":"a\tb"`,
		"<0>Jan  1 01:00:00 10.0.0.1 x: ü <&>":   `"timestamp":"2027-01-01T01:00:00+01:00","host":"10.0.0.1","app":"x","procid":null,"msgid":null,"message":"ü <&>"`,
		"<13>Jun 01 01:00:00 h t: m":             `"timestamp":"2027-06-01T01:00:00+02:00"`,
		"<191>2026-05-06T07:08:09Z h t: m":       `"facility":23,"severity":7,"timestamp":"2026-05-06T07:08:09Z"`,
	} {
		payload, timestamp, err := p.parse([]byte(raw), now)
		if err != nil || timestamp == 0 || !strings.Contains(string(payload), want) {
			t.Errorf("%q: %s, %v", raw, payload, err)
		}
	}
	for _, raw := range []string{"", "<", "<13>", "<999>Jan  1 01:00:00 h t: m", "<13>Feb 30 01:00:00 h t: m", "text"} {
		if payload, _, err := p.parse([]byte(raw), now); err == nil {
			t.Errorf("%q: %s", raw, payload)
		}
	}
}

func TestFrames(t *testing.T) {
	for _, test := range []struct{ framing, stream, want string }{
		{"auto", "3 <a>12 b\n<c>\x00\n\r\n3 <d\n", "<a>|12 b|<c>|<d\n|"},
		{"newline", "3 <a>\n\r\n12 b\n<c>\x00\nend", "3 <a>|12 b|<c>|end|"},
		{"octet-counting", "3 a\nb2 cd", "a\nb|cd|"},
		{"octet-counting", "03 <a>\n2 xy", "03 <a>!|xy|"},
		{"octet-counting", "5 ab", "ab!|"},
	} {
		got := ""
		frames := newFrames(strings.NewReader(test.stream), test.framing, 100)
		for {
			frame, err := frames.next()
			if err != nil {
				break
			}
			got += string(frame.data)
			if frame.fault != "" {
				got += "!"
			}
			got += "|"
		}
		if got != test.want {
			t.Errorf("%s: %q gives %q, not %q", test.framing, test.stream, got, test.want)
		}
	}
}

// Whatever comes, nothing of it is lost but what ends messages or counts them.
// Whatever comes, nothing of it is lost but what ends messages, counts them, or is beyond the limit.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("<13>a\n5 <13>b\n\n999999999 <x"))
	f.Add([]byte("123456789012 <13>\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, framing := range []string{"auto", "newline", "octet-counting"} {
			frames := newFrames(bytes.NewReader(data), framing, 1<<20)
			total := 0
			for {
				frame, err := frames.next()
				if err != nil {
					break
				}
				total += len(frame.data)
			}
			ends := bytes.Count(data, []byte("\n")) + bytes.Count(data, []byte("\r")) + bytes.Count(data, []byte("\x00"))
			if total > len(data) || framing == "newline" && total < len(data)-ends {
				t.Fatalf("%s: %d bytes of %d", framing, total, len(data))
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("<13>1 2026-01-02T03:04:05Z h a p m [x y=\"z\"] text")
	f.Add("<13>Jan  2 03:04:05 h a[1]: text")
	s, err := readSettings(config{UDP: []string{"[::]:1"}})
	if err != nil {
		f.Fatal(err)
	}
	p := newParser(s)
	f.Fuzz(func(t *testing.T, raw string) {
		payload, _, err := p.parse([]byte(raw), time.Unix(1e9, 0))
		if (err == nil) == (payload == nil) {
			t.Fatalf("%q: %s, %v", raw, payload, err)
		}
	})
}
