// Plugin {{name}}: a bootstrap that gives numbered elements.
package main

import (
	"fmt"

	"busbar"
)

type settings struct {
	Count int `json:"count"`
}

type elements struct {
	count int
	next  int
}

func newElements(_ *busbar.Context, settings settings) (*elements, error) {
	return &elements{count: settings.Count}, nil
}

func (e *elements) Start() error {
	e.next = 0
	return nil
}

func (e *elements) Fetch(out *busbar.Output) error {
	for ; e.next < e.count; e.next++ {
		element := busbar.Event{
			Key:         fmt.Appendf(nil, "element-%d", e.next+1),
			Payload:     fmt.Appendf(nil, `{"number":%d}`, e.next+1),
			Operation:   busbar.Insert,
			ContentType: busbar.JSON,
			Flags:       busbar.FromBootstrap,
		}
		if !out.Append(&element) {
			return nil
		}
	}
	return busbar.ErrDone
}

func init() {
	busbar.Export(busbar.NewBootstrap("elements", newElements))
}

func main() {}
