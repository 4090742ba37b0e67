package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/leodido/go-syslog/v4"
	"github.com/leodido/go-syslog/v4/rfc3164"
	"github.com/leodido/go-syslog/v4/rfc5424"
)

// parsed is the payload of a message that was understood.
type parsed struct {
	Facility       uint8                        `json:"facility"`
	Severity       uint8                        `json:"severity"`
	Timestamp      *string                      `json:"timestamp"`
	Host           *string                      `json:"host"`
	App            *string                      `json:"app"`
	ProcID         *string                      `json:"procid"`
	MsgID          *string                      `json:"msgid"`
	StructuredData map[string]map[string]string `json:"structured_data,omitempty"`
	Message        string                       `json:"message"`
}

// parser is used by one goroutine.
type parser struct {
	format  string
	zone    *time.Location
	rfc5424 syslog.Machine
	rfc3164 syslog.Machine
}

func newParser(s *settings) *parser {
	return &parser{
		format:  s.Format,
		zone:    s.zone,
		rfc5424: rfc5424.NewMachine(),
		rfc3164: rfc3164.NewMachine(rfc3164.WithRFC3339(), rfc3164.WithSecondFractions(), rfc3164.WithTimezone(time.UTC),
			rfc3164.WithLenientDay(), rfc3164.WithEmbeddedNewlines()),
	}
}

var (
	errEncoding = errors.New("not UTF-8")
	errUnknown  = errors.New("not understood")
)

// parse gives a message as JSON and when it was sent, 0 where it does not say. Control characters may stand in the text.
func (p *parser) parse(raw []byte, received time.Time) (payload []byte, timestamp int64, err error) {
	if !utf8.Valid(raw) {
		return nil, 0, errEncoding
	}
	var m parsed
	var sent *time.Time
	if p.format == "rfc5424" || p.format == "auto" && hasVersion(raw) {
		m, sent, err = p.parse5424(raw)
	} else {
		m, sent, err = p.parse3164(raw, received)
	}
	if err != nil {
		return nil, 0, err
	}
	if sent != nil {
		text := sent.Format(time.RFC3339Nano)
		m.Timestamp, timestamp = &text, sent.UnixNano()
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(m); err != nil {
		return nil, 0, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), timestamp, nil
}

// hasVersion says whether a version and a space follow the priority, as in RFC 5424.
func hasVersion(raw []byte) bool {
	end := bytes.IndexByte(raw[:min(len(raw), 5)], '>')
	if end < 0 {
		return false
	}
	rest := raw[end+1:]
	digits := 0
	for digits < len(rest) && digits < 3 && '0' <= rest[digits] && rest[digits] <= '9' {
		digits++
	}
	return digits > 0 && digits < len(rest) && rest[digits] == ' '
}

func (p *parser) parse5424(raw []byte) (parsed, *time.Time, error) {
	result, err := p.rfc5424.Parse(raw)
	m, ok := result.(*rfc5424.SyslogMessage)
	if err != nil || !ok || m == nil || m.Facility == nil {
		return parsed{}, nil, reason(err)
	}
	out := common(&m.Base)
	if m.StructuredData != nil {
		out.StructuredData = *m.StructuredData
	}
	if m.Message != nil {
		out.Message = string(bytes.TrimPrefix([]byte(*m.Message), []byte("\ufeff")))
	}
	return out, m.Timestamp, nil
}

func (p *parser) parse3164(raw []byte, received time.Time) (parsed, *time.Time, error) {
	// The library takes no control characters, such as the tabs of a stack trace: it gets spaces instead, and the text is taken
	// from where it found it, at the end.
	printable := bytes.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, raw)
	result, err := p.rfc3164.Parse(printable)
	m, ok := result.(*rfc3164.SyslogMessage)
	if err != nil || !ok || m == nil || m.Facility == nil {
		return parsed{}, nil, reason(err)
	}
	out := common(&m.Base)
	if m.Message != nil {
		out.Message = string(raw[len(raw)-len(*m.Message):])
	}
	if m.Timestamp == nil {
		return out, nil, nil
	}
	sent := *m.Timestamp
	if sent.Year() == 0 {
		if sent, ok = inYear(sent, received.In(p.zone)); !ok {
			return parsed{}, nil, fmt.Errorf("there is no %s in any year around %d", m.Timestamp.Format("2 January"), received.Year())
		}
	}
	return out, &sent, nil
}

// inYear puts a time without year into the one in which it is nearest to `now`, in its zone.
func inYear(t, now time.Time) (nearest time.Time, ok bool) {
	best := time.Duration(1<<63 - 1)
	for year := now.Year() - 1; year <= now.Year()+1; year++ {
		candidate := time.Date(year, t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), now.Location())
		if candidate.Day() != t.Day() { // 29 February
			continue
		}
		if distance := candidate.Sub(now).Abs(); distance < best {
			nearest, best, ok = candidate, distance, true
		}
	}
	return nearest, ok
}

func common(m *syslog.Base) parsed {
	return parsed{
		Facility: *m.Facility, Severity: *m.Severity, Host: m.Hostname, App: m.Appname, ProcID: m.ProcID, MsgID: m.MsgID,
	}
}

func reason(err error) error {
	if err == nil {
		return errUnknown
	}
	return err
}
