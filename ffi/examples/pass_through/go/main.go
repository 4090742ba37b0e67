// Command pass_through is the processor pass-through-go/pass: it copies every record as it is, to see what a plugin costs.
package main

import "busbar"

func init() {
	busbar.Export(busbar.NewProcessor("pass", newPass))
}

func main() {}

type pass struct{}

func newPass(_ *busbar.Context, _ struct{}) (pass, error) { return pass{}, nil }

func (pass) Process(batch *busbar.Batch, out []*busbar.Output) error {
	for _, record := range batch.Records() {
		if !out[0].Copy(record) {
			return busbar.ErrMore
		}
	}
	return nil
}
