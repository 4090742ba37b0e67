package main

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"busbar"
)

// The state is the words in order, each as: length (uvarint), bytes, count (uvarint), flags (one byte).
const (
	stateVersion = 1
	flagEmitted  = 1
	flagChanged  = 2
)

var errState = errors.New("Cannot restore: this is not a state of word-count-go, version 1")

// Save gives the counts, and which of them are not emitted yet.
func (c *counter) Save() (busbar.State, error) {
	var data []byte
	for _, text := range slices.Sorted(maps.Keys(c.words)) {
		word := c.words[text]
		data = binary.AppendUvarint(data, uint64(len(text)))
		data = append(data, text...)
		data = binary.AppendUvarint(data, word.count)
		data = append(data, flags(word))
	}
	return busbar.State{Version: stateVersion, Data: data}, nil
}

// Restore takes the counts up.
func (c *counter) Restore(state busbar.State) error {
	if state.Version != stateVersion {
		return errState
	}
	words, changed := map[string]*word{}, []*word(nil)
	for rest := state.Data; len(rest) > 0; {
		var word *word
		if word, rest = readWord(rest); word == nil || words[word.text] != nil {
			return errState
		}
		words[word.text] = word
		if word.changed {
			changed = append(changed, word)
		}
	}
	c.words, c.changed = words, changed
	return nil
}

func flags(word *word) (flags byte) {
	if word.emitted {
		flags |= flagEmitted
	}
	if word.changed {
		flags |= flagChanged
	}
	return flags
}

// readWord gives the first word of a state and what follows it; nil where the bytes are none.
func readWord(data []byte) (*word, []byte) {
	length, n := binary.Uvarint(data)
	if n <= 0 || length == 0 || length > uint64(len(data)-n) {
		return nil, nil
	}
	text, data := string(data[n:n+int(length)]), data[n+int(length):]
	count, n := binary.Uvarint(data)
	if n <= 0 || count == 0 || n == len(data) {
		return nil, nil
	}
	flags := data[n]
	if flags < flagEmitted || flags > flagEmitted|flagChanged {
		return nil, nil
	}
	word := &word{text: text, count: count, emitted: flags&flagEmitted != 0, changed: flags&flagChanged != 0}
	return word, data[n+1:]
}

// Health is always good.
func (c *counter) Health() error { return nil }
