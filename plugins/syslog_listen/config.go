package main

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
	_ "time/tzdata" // so that time zones have names where the system knows none

	"busbar"
)

// config is the settings, see plugin.json.
type config struct {
	UDP            []string        `json:"udp"`
	TCP            []string        `json:"tcp"`
	Format         string          `json:"format"`
	Framing        string          `json:"framing"`
	Output         string          `json:"output"`
	MaxMessage     busbar.Size     `json:"max_message"`
	MaxConnections int             `json:"max_connections"`
	IdleTimeout    busbar.Duration `json:"idle_timeout"`
	Queue          busbar.Size     `json:"queue"`
	ReceiveBuffer  busbar.Size     `json:"receive_buffer"`
	TimeZone       string          `json:"time_zone"`
	Allow          []string        `json:"allow"`
	Attributes     bool            `json:"attributes"`
}

// settings is the config in a form to work with.
type settings struct {
	config
	zone  *time.Location
	allow []netip.Prefix
}

func readSettings(c config) (*settings, error) {
	s := &settings{config: withDefaults(c)}
	if len(c.UDP)+len(c.TCP) == 0 {
		return nil, errors.New(`Cannot listen: neither "udp" nor "tcp" has an address`)
	}
	for _, address := range append(append([]string(nil), c.UDP...), c.TCP...) {
		if _, err := netip.ParseAddrPort(address); err != nil {
			return nil, fmt.Errorf("Cannot listen on %q: use an address and a port, such as \"0.0.0.0:514\" or \"[::]:514\"", address)
		}
	}
	if s.MaxMessage < 64 || s.MaxMessage > 16<<20 {
		return nil, fmt.Errorf(`Cannot use "max_message" %d: use 64 bytes to 16 MiB`, s.MaxMessage)
	}
	var err error
	if s.zone, err = time.LoadLocation(zoneName(s.TimeZone)); err != nil {
		return nil, fmt.Errorf("Cannot use \"time_zone\" %q: use \"local\", \"UTC\", or a name such as \"Europe/Berlin\"", s.TimeZone)
	}
	for _, text := range s.Allow {
		prefix, err := readPrefix(text)
		if err != nil {
			return nil, fmt.Errorf("Cannot allow %q: use an address, or a network such as \"10.0.0.0/8\"", text)
		}
		s.allow = append(s.allow, prefix)
	}
	return s, nil
}

// withDefaults fills in what the host does from the schema.
func withDefaults(c config) config {
	setDefault(&c.Format, "auto")
	setDefault(&c.Framing, "auto")
	setDefault(&c.Output, "parsed")
	setDefault(&c.MaxMessage, 64<<10)
	setDefault(&c.MaxConnections, 256)
	setDefault(&c.Queue, 4<<20)
	setDefault(&c.TimeZone, "local")
	return c
}

func setDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

func zoneName(name string) string {
	if name == "local" {
		return "Local"
	}
	return name
}

func readPrefix(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		return address.Prefix(address.BitLen())
	}
	prefix, err := netip.ParsePrefix(text)
	return prefix.Masked(), err
}

// allows says whether messages from there are taken.
func (s *settings) allows(peer netip.Addr) bool {
	if len(s.allow) == 0 {
		return true
	}
	for _, prefix := range s.allow {
		if prefix.Contains(peer.Unmap()) {
			return true
		}
	}
	return false
}
