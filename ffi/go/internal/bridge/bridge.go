// Package bridge lets busbartest reach what package busbar does not show to plugins.
package bridge

import "busbar/internal/abi"

// Component is what busbar.Component is inside.
type Component interface {
	Kind() uint32
	Name() string
	Calls() abi.Calls
	Create(context *abi.Context, host abi.Host) (abi.Instance, abi.Status)
}

// Open gives the inside of a busbar.Component; set by package busbar.
var Open func(component any) Component

// View gives a busbar.Record of a record's header; set by package busbar.
var View func(record *abi.Record) any
