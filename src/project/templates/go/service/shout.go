// Plugin {{name}}: a service that answers with its input in capitals.
package main

import (
	"bytes"
	"errors"

	"busbar"
)

type settings struct{}

type shouter struct{}

func newShouter(*busbar.Context, settings) (*shouter, error) {
	return &shouter{}, nil
}

func (*shouter) Execute(call *busbar.Call) error {
	if len(call.Body()) == 0 {
		return busbar.Invalid(0, errors.New("cannot shout: the input is empty"))
	}
	_, err := call.Write(bytes.ToUpper(call.Body()))
	return err
}

func init() {
	busbar.Export(busbar.NewService("shout", newShouter))
}

func main() {}
