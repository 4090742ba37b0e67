package layout

import (
	"reflect"
	"testing"

	"busbar/internal/abi"
)

func TestGoAndCAgree(t *testing.T) {
	mirrors := map[string]any{
		"record":       abi.Record{},
		"bytes":        abi.Bytes{},
		"string":       abi.Bytes{},
		"batch":        abi.Batch{},
		"acknowledged": abi.Acknowledged{},
		"context":      abi.Context{},
		"state":        abi.State{},
		"health":       abi.Health{},
		"header":       abi.Header{},
		"call":         abi.Call{},
	}
	structs := Structs()
	if len(structs) != len(mirrors) {
		t.Errorf("%d structs in C, %d in Go", len(structs), len(mirrors))
	}
	for _, s := range structs {
		mirror, ok := mirrors[s.Name]
		if !ok {
			t.Errorf("%s is not mirrored", s.Name)
			continue
		}
		typ := reflect.TypeOf(mirror)
		if int(typ.Size()) != s.Size {
			t.Errorf("%s: %d bytes in C, %d in Go", s.Name, s.Size, typ.Size())
		}
		var offsets []int
		for i := range typ.NumField() {
			if typ.Field(i).Name != "_" {
				offsets = append(offsets, int(typ.Field(i).Offset))
			}
		}
		if !reflect.DeepEqual(offsets, s.Offsets) {
			t.Errorf("%s: members at %v in C, at %v in Go", s.Name, s.Offsets, offsets)
		}
	}
}
