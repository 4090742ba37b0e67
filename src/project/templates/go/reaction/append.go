// Plugin {{name}}: a reaction that appends each payload to a file, as a line.
package main

import (
	"bufio"
	"errors"
	"os"

	"busbar"
)

type settings struct {
	Path string `json:"path"`
}

type appender struct {
	path   string
	file   *os.File
	writer *bufio.Writer
}

func newAppender(_ *busbar.Context, settings settings) (*appender, error) {
	if settings.Path == "" {
		return nil, errors.New("path is missing")
	}
	return &appender{path: settings.Path}, nil
}

func (a *appender) Start() error {
	file, err := os.OpenFile(a.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	a.file, a.writer = file, bufio.NewWriter(file)
	return nil
}

func (a *appender) Stop() error {
	return errors.Join(a.writer.Flush(), a.file.Close())
}

// Write takes records that may come again after a crash, until Flush has returned.
func (a *appender) Write(batch *busbar.Batch) error {
	for _, record := range batch.Records() {
		a.writer.Write(record.Payload())
		if err := a.writer.WriteByte('\n'); err != nil {
			a.writer.Reset(a.file)
			return err
		}
	}
	return nil
}

func (a *appender) Flush() error {
	if err := a.writer.Flush(); err != nil {
		a.writer.Reset(a.file)
		return err
	}
	return a.file.Sync()
}

func init() {
	busbar.Export(busbar.NewReaction("append", newAppender))
}

func main() {}
