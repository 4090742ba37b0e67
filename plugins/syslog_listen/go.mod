module syslog-listen

go 1.24

require (
	busbar v0.1.0
	github.com/leodido/go-syslog/v4 v4.5.0
)

replace busbar => ../../ffi/go
