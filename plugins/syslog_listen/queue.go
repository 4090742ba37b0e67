package main

import "sync"

// message is one event on its way from a socket to Poll.
type message struct {
	payload    []byte
	attributes []byte
	timestamp  int64
	json       bool
	truncated  bool
	malformed  bool
}

func (m *message) size() int { return len(m.payload) + len(m.attributes) + 64 }

// queue holds messages until Poll takes them. A message that is larger than the whole queue is let in when it is empty.
type queue struct {
	limit int
	wake  func() // asks for a Poll, once after each that found nothing more

	mu       sync.Mutex
	room     *sync.Cond
	messages []message
	bytes    int
	waiting  bool
	closed   bool
}

func newQueue(limit int, wake func()) *queue {
	q := &queue{limit: limit, wake: wake, waiting: true}
	q.room = sync.NewCond(&q.mu)
	return q
}

// put waits for room. False: the queue was closed before there was any.
func (q *queue) put(m message) bool {
	q.mu.Lock()
	for q.full(&m) && !q.closed {
		q.room.Wait()
	}
	return q.add(m)
}

// offer does not wait. False: there is no room.
func (q *queue) offer(m message) bool {
	q.mu.Lock()
	return q.add(m)
}

func (q *queue) full(m *message) bool { return q.bytes > 0 && q.bytes+m.size() > q.limit }

// add is entered with the lock, and gives it back.
func (q *queue) add(m message) bool {
	if q.full(&m) {
		q.mu.Unlock()
		return false
	}
	q.messages = append(q.messages, m)
	q.bytes += m.size()
	wake := q.waiting
	q.waiting = false
	q.mu.Unlock()
	if wake {
		q.wake()
	}
	return true
}

// take gives messages to `each` until it wants no more; that one stays. True: none is left.
func (q *queue) take(each func(*message) bool) bool {
	q.mu.Lock()
	messages := q.messages
	q.messages = nil
	q.mu.Unlock()

	taken, bytes := 0, 0
	for taken < len(messages) && each(&messages[taken]) {
		bytes += messages[taken].size()
		taken++
	}

	q.mu.Lock()
	defer q.mu.Unlock()
	q.messages = append(messages[taken:], q.messages...)
	q.bytes -= bytes
	q.room.Broadcast()
	q.waiting = len(q.messages) == 0
	return q.waiting
}

// open lets put wait again.
func (q *queue) open() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = false
}

// close ends every put that waits.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.room.Broadcast()
}

func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.messages)
}
