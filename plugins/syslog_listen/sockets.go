package main

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

// retry is how long to wait after an error that may pass, such as too many open files.
const retry = 100 * time.Millisecond

// readDatagrams takes what comes; where the queue is full, a message is dropped and counted.
func (l *listener) readDatagrams(socket *net.UDPConn) {
	buffer := make([]byte, 64<<10) // no datagram is longer
	p := newParser(l.settings)
	for {
		n, peer, err := socket.ReadFromUDPAddrPort(buffer)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			l.logger.Warn("Cannot read a datagram", "error", err)
			time.Sleep(retry)
			continue
		}
		if !l.settings.allows(peer.Addr()) {
			l.refused.Add(1)
			continue
		}
		f := frame{data: trimEnd(buffer[:n])}
		if limit := int(l.settings.MaxMessage); len(f.data) > limit {
			f.data, f.truncated = f.data[:limit], true
		}
		if !l.queue.offer(l.message(p, f, origin{"udp", peer.String()})) {
			l.dropped.Add(1)
		}
	}
}

func (l *listener) accept(socket *net.TCPListener) {
	for {
		connection, err := socket.AcceptTCP()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			l.logger.Warn("Cannot accept a connection", "error", err)
			time.Sleep(retry)
			continue
		}
		if !l.admit(connection) {
			l.refused.Add(1)
			connection.Close()
			continue
		}
		l.run(func() {
			defer l.leave(connection)
			l.readStream(connection)
		})
	}
}

// admit takes a connection into the list, where it may come in.
func (l *listener) admit(connection *net.TCPConn) bool {
	peer, err := netip.ParseAddrPort(connection.RemoteAddr().String())
	if err != nil || !l.settings.allows(peer.Addr()) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopping || len(l.connections) >= l.settings.MaxConnections {
		return false
	}
	l.connections[connection] = struct{}{}
	l.open.Set(float64(len(l.connections)))
	return true
}

func (l *listener) leave(connection *net.TCPConn) {
	connection.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.connections, connection)
	l.open.Set(float64(len(l.connections)))
}

// idle is a connection whose reads end after a time of silence.
type idle struct {
	*net.TCPConn
	listener *listener
}

func (i idle) Read(to []byte) (int, error) {
	if timeout := time.Duration(i.listener.settings.IdleTimeout); timeout > 0 {
		i.listener.mu.Lock()
		if !i.listener.stopping { // Stop has set a deadline of its own
			i.SetReadDeadline(time.Now().Add(timeout))
		}
		i.listener.mu.Unlock()
	}
	return i.TCPConn.Read(to)
}

// readStream reads a connection to its end. Where the queue is full it waits, and so does the sender.
func (l *listener) readStream(connection *net.TCPConn) {
	from := origin{"tcp", connection.RemoteAddr().String()}
	p := newParser(l.settings)
	stream := newFrames(idle{connection, l}, l.settings.Framing, int(l.settings.MaxMessage))
	for {
		f, err := stream.next()
		if err != nil {
			return
		}
		if !l.queue.put(l.message(p, f, from)) {
			l.dropped.Add(1)
		}
	}
}
