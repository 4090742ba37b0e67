// Command word_count is the processor word-count-go/count: how often each word occurs in the payloads of its input.
package main

import "busbar"

func init() {
	busbar.Export(busbar.NewProcessor("count", newCounter))
}

func main() {}
