#include "text.h"

#include <stdio.h>
#include <time.h>

/* Length of the character that begins here, or 0 when it is none. */
static size_t character(const uint8_t *at, size_t left) {
  uint32_t code, least;
  size_t length, i;
  if (at[0] < 0x80) return 1;
  if (at[0] < 0xc2 || at[0] > 0xf4) return 0;
  length = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
  least = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
  if (length > left) return 0;
  code = at[0] & (0x7fu >> length);
  for (i = 1; i < length; i++) {
    if ((at[i] & 0xc0) != 0x80) return 0;
    code = code << 6 | (at[i] & 0x3f);
  }
  return code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : length;
}

int text_is_utf8(const uint8_t *bytes, size_t length) {
  size_t at = 0, step;
  for (; at < length; at += step) {
    step = character(bytes + at, length - at);
    if (step == 0) return 0;
  }
  return 1;
}

size_t text_cut(const uint8_t *bytes, size_t length, size_t limit) {
  size_t end = limit;
  if (length <= limit) return length;
  while (end > 0 && limit - end < 4 && (bytes[end] & 0xc0) == 0x80) end--;
  return end;
}

void text_base64(const uint8_t *bytes, size_t length, char *out) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  size_t at;
  for (at = 0; at < length; at += 3, out += 4) {
    size_t left = length - at;
    uint32_t three = (uint32_t)bytes[at] << 16;
    if (left > 1) three |= (uint32_t)bytes[at + 1] << 8;
    if (left > 2) three |= bytes[at + 2];
    out[0] = digits[three >> 18];
    out[1] = digits[three >> 12 & 63];
    out[2] = left > 1 ? digits[three >> 6 & 63] : '=';
    out[3] = left > 2 ? digits[three & 63] : '=';
  }
}

void text_time(int64_t nanoseconds, char out[TIME_CAPACITY]) {
  int64_t part = nanoseconds % 1000000000;
  time_t seconds;
  struct tm utc;
  size_t length;
  if (part < 0) part += 1000000000;
  seconds = (time_t)((nanoseconds - part) / 1000000000);
  gmtime_r(&seconds, &utc);
  length = strftime(out, TIME_CAPACITY, "%Y-%m-%dT%H:%M:%S", &utc);
  snprintf(out + length, TIME_CAPACITY - length, ".%09dZ", (int)part);
}
