/* A gzip member that is being made in memory: the events since the last flush, with what the journal says of them. */
#ifndef GZIP_ARCHIVE_MEMBER_H
#define GZIP_ARCHIVE_MEMBER_H

#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

/* A member ends on its own at these, so that memory stays bounded however rarely flush is called. */
#define MEMBER_MAX_BYTES (1u << 20)
#define MEMBER_MAX_RAW_BYTES (16u << 20)

typedef struct buffer {
  uint8_t *data;
  size_t length;
  size_t capacity;
} buffer_t;

/* What the member holds of one source. */
typedef struct member_source {
  uint64_t first;    /* lowest sequence */
  uint64_t last;     /* highest sequence */
  uint64_t previous; /* of the newest event */
  uint32_t source;   /* as in records */
} member_source_t;

typedef struct member {
  z_stream stream;
  buffer_t bytes;  /* compressed so far */
  buffer_t events; /* table of events: see journal.h */
  member_source_t *sources;
  uint32_t source_count;
  uint32_t source_capacity;
  uint32_t current; /* index of the newest event's source */
  uint32_t event_count;
  uint64_t raw_length;
  uint64_t settled_raw; /* of the raw bytes: how many are surely in `bytes` */
  int finished;         /* `bytes` is a whole member */
} member_t;

/* 1, or 0 when memory ends. */
int buffer_add(buffer_t *buffer, const void *bytes, size_t count);

/* 1, or 0 when memory ends; `level` as zlib's. */
int member_create(member_t *member, int level);
void member_free(member_t *member);

/* Begins the next member. */
void member_reset(member_t *member);

/* Adds bytes without a note in the table of events. 1, or 0 when memory ends: the member cannot be used any more then. */
int member_add_bytes(member_t *member, const void *bytes, size_t count);

/* Adds an event: payload and line break. 1, or 0 as above. */
int member_add_event(member_t *member, uint32_t source, uint64_t sequence, const void *payload, uint32_t length);

/* How long the finished member would be at most, with `more` raw bytes besides. */
uint64_t member_bound(const member_t *member, uint64_t more);

/* Compresses what zlib holds back, so that member_bound() is exact. 1, or 0 as above. */
int member_settle(member_t *member);

/* Ends the member; nothing may be added until member_reset(). 1, or 0 as above. */
int member_finish(member_t *member);

int member_is_full(const member_t *member);

#endif
