package main

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"busbar"
)

// listener is the source. Goroutines read the sockets, parse, and fill the queue, which Poll empties.
type listener struct {
	context  *busbar.Context
	settings *settings
	logger   *slog.Logger
	queue    *queue
	given    uint64 // messages in all, which is the position

	mu          sync.Mutex
	sockets     []closer
	connections map[net.Conn]struct{}
	stopping    bool
	running     sync.WaitGroup

	received, malformed, truncated, dropped, refused atomic.Uint64
	counters                                         []counter
	open                                             busbar.Gauge
}

type closer interface{ Close() error }

// counter reports to the host what goroutines have counted, once for each Poll.
type counter struct {
	count *atomic.Uint64
	to    busbar.Counter
}

func newListener(context *busbar.Context, config config) (*listener, error) {
	settings, err := readSettings(config)
	if err != nil {
		return nil, err
	}
	l := &listener{
		context: context, settings: settings, logger: context.Logger(), connections: map[net.Conn]struct{}{},
		queue: newQueue(int(settings.Queue), context.Wake),
		open:  context.Gauge("connections_open"),
	}
	l.counters = []counter{
		{&l.received, context.Counter("messages_received_total")},
		{&l.malformed, context.Counter("messages_malformed_total")},
		{&l.truncated, context.Counter("messages_truncated_total")},
		{&l.dropped, context.Counter("messages_dropped_total")},
		{&l.refused, context.Counter("peers_refused_total")},
	}
	return l, nil
}

// Start opens all sockets, or none.
func (l *listener) Start() error {
	switch position := l.context.Position(); len(position) {
	case 0:
	case 8:
		l.given = binary.LittleEndian.Uint64(position)
	default:
		return fmt.Errorf("Cannot resume: the position has %d bytes, not 8", len(position))
	}
	l.stopping = false
	l.queue.open()
	if err := l.listen(); err != nil {
		l.Stop()
		return err
	}
	return nil
}

func (l *listener) listen() error {
	for _, address := range l.settings.UDP {
		socket, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address)))
		if err != nil {
			return fmt.Errorf("Cannot listen on udp %q: %w", address, err)
		}
		l.sockets = append(l.sockets, socket)
		if size := int(l.settings.ReceiveBuffer); size > 0 {
			if err := socket.SetReadBuffer(size); err != nil {
				l.logger.Warn("Cannot set the receive buffer", "bytes", size, "error", err)
			}
		}
		l.logger.Info("listening", "transport", "udp", "address", socket.LocalAddr().String())
		l.run(func() { l.readDatagrams(socket) })
	}
	for _, address := range l.settings.TCP {
		socket, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address)))
		if err != nil {
			return fmt.Errorf("Cannot listen on tcp %q: %w", address, err)
		}
		l.sockets = append(l.sockets, socket)
		l.logger.Info("listening", "transport", "tcp", "address", socket.Addr().String())
		l.run(func() { l.accept(socket) })
	}
	return nil
}

// Stop closes everything and waits for the goroutines. What they have read stays for a start that may follow.
func (l *listener) Stop() error {
	l.mu.Lock()
	l.stopping = true
	for _, socket := range l.sockets {
		socket.Close()
	}
	l.sockets = nil
	for connection := range l.connections {
		connection.SetReadDeadline(time.Unix(1, 0))
	}
	l.mu.Unlock()
	l.queue.close()
	l.running.Wait()
	l.report()
	return nil
}

// Close says what is lost: nobody will ask for it any more.
func (l *listener) Close() error {
	if n := l.queue.length(); n > 0 {
		l.logger.Warn("messages were received but not taken before the end", "messages", n)
	}
	return nil
}

// Poll hands on what was received.
func (l *listener) Poll(out *busbar.Output) error {
	empty := l.queue.take(func(m *message) bool {
		event := busbar.Event{
			Payload: m.payload, Attributes: m.attributes, Timestamp: m.timestamp, ContentType: busbar.Text,
		}
		if m.json {
			event.ContentType = busbar.JSON
		}
		if m.malformed {
			event.Flags |= busbar.Marked
		}
		if m.truncated {
			event.Flags |= busbar.Truncated
		}
		return out.Append(&event)
	})
	l.given += uint64(out.Len())
	out.SetPosition(binary.LittleEndian.AppendUint64(nil, l.given))
	l.report()
	if empty {
		return busbar.ErrAgain
	}
	return nil
}

func (l *listener) report() {
	for _, c := range l.counters {
		if n := c.count.Swap(0); n > 0 {
			c.to.Add(n)
		}
	}
}

// run runs a goroutine that Stop waits for.
func (l *listener) run(body func()) {
	l.running.Add(1)
	l.context.Go(func() {
		defer l.running.Done()
		body()
	})
}

// origin is where a message came from.
type origin struct {
	transport string
	peer      string
}

// message makes one of what was received; nothing is left out, also what is not understood.
func (l *listener) message(p *parser, f frame, from origin) message {
	now := time.Now()
	l.received.Add(1)
	m := message{timestamp: now.UnixNano(), truncated: f.truncated}
	fault := f.fault
	if l.settings.Output == "parsed" && fault == "" {
		payload, sent, err := p.parse(f.data, now)
		if err == nil {
			m.payload, m.json = payload, true
			if sent != 0 {
				m.timestamp = sent
			}
		} else {
			fault = err.Error()
		}
	}
	if m.payload == nil {
		m.payload = append([]byte{}, f.data...)
	}
	if fault != "" {
		m.malformed = true
		m.attributes = busbar.AppendAttribute(m.attributes, "syslog_error", fault)
		l.malformed.Add(1)
	}
	if f.truncated {
		l.truncated.Add(1)
	}
	if l.settings.Attributes {
		m.attributes = busbar.AppendAttribute(m.attributes, "transport", from.transport)
		m.attributes = busbar.AppendAttribute(m.attributes, "peer", from.peer)
	}
	return m
}
