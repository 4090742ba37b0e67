package main

import (
	"slices"
	"strconv"
	"strings"

	"busbar"
)

type config struct {
	MinLength     int  `json:"min_length"`
	CaseSensitive bool `json:"case_sensitive"`
}

// word is how often a word was seen.
type word struct {
	text    string
	count   uint64
	emitted bool // at least once
	changed bool // since it was emitted
}

type counter struct {
	config  config
	words   map[string]*word
	changed []*word // in no order
	scratch []byte
}

func newCounter(_ *busbar.Context, config config) (*counter, error) {
	config.MinLength = max(config.MinLength, 1)
	return &counter{config: config, words: map[string]*word{}}, nil
}

// Process counts, and leaves emitting to Tick.
func (c *counter) Process(batch *busbar.Batch, _ []*busbar.Output) error {
	for _, record := range batch.Records() {
		c.countWords(record.Payload())
	}
	return nil
}

// Tick emits the words whose count has changed, in order. What does not fit waits for the next call.
func (c *counter) Tick(tick busbar.Tick, out []*busbar.Output) error {
	slices.SortFunc(c.changed, func(a, b *word) int { return strings.Compare(a.text, b.text) })
	for i, word := range c.changed {
		if !c.emit(word, tick.Now, out[0]) {
			c.changed = c.changed[i:]
			return busbar.ErrMore
		}
	}
	c.changed = nil
	return nil
}

func (c *counter) emit(word *word, now int64, out *busbar.Output) bool {
	c.scratch = append(c.scratch[:0], word.text...)
	key := len(c.scratch)
	c.scratch = append(c.scratch, `{"count":`...)
	c.scratch = strconv.AppendUint(c.scratch, word.count, 10)
	c.scratch = append(c.scratch, '}')
	event := busbar.Event{
		Key:         c.scratch[:key],
		Payload:     c.scratch[key:],
		Timestamp:   now,
		Operation:   busbar.Insert,
		ContentType: busbar.JSON,
	}
	if word.emitted {
		event.Operation = busbar.Update
	}
	if !out.Append(&event) {
		return false
	}
	word.emitted, word.changed = true, false
	return true
}

func (c *counter) countWords(text []byte) {
	for at := 0; at < len(text); {
		if !inWord[text[at]] {
			at++
			continue
		}
		start := at
		for at < len(text) && inWord[text[at]] {
			at++
		}
		if at-start >= c.config.MinLength {
			c.countWord(text[start:at])
		}
	}
}

func (c *counter) countWord(text []byte) {
	if !c.config.CaseSensitive {
		c.scratch = appendLower(c.scratch[:0], text)
		text = c.scratch
	}
	known := c.words[string(text)]
	if known == nil {
		known = &word{text: string(text)}
		c.words[known.text] = known
	}
	known.count++
	if !known.changed {
		known.changed = true
		c.changed = append(c.changed, known)
	}
}

// inWord says which bytes words are made of.
var inWord = func() (table [256]bool) {
	for b := range table {
		table[b] = b >= 0x80 || b == '\'' || '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
	}
	return table
}()

func appendLower(to, text []byte) []byte {
	for _, b := range text {
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		to = append(to, b)
	}
	return to
}
