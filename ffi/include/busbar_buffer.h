/*
 * busbar_buffer.h: writes and reads states, positions and attributes in C.  SPDX-License-Identifier: Apache-2.0
 *
 * Part of busbar_sdk.h, compiled into the plugin, not part of the contract. One thread at a time for each buffer.
 */
#ifndef BUSBAR_BUFFER_H
#define BUSBAR_BUFFER_H

#include <stdlib.h>
#include <string.h>

#include "busbar.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Grows as it is written to, in the machine's byte order. Zero is an empty one; free(buffer.data) ends it. When memory ends `failed`
 * becomes 1, and what follows is left out: check it once, at the end. */
typedef struct busbar_buffer {
  uint8_t *data;
  size_t length;
  size_t capacity;
  int failed;
} busbar_buffer_t;

static inline void busbar_buffer_bytes(busbar_buffer_t *buffer, const void *bytes, size_t length) {
  if (buffer->failed || length == 0) return;
  if (length > buffer->capacity - buffer->length) {
    size_t capacity = (buffer->capacity + length) * 2;
    uint8_t *data = capacity > length ? (uint8_t *)realloc(buffer->data, capacity) : NULL;
    if (data == NULL) {
      buffer->failed = 1;
      return;
    }
    buffer->data = data;
    buffer->capacity = capacity;
  }
  memcpy(buffer->data + buffer->length, bytes, length);
  buffer->length += length;
}

static inline void busbar_buffer_u32(busbar_buffer_t *buffer, uint32_t value) { busbar_buffer_bytes(buffer, &value, sizeof value); }
static inline void busbar_buffer_u64(busbar_buffer_t *buffer, uint64_t value) { busbar_buffer_bytes(buffer, &value, sizeof value); }

/* Reads back what a buffer was written with. Past the end `failed` becomes 1 and what is read is zero: check it once, at the end. */
typedef struct busbar_reader {
  const uint8_t *at;
  uint64_t left;
  int failed;
} busbar_reader_t;

static inline busbar_reader_t busbar_reader(busbar_bytes_t bytes) {
  busbar_reader_t reader = {bytes.data, bytes.length, 0};
  return reader;
}

/* The next `length` bytes, within what is read; null past the end. */
static inline const uint8_t *busbar_read_bytes(busbar_reader_t *reader, uint64_t length) {
  const uint8_t *at = reader->at;
  if (reader->failed || length > reader->left) {
    reader->failed = 1;
    return NULL;
  }
  if (length > 0) reader->at += length;
  reader->left -= length;
  return at;
}

static inline uint32_t busbar_read_u32(busbar_reader_t *reader) {
  uint32_t value = 0;
  const uint8_t *at = busbar_read_bytes(reader, sizeof value);
  if (at != NULL) memcpy(&value, at, sizeof value);
  return value;
}

static inline uint64_t busbar_read_u64(busbar_reader_t *reader) {
  uint64_t value = 0;
  const uint8_t *at = busbar_read_bytes(reader, sizeof value);
  if (at != NULL) memcpy(&value, at, sizeof value);
  return value;
}

#ifdef __cplusplus
}
#endif
#endif
