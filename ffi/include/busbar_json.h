/*
 * busbar_json.h: reads a component's config in C.                   SPDX-License-Identifier: Apache-2.0
 *
 *   busbar_json_t config = busbar_json(context->config);
 *   int64_t max_line = 1048576;
 *   busbar_json_iterator_t it = busbar_json_iterate(busbar_json_get(config, "paths"));
 *   busbar_json_size(busbar_json_get(config, "max_line"), &max_line);
 *   while (busbar_json_next(&it)) {
 *     char *path = busbar_json_text(it.value);  // free() it
 *   }
 *
 * A value is a piece of the text it came from, which must outlive it; nothing is allocated but by busbar_json_text().
 * Getters return 1 and set *out, or return 0 and leave *out as it was (so a default may stand there): for a missing value, one of
 * another type, and one that does not fit. Each lookup walks the text: meant for settings, not for events.
 * Compiled into the plugin; not part of the contract.
 */
#ifndef BUSBAR_JSON_H
#define BUSBAR_JSON_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "busbar.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BUSBAR_JSON_DEPTH 64 /* arrays and objects inside each other; deeper text is refused */

#define BUSBAR_JSON_MISSING 0
#define BUSBAR_JSON_NULL 1
#define BUSBAR_JSON_BOOL 2
#define BUSBAR_JSON_NUMBER 3
#define BUSBAR_JSON_STRING 4
#define BUSBAR_JSON_ARRAY 5
#define BUSBAR_JSON_OBJECT 6

/* One value: its text, without white space around it. Both null: missing. */
typedef struct busbar_json {
  const char *at;
  const char *end;
} busbar_json_t;

/* ---- Checking: everything below it may rely on the text being JSON ------------------------------------------------- */

static inline const char *busbar_json_space_(const char *at, const char *end) {
  while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) at++;
  return at;
}

static inline int busbar_json_hex_(const char *at, const char *end, uint32_t *out) {
  uint32_t value = 0;
  int i;
  if (end - at < 4) return 0;
  for (i = 0; i < 4; i++) {
    char c = at[i];
    uint32_t digit;
    if (c >= '0' && c <= '9') digit = (uint32_t)(c - '0');
    else if (c >= 'a' && c <= 'f') digit = (uint32_t)(c - 'a' + 10);
    else if (c >= 'A' && c <= 'F') digit = (uint32_t)(c - 'A' + 10);
    else return 0;
    value = value << 4 | digit;
  }
  *out = value;
  return 1;
}

/* All of these return the byte after what they checked, or null where it is not JSON. */
static inline const char *busbar_json_check_string_(const char *at, const char *end) {
  uint32_t unit;
  for (at++; at < end; at++) {
    if (*at == '"') return at + 1;
    if ((unsigned char)*at < 0x20) return NULL;
    if (*at != '\\') continue;
    if (++at == end) return NULL;
    if (*at == 'u') {
      if (!busbar_json_hex_(at + 1, end, &unit)) return NULL;
      at += 4;
    } else if (*at == 0 || strchr("\"\\/bfnrt", *at) == NULL) {
      return NULL;
    }
  }
  return NULL;
}

static inline const char *busbar_json_digits_(const char *at, const char *end) {
  const char *start = at;
  while (at < end && *at >= '0' && *at <= '9') at++;
  return at == start ? NULL : at;
}

static inline const char *busbar_json_check_number_(const char *at, const char *end) {
  const char *start;
  if (at < end && *at == '-') at++;
  start = at;
  at = busbar_json_digits_(at, end);
  if (at == NULL || (*start == '0' && at > start + 1)) return NULL;
  if (at < end && *at == '.') {
    at = busbar_json_digits_(at + 1, end);
    if (at == NULL) return NULL;
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    at++;
    if (at < end && (*at == '+' || *at == '-')) at++;
    at = busbar_json_digits_(at, end);
  }
  return at;
}

