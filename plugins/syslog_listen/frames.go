package main

import (
	"bufio"
	"bytes"
	"io"
	"strconv"
)

// frame is one message of a stream.
type frame struct {
	data      []byte // valid until the next one is read
	truncated bool   // it was longer than the limit
	fault     string // why it cannot be a whole message; empty: it is one
}

// frames cuts a stream into messages, RFC 6587.
type frames struct {
	reader  *bufio.Reader
	framing string
	buffer  []byte
	limit   int
	ended   error // of the stream, found with the last message
}

func newFrames(stream io.Reader, framing string, limit int) *frames {
	return &frames{reader: bufio.NewReaderSize(stream, 32<<10), framing: framing, limit: limit}
}

// longest is how many digits an octet count has at most.
const longest = 9

// next gives the next message; an error only where there is none. Empty lines are passed over.
func (f *frames) next() (frame, error) {
	for f.ended == nil {
		length, counted, err := f.count()
		if err != nil {
			return frame{}, err
		}
		if counted {
			return f.counted(length)
		}
		line, err := f.line()
		if len(line.data) > 0 || err != nil {
			return line, err
		}
	}
	return frame{}, f.ended
}

// count reads an octet count, if the next frame has one. In "auto" that takes a "<" behind it, so that a line may begin with a
// number.
func (f *frames) count() (length int, counted bool, err error) {
	if f.framing == "newline" {
		return 0, false, nil
	}
	for digits := 0; digits <= longest; digits++ {
		head, err := f.reader.Peek(digits + 1)
		if err != nil {
			if digits == 0 {
				return 0, false, err
			}
			return 0, false, nil
		}
		switch b := head[digits]; {
		case '0' <= b && b <= '9' && (digits > 0 || b != '0'):
			continue
		case b != ' ' || digits == 0:
			return 0, false, nil
		}
		if f.framing == "auto" {
			if head, err = f.reader.Peek(digits + 2); err != nil || head[digits+1] != '<' {
				return 0, false, nil
			}
		}
		length, err = strconv.Atoi(string(head[:digits]))
		f.reader.Discard(digits + 1)
		return length, true, err
	}
	return 0, false, nil
}

func (f *frames) counted(length int) (frame, error) {
	keep := min(length, f.limit)
	if cap(f.buffer) < keep {
		f.buffer = make([]byte, keep)
	}
	n, err := io.ReadFull(f.reader, f.buffer[:keep])
	out := frame{data: f.buffer[:n], truncated: length > f.limit}
	if err == nil && length > keep {
		_, err = f.reader.Discard(length - keep)
	}
	if err != nil {
		out.fault, f.ended = "the connection ended within the message", err
	}
	return out, nil
}

func (f *frames) line() (frame, error) {
	out := frame{}
	f.buffer = f.buffer[:0]
	for {
		part, err := f.reader.ReadSlice('\n')
		if keep := min(len(part), f.limit+2-len(f.buffer)); keep > 0 { // with the line's end
			f.buffer = append(f.buffer, part[:keep]...)
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		out.data = trimEnd(f.buffer)
		if len(out.data) > f.limit {
			out.data, out.truncated = out.data[:f.limit], true
		}
		if f.framing == "octet-counting" && len(out.data) > 0 {
			out.fault = "an octet count is missing"
		}
		if len(out.data) > 0 {
			f.ended, err = err, nil
		}
		return out, err
	}
}

// trimEnd takes the end of a line off: LF, CR LF, or NUL, which some devices send.
func trimEnd(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	return bytes.TrimRight(line, "\x00")
}
