// Plugin {{name}}: a hook that lets only requests with the right token pass.
package main

import (
	"crypto/subtle"
	"errors"
	"fmt"

	"busbar"
)

type settings struct {
	Token string `json:"token"`
}

type guard struct {
	token []byte
}

func newGuard(_ *busbar.Context, settings settings) (*guard, error) {
	if settings.Token == "" {
		return nil, errors.New("token is missing")
	}
	return &guard{token: []byte(settings.Token)}, nil
}

func (g *guard) BeforeRequest(call *busbar.Call) error {
	if subtle.ConstantTimeCompare([]byte(call.Header("x-token")), g.token) == 1 {
		return nil
	}
	call.SetStatus(401)
	fmt.Fprintln(call, "the header x-token is missing or wrong")
	return busbar.ErrDone
}

func init() {
	busbar.Export(busbar.NewHook("guard", newGuard))
}

func main() {}