static inline const char *busbar_json_check_(const char *at, const char *end, int depth) {
  if (at == end) return NULL;
  if (*at == '{' || *at == '[') {
    char close = *at == '{' ? '}' : ']';
    if (depth == BUSBAR_JSON_DEPTH) return NULL;
    at = busbar_json_space_(at + 1, end);
    if (at < end && *at == close) return at + 1;
    for (;;) {
      if (close == '}') {
        if (at == end || *at != '"') return NULL;
        at = busbar_json_check_string_(at, end);
        if (at == NULL) return NULL;
        at = busbar_json_space_(at, end);
        if (at == end || *at != ':') return NULL;
        at = busbar_json_space_(at + 1, end);
      }
      at = busbar_json_check_(at, end, depth + 1);
      if (at == NULL) return NULL;
      at = busbar_json_space_(at, end);
      if (at == end) return NULL;
      if (*at == close) return at + 1;
      if (*at != ',') return NULL;
      at = busbar_json_space_(at + 1, end);
    }
  }
  if (*at == '"') return busbar_json_check_string_(at, end);
  if (end - at >= 4 && memcmp(at, "true", 4) == 0) return at + 4;
  if (end - at >= 5 && memcmp(at, "false", 5) == 0) return at + 5;
  if (end - at >= 4 && memcmp(at, "null", 4) == 0) return at + 4;
  return busbar_json_check_number_(at, end);
}

/* The value that is `text`; missing when the text is not exactly one JSON value. */
static inline busbar_json_t busbar_json(busbar_string_t text) {
  busbar_json_t value = {NULL, NULL};
  const char *at, *end, *after;
  if (text.length == 0) return value;
  end = text.data + text.length;
  at = busbar_json_space_(text.data, end);
  after = busbar_json_check_(at, end, 0);
  if (after == NULL || busbar_json_space_(after, end) != end) return value;
  value.at = at;
  value.end = after;
  return value;
}

/* ---- Looking up ------------------------------------------------------------------------------------------------------- */

/* BUSBAR_JSON_* */
static inline int busbar_json_type(busbar_json_t value) {
  if (value.at == NULL) return BUSBAR_JSON_MISSING;
  switch (*value.at) {
    case '{': return BUSBAR_JSON_OBJECT;
    case '[': return BUSBAR_JSON_ARRAY;
    case '"': return BUSBAR_JSON_STRING;
    case 't':
    case 'f': return BUSBAR_JSON_BOOL;
    case 'n': return BUSBAR_JSON_NULL;
    default: return BUSBAR_JSON_NUMBER;
  }
}

/* The elements of an array or the members of an object, in their order. */
typedef struct busbar_json_iterator {
  busbar_json_t name; /* a string in objects, missing in arrays */
  busbar_json_t value;
  const char *at; /* null: at the end */
  const char *end;
  int object;
} busbar_json_iterator_t;

/* Over nothing when `value` is neither an array nor an object. */
static inline busbar_json_iterator_t busbar_json_iterate(busbar_json_t value) {
  int type = busbar_json_type(value);
  busbar_json_iterator_t it;
  memset(&it, 0, sizeof it);
  it.object = type == BUSBAR_JSON_OBJECT;
  if (it.object || type == BUSBAR_JSON_ARRAY) {
    it.at = value.at + 1;
    it.end = value.end - 1;
  }
  return it;
}

/* Moves on to the next one. 1, or 0 at the end. */
static inline int busbar_json_next(busbar_json_iterator_t *it) {
  const char *at;
  if (it->at == NULL) return 0;
  at = busbar_json_space_(it->at, it->end);
  if (at < it->end && *at == ',') at = busbar_json_space_(at + 1, it->end);
  it->at = NULL;
  if (at == it->end) return 0;
  if (it->object) {
    it->name.at = at;
    at = busbar_json_check_string_(at, it->end);
    if (at == NULL) return 0;
    it->name.end = at;
    at = busbar_json_space_(busbar_json_space_(at, it->end) + 1, it->end);
  }
  it->value.at = at;
  it->value.end = busbar_json_check_(at, it->end, 0);
  if (it->value.end == NULL) return 0;
  it->at = it->value.end;
  return 1;
}

/* ---- Strings ---------------------------------------------------------------------------------------------------------- */

