package busbar

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"
)

// decodeConfig reads the settings; fields that `config` does not have are an error.
func decodeConfig(text []byte, config any) error {
	if len(text) == 0 {
		text = []byte("{}")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(config); err != nil {
		return fmt.Errorf("Cannot read the settings: %w", err)
	}
	if _, err := decoder.Token(); err == nil {
		return errors.New("Cannot read the settings: something follows the JSON value")
	}
	return nil
}

// Duration is a duration in settings, written as "1.5s", with ms, s, m, h or d.
type Duration time.Duration

var durationPattern = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)$`)

var durationUnits = map[string]time.Duration{
	"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour,
}

// UnmarshalJSON reads a duration.
func (d *Duration) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("Cannot read %s as a duration: use text such as \"1.5s\"", text)
	}
	match := durationPattern.FindStringSubmatch(s)
	if match == nil {
		return fmt.Errorf("Cannot read %q as a duration: use a number with ms, s, m, h or d", s)
	}
	value, ok := scaled(match[1], int64(durationUnits[match[2]]))
	if !ok {
		return fmt.Errorf("Cannot read %q as a duration: it is too long", s)
	}
	*d = Duration(value)
	return nil
}

// Size is a number of bytes in settings, written as "64KiB", with B, kB, KB, MB, GB, KiB, MiB or GiB, or as an integer.
type Size int64

var sizePattern = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)(B|kB|KB|MB|GB|KiB|MiB|GiB)?$`)

var sizeUnits = map[string]int64{
	"": 1, "B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
}

// UnmarshalJSON reads a size.
func (s *Size) UnmarshalJSON(text []byte) error {
	written := string(text)
	if err := json.Unmarshal(text, &written); err != nil {
		written = string(text)
	}
	match := sizePattern.FindStringSubmatch(written)
	if match == nil {
		return fmt.Errorf("Cannot read %s as a size: use bytes, or text such as \"64KiB\"", text)
	}
	value, ok := scaled(match[1], sizeUnits[match[2]])
	if !ok {
		return fmt.Errorf("Cannot read %s as a size: it is too large", text)
	}
	*s = Size(value)
	return nil
}

func scaled(number string, unit int64) (int64, bool) {
	if whole, err := strconv.ParseInt(number, 10, 64); err == nil {
		return whole * unit, whole <= math.MaxInt64/unit
	}
	value, err := strconv.ParseFloat(number, 64)
	value *= float64(unit)
	return int64(value), err == nil && value < math.MaxInt64
}
