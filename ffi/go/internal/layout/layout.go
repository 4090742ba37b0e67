// Package layout tells what the C compiler makes of busbar.h, for a test to compare with package abi.
package layout

// #cgo CFLAGS: -I${SRCDIR}/../../../include
// #include "layout.h"
import "C"

// Struct is a C struct: its size and where each member begins.
type Struct struct {
	Name    string
	Size    int
	Offsets []int
}

// Structs lists the structs that package abi mirrors, members in their order, reserved ones left out.
func Structs() []Struct {
	var structs []Struct
	for i := 0; ; i++ {
		name := C.busbar_layout_name(C.int(i))
		if name == nil {
			return structs
		}
		s := Struct{Name: C.GoString(name), Size: int(C.busbar_layout_size(C.int(i)))}
		for j := 0; ; j++ {
			offset := int(C.busbar_layout_offset(C.int(i), C.int(j)))
			if offset < 0 {
				break
			}
			s.Offsets = append(s.Offsets, offset)
		}
		structs = append(structs, s)
	}
}