/* The bytes of one character of a string, escapes resolved; a lone surrogate gives U+FFFD. Returns how many (1 to 4). */
static inline int busbar_json_character_(const char **from, const char *end, char out[4]) {
  const char *at = *from;
  uint32_t code, low;
  if (*at != '\\') {
    *from = at + 1;
    out[0] = *at;
    return 1;
  }
  at++;
  if (*at != 'u') {
    *from = at + 1;
    switch (*at) {
      case 'b': out[0] = '\b'; break;
      case 'f': out[0] = '\f'; break;
      case 'n': out[0] = '\n'; break;
      case 'r': out[0] = '\r'; break;
      case 't': out[0] = '\t'; break;
      default: out[0] = *at;
    }
    return 1;
  }
  code = 0xfffd;
  busbar_json_hex_(at + 1, end, &code);
  at += 5;
  if (code >= 0xd800 && code < 0xdc00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u' && busbar_json_hex_(at + 2, end, &low) &&
      low >= 0xdc00 && low < 0xe000) {
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    at += 6;
  }
  if (code >= 0xd800 && code < 0xe000) code = 0xfffd;
  *from = at;
  if (code < 0x80) {
    out[0] = (char)code;
    return 1;
  }
  if (code < 0x800) {
    out[0] = (char)(0xc0 | code >> 6);
    out[1] = (char)(0x80 | (code & 0x3f));
    return 2;
  }
  if (code < 0x10000) {
    out[0] = (char)(0xe0 | code >> 12);
    out[1] = (char)(0x80 | (code >> 6 & 0x3f));
    out[2] = (char)(0x80 | (code & 0x3f));
    return 3;
  }
  out[0] = (char)(0xf0 | code >> 18);
  out[1] = (char)(0x80 | (code >> 12 & 0x3f));
  out[2] = (char)(0x80 | (code >> 6 & 0x3f));
  out[3] = (char)(0x80 | (code & 0x3f));
  return 4;
}

/* Whether a string is `text`. */
static inline int busbar_json_equals(busbar_json_t value, const char *text) {
  const char *at, *end;
  if (busbar_json_type(value) != BUSBAR_JSON_STRING) return 0;
  for (at = value.at + 1, end = value.end - 1; at < end;) {
    char bytes[4];
    int i, count = busbar_json_character_(&at, end, bytes);
    for (i = 0; i < count; i++, text++)
      if (*text == 0 || *text != bytes[i]) return 0;
  }
  return *text == 0;
}

/* Copies a string, unescaped, into `out` and adds a NUL; *length (may be null) is without it. 0 also when it does not fit. */
static inline int busbar_json_string(busbar_json_t value, char *out, size_t capacity, size_t *length) {
  const char *at, *end;
  size_t used = 0;
  if (busbar_json_type(value) != BUSBAR_JSON_STRING || capacity == 0) return 0;
  for (at = value.at + 1, end = value.end - 1; at < end;) {
    char bytes[4];
    int count = busbar_json_character_(&at, end, bytes);
    if (used + (size_t)count >= capacity) return 0;
    memcpy(out + used, bytes, (size_t)count);
    used += (size_t)count;
  }
  out[used] = 0;
  if (length != NULL) *length = used;
  return 1;
}

/* A copy of a string, NUL-terminated. OWNERSHIP: the caller's, to free(). Null when it is not a string, holds a NUL, or memory ends. */
static inline char *busbar_json_text(busbar_json_t value) {
  size_t capacity, length;
  char *text;
  if (busbar_json_type(value) != BUSBAR_JSON_STRING) return NULL;
  capacity = (size_t)(value.end - value.at); /* no escape is shorter than what it stands for; two quotes make room for the NUL */
  text = (char *)malloc(capacity);
  if (text != NULL && busbar_json_string(value, text, capacity, &length) && strlen(text) == length) return text;
  free(text);
  return NULL;
}

/* The member `name` of an object, the last one if it is there twice; missing when there is none or `object` is something else. */
static inline busbar_json_t busbar_json_get(busbar_json_t object, const char *name) {
  busbar_json_t found = {NULL, NULL};
  busbar_json_iterator_t it = busbar_json_iterate(object);
  while (it.object && busbar_json_next(&it))
    if (busbar_json_equals(it.name, name)) found = it.value;
  return found;
}

/* ---- Numbers, booleans, quantities ------------------------------------------------------------------------------------ */

static inline int busbar_json_bool(busbar_json_t value, int *out) {
  if (busbar_json_type(value) != BUSBAR_JSON_BOOL) return 0;
  *out = *value.at == 't';
  return 1;
}

