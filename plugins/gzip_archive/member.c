#include "member.h"

#include <stdlib.h>
#include <string.h>

#include "journal.h"

#define GZIP_WINDOW (15 + 16)
#define MEMORY_LEVEL 8
#define MEMBER_OVERHEAD 64 /* gzip's header and trailer, with room to spare */

static int buffer_grow(buffer_t *buffer, size_t room) {
  size_t capacity = buffer->capacity < 65536 ? 65536 : buffer->capacity;
  uint8_t *data;
  while (capacity - buffer->length < room) {
    if (capacity > SIZE_MAX / 2) return 0;
    capacity *= 2;
  }
  if (capacity == buffer->capacity) return 1;
  data = realloc(buffer->data, capacity);
  if (data == NULL) return 0;
  buffer->data = data;
  buffer->capacity = capacity;
  return 1;
}

int buffer_add(buffer_t *buffer, const void *bytes, size_t count) {
  if (!buffer_grow(buffer, count)) return 0;
  if (count > 0) memcpy(buffer->data + buffer->length, bytes, count);
  buffer->length += count;
  return 1;
}

int member_create(member_t *member, int level) {
  memset(member, 0, sizeof *member);
  return deflateInit2(&member->stream, level, Z_DEFLATED, GZIP_WINDOW, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK;
}

void member_free(member_t *member) {
  deflateEnd(&member->stream);
  free(member->bytes.data);
  free(member->events.data);
  free(member->sources);
  memset(member, 0, sizeof *member);
}

void member_reset(member_t *member) {
  deflateReset(&member->stream);
  member->bytes.length = member->events.length = 0;
  member->source_count = member->current = member->event_count = 0;
  member->raw_length = member->settled_raw = 0;
  member->finished = 0;
}

/* Runs deflate until all input is taken and, when it flushes, all output given. */
static int run(member_t *member, const void *bytes, size_t count, int flush) {
  z_stream *stream = &member->stream;
  stream->next_in = (Bytef *)(uintptr_t)bytes;
  stream->avail_in = (uInt)count;
  do {
    size_t room;
    if (!buffer_grow(&member->bytes, 4096)) return 0;
    room = member->bytes.capacity - member->bytes.length;
    if (room > 1u << 30) room = 1u << 30;
    stream->next_out = member->bytes.data + member->bytes.length;
    stream->avail_out = (uInt)room;
    deflate(stream, flush);
    member->bytes.length += room - stream->avail_out;
  } while (stream->avail_out == 0 || stream->avail_in > 0);
  return 1;
}

int member_add_bytes(member_t *member, const void *bytes, size_t count) {
  const uint8_t *at = bytes;
  member->raw_length += count;
  while (count > 0) {
    size_t part = count < 1u << 30 ? count : 1u << 30;
    if (!run(member, at, part, Z_NO_FLUSH)) return 0;
    at += part;
    count -= part;
  }
  return 1;
}

/* Makes `source` the current one. */
static int find_source(member_t *member, uint32_t source, uint64_t sequence) {
  member_source_t *found;
  uint32_t i;
  if (member->source_count > 0 && member->sources[member->current].source == source) return 1;
  for (i = 0; i < member->source_count && member->sources[i].source != source; i++) {
  }
  if (i == member->source_capacity) {
    uint32_t capacity = i == 0 ? 8 : 2 * i;
    member_source_t *sources = realloc(member->sources, capacity * sizeof *sources);
    if (sources == NULL) return 0;
    member->sources = sources;
    member->source_capacity = capacity;
  }
  found = &member->sources[i];
  if (i == member->source_count) {
    found->source = source;
    found->first = found->last = sequence;
    found->previous = 0;
    member->source_count++;
  }
  member->current = i;
  return 1;
}

int member_add_event(member_t *member, uint32_t source, uint64_t sequence, const void *payload, uint32_t length) {
  uint8_t note[JOURNAL_NOTE_MAX];
  uint32_t before = member->current, had = member->event_count;
  member_source_t *in;
  size_t size;
  if (!find_source(member, source, sequence)) return 0;
  in = &member->sources[member->current];
  size = journal_write_note(note, had > 0 && before == member->current ? JOURNAL_SAME_SOURCE : member->current + 1,
                            sequence - in->previous, length + (uint64_t)1);
  if (!buffer_add(&member->events, note, size)) return 0;
  if (sequence < in->first) in->first = sequence;
  if (sequence > in->last) in->last = sequence;
  in->previous = sequence;
  member->event_count++;
  return member_add_bytes(member, payload, length) && member_add_bytes(member, "\n", 1);
}

uint64_t member_bound(const member_t *member, uint64_t more) {
  uint64_t open = member->raw_length - member->settled_raw + more;
  return member->bytes.length + open + open / 16 + MEMBER_OVERHEAD;
}

int member_settle(member_t *member) {
  if (member->settled_raw == member->raw_length) return 1;
  member->settled_raw = member->raw_length;
  return run(member, NULL, 0, Z_BLOCK);
}

int member_finish(member_t *member) {
  if (member->finished) return 1;
  if (!run(member, NULL, 0, Z_FINISH)) return 0;
  member->finished = 1;
  return 1;
}

int member_is_full(const member_t *member) {
  return member->bytes.length >= MEMBER_MAX_BYTES || member->raw_length >= MEMBER_MAX_RAW_BYTES;
}
