// Plugin {{name}}: a source that gives numbered greetings.
package main

import (
	"encoding/binary"
	"fmt"

	"busbar"
)

type settings struct {
	Count uint64 `json:"count"`
	Text  string `json:"text"`
}

type greeter struct {
	context  *busbar.Context
	settings settings
	next     uint64 // how many were given; it is also the position
}

// newGreeter takes nothing exclusive.
func newGreeter(context *busbar.Context, settings settings) (*greeter, error) {
	return &greeter{context: context, settings: settings}, nil
}

// Start goes on after the position; without one, from the beginning.
func (g *greeter) Start() error {
	g.next = 0
	position := g.context.Position()
	if len(position) == 0 {
		return nil
	}
	if len(position) != 8 {
		return fmt.Errorf("cannot resume: the position has %d bytes, not 8", len(position))
	}
	g.next = binary.LittleEndian.Uint64(position)
	return nil
}

// Poll fills the output as far as it goes.
func (g *greeter) Poll(out *busbar.Output) error {
	for ; g.next < g.settings.Count; g.next++ {
		line := fmt.Appendf(nil, "%s %d", g.settings.Text, g.next+1)
		if !out.Append(&busbar.Event{Payload: line, ContentType: busbar.Text}) {
			break
		}
	}
	out.SetPosition(binary.LittleEndian.AppendUint64(nil, g.next))
	if g.next < g.settings.Count {
		return nil
	}
	return busbar.ErrDone
}

func init() {
	busbar.Export(busbar.NewSource("greet", newGreeter))
}

func main() {}