/* A number that is whole and fits, in any notation: 1000, 1e3, 1000.0. */
static inline int busbar_json_integer(busbar_json_t value, int64_t *out) {
  const char *at = value.at;
  int negative, seen_point = 0;
  int64_t magnitude = 0; /* kept negative: the range is larger there */
  int64_t scale = 0, exponent = 0, zeros = 0;
  if (busbar_json_type(value) != BUSBAR_JSON_NUMBER) return 0;
  negative = *at == '-';
  if (negative) at++;
  for (; at < value.end && *at != 'e' && *at != 'E'; at++) {
    if (*at == '.') {
      seen_point = 1;
      continue;
    }
    if (seen_point) scale--;
    if (*at == '0') { /* not multiplied in until another digit follows: 1.000 must not overflow */
      zeros++;
      continue;
    }
    for (; magnitude != 0 && zeros > 0; zeros--)
      if (__builtin_mul_overflow(magnitude, 10, &magnitude)) return 0;
    if (__builtin_mul_overflow(magnitude, 10, &magnitude) || __builtin_sub_overflow(magnitude, *at - '0', &magnitude)) return 0;
    zeros = 0;
  }
  if (at < value.end) {
    int down = at[1] == '-';
    for (at += (at[1] == '-' || at[1] == '+') ? 2 : 1; at < value.end; at++)
      if (exponent < 100000) exponent = exponent * 10 + (*at - '0');
    if (down) exponent = -exponent;
  }
  if (magnitude == 0) {
    *out = 0;
    return 1;
  }
  exponent += scale + zeros;
  for (; exponent > 0; exponent--)
    if (__builtin_mul_overflow(magnitude, 10, &magnitude)) return 0;
  if (exponent < 0) return 0; /* the last digit that is not zero lies behind the point */
  if (!negative && magnitude == INT64_MIN) return 0;
  *out = negative ? magnitude : -magnitude;
  return 1;
}

/* Any number, rounded to the nearest double; 0 also when it is beyond all doubles or has more than 511 bytes. */
static inline int busbar_json_number(busbar_json_t value, double *out) {
  char text[512];
  size_t length;
  double number;
  if (busbar_json_type(value) != BUSBAR_JSON_NUMBER) return 0;
  length = (size_t)(value.end - value.at);
  if (length >= sizeof text) return 0;
  memcpy(text, value.at, length);
  text[length] = 0;
  number = strtod(text, NULL);
  if (number - number != 0) return 0;
  *out = number;
  return 1;
}

static inline int busbar_json_unit_(busbar_json_t value, const char *const *names, const int64_t *factors, int count, int64_t *out) {
  char text[40];
  const char *at = text;
  int64_t whole = 0, part = 0, divisor = 1;
  int i;
  if (!busbar_json_string(value, text, sizeof text, NULL) || *at < '0' || *at > '9') return 0;
  for (; *at >= '0' && *at <= '9'; at++)
    if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, *at - '0', &whole)) return 0;
  if (*at == '.') {
    at++;
    if (*at < '0' || *at > '9') return 0;
    for (; *at >= '0' && *at <= '9'; at++)
      if (divisor < 1000000) part = part * 10 + (*at - '0'), divisor *= 10;
  }
  while (*at == ' ') at++;
  for (i = 0; i < count; i++) {
    if (strcmp(at, names[i]) != 0) continue;
    if (__builtin_mul_overflow(whole, factors[i], &whole)) return 0;
    part = (int64_t)((double)part / (double)divisor * (double)factors[i] + 0.5);
    if (__builtin_add_overflow(whole, part, &whole)) return 0;
    *out = whole;
    return 1;
  }
  return 0;
}

/* A duration such as "500ms", "1.5s", "5m", "1h", "1d", in nanoseconds; at most 292 years. */
static inline int busbar_json_duration(busbar_json_t value, int64_t *out) {
  static const char *const names[] = {"ms", "s", "m", "h", "d"};
  static const int64_t factors[] = {1000000, 1000000000, 60000000000, 3600000000000, 86400000000000};
  return busbar_json_unit_(value, names, factors, 5, out);
}

/* A size such as "64MiB", "10MB", "1024B" or the number 1024, in bytes. */
static inline int busbar_json_size(busbar_json_t value, int64_t *out) {
  static const char *const names[] = {"B", "", "KiB", "MiB", "GiB", "TiB", "KB", "kB", "MB", "GB", "TB"};
  static const int64_t factors[] = {1, 1, 1024, 1048576, 1073741824, 1099511627776, 1000, 1000, 1000000, 1000000000, 1000000000000};
  int64_t number;
  if (busbar_json_integer(value, &number)) {
    if (number < 0) return 0;
    *out = number;
    return 1;
  }
  return busbar_json_unit_(value, names, factors, 11, out);
}

#ifdef __cplusplus
}
#endif
#endif
