// Plugin {{name}}: a processor that turns ASCII letters of payloads into capitals.
package main

import "busbar"

type settings struct {
	SkipEmpty bool `json:"skip_empty"`
}

type upper struct {
	settings settings
	payload  []byte // of the record at hand; kept for its memory
}

func newUpper(_ *busbar.Context, settings settings) (*upper, error) {
	return &upper{settings: settings}, nil
}

// Process changes a copy of each payload: what is read belongs to others as well.
func (u *upper) Process(batch *busbar.Batch, out []*busbar.Output) error {
	for _, record := range batch.Records() {
		if u.settings.SkipEmpty && len(record.Payload()) == 0 {
			continue
		}
		u.payload = append(u.payload[:0], record.Payload()...)
		for i, c := range u.payload {
			if c >= 'a' && c <= 'z' {
				u.payload[i] = c - 'a' + 'A'
			}
		}
		event := record.Event()
		event.Payload = u.payload
		if !out[0].Derive(record, &event) {
			return busbar.ErrMore
		}
	}
	return nil
}

func init() {
	busbar.Export(busbar.NewProcessor("upper", newUpper))
}

func main() {}
