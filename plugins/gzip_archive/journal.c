#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "busbarJ1"
#define BODY_MAX (1u << 30)

void journal_make_header(journal_header_t *header, const uint8_t space[JOURNAL_SPACE]) {
  memcpy(header->magic, MAGIC, sizeof header->magic);
  memcpy(header->space, space, JOURNAL_SPACE);
}

static size_t write_varint(uint8_t *to, uint64_t value) {
  size_t size = 0;
  for (; value >= 0x80; value >>= 7) to[size++] = (uint8_t)(value | 0x80);
  to[size++] = (uint8_t)value;
  return size;
}

static int read_varint(const uint8_t **at, const uint8_t *end, uint64_t *value) {
  int shift;
  *value = 0;
  for (shift = 0; shift < 64 && *at < end; shift += 7) {
    uint8_t byte = *(*at)++;
    *value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) return 1;
  }
  return 0;
}

size_t journal_write_note(uint8_t *to, uint32_t source, uint64_t delta, uint64_t length) {
  size_t size = write_varint(to, source);
  size += write_varint(to + size, delta);
  return size + write_varint(to + size, length);
}

int journal_read_note(const uint8_t **at, const uint8_t *end, uint32_t source_count, uint64_t *previous, journal_note_t *note) {
  uint64_t source, delta;
  if (!read_varint(at, end, &source) || !read_varint(at, end, &delta) || !read_varint(at, end, &note->length)) return 0;
  if (source > source_count) return 0;
  if (source > 0) note->source = (uint32_t)source - 1;
  note->sequence = previous[note->source] += delta;
  return 1;
}

static uint32_t checksum(const void *entry, size_t length) {
  const uint8_t *at = entry;
  size_t own = sizeof(uint32_t);
  return (uint32_t)crc32_z(0, at + own, length - own);
}

int journal_make_entry(buffer_t *out, const member_t *member, uint64_t begin, acknowledged_t known) {
  journal_entry_t entry;
  uLongf packed = compressBound(member->events.length);
  uint8_t *table = malloc(packed);
  uint32_t i, j;
  int ok = table != NULL && compress2(table, &packed, member->events.data, member->events.length, 1) == Z_OK;
  memset(&entry, 0, sizeof entry);
  entry.begin = begin;
  entry.end = begin + member->bytes.length;
  entry.raw_length = member->raw_length;
  entry.event_count = member->event_count;
  entry.source_count = member->source_count;
  entry.table_length = (uint32_t)member->events.length;
  out->length = 0;
  ok = ok && buffer_add(out, &entry, sizeof entry);
  for (i = 0; ok && i < member->source_count; i++) {
    const member_source_t *in = &member->sources[i];
    journal_source_t source = {in->first, in->last, in->source, 0};
    const char *id = NULL;
    for (j = 0; j < known.count; j++) {
      if (known.list[j].source != in->source) continue;
      id = known.list[j].source_id.data;
      source.id_length = (uint32_t)known.list[j].source_id.length;
    }
    ok = buffer_add(out, &source, sizeof source) && buffer_add(out, id, source.id_length);
  }
  ok = ok && buffer_add(out, table, packed);
  free(table);
  if (!ok) return 0;
  entry.body_length = (uint32_t)(out->length - sizeof entry);
  memcpy(out->data, &entry, sizeof entry);
  entry.checksum = checksum(out->data, out->length);
  memcpy(out->data, &entry, sizeof entry);
  return 1;
}

int journal_open(journal_t *journal, int folder, const char *name, uint64_t segment_size, problem_t *problem) {
  struct stat status;
  memset(journal, 0, sizeof *journal);
  journal->segment_size = segment_size;
  journal->file = openat(folder, name, O_RDONLY | O_CLOEXEC);
  if (journal->file < 0 && errno == ENOENT) return 1;
  if (journal->file < 0 || fstat(journal->file, &status) != 0) {
    fail(problem, "Cannot read journal \"%s\": %s", name, strerror(errno));
    journal_close(journal);
    return 0;
  }
  journal->size = (uint64_t)status.st_size;
  if (read_up_to(journal->file, &journal->header, sizeof journal->header, 0) != sizeof journal->header ||
      memcmp(journal->header.magic, MAGIC, sizeof journal->header.magic) != 0)
    journal_close(journal);
  journal_rewind(journal);
  return 1;
}

void journal_close(journal_t *journal) {
  if (journal->file >= 0) close(journal->file);
  journal->file = -1;
  free(journal->body.data);
  memset(&journal->body, 0, sizeof journal->body);
}

void journal_rewind(journal_t *journal) {
  journal->offset = sizeof journal->header;
  memset(&journal->entry, 0, sizeof journal->entry);
}

/* Whether the sources in the body are whole. */
static int sources_fit(const journal_entry_t *entry, const buffer_t *body) {
  size_t at = 0;
  uint32_t i;
  for (i = 0; i < entry->source_count; i++) {
    journal_source_t source;
    if (body->length - at < sizeof source) return 0;
    memcpy(&source, body->data + at, sizeof source);
    at += sizeof source;
    if (body->length - at < source.id_length) return 0;
    at += source.id_length;
  }
  return 1;
}

int journal_next(journal_t *journal, problem_t *problem) {
  journal_entry_t entry;
  buffer_t *body = &journal->body;
  uint64_t end = journal->entry.end;
  if (journal->file < 0 || journal->size - journal->offset < sizeof entry) return 0;
  if (read_up_to(journal->file, &entry, sizeof entry, journal->offset) != sizeof entry) {
    fail(problem, "Cannot read a journal: %s", strerror(errno));
    return -1;
  }
  if (entry.begin != end || entry.end <= entry.begin || entry.end > journal->segment_size || entry.body_length > BODY_MAX ||
      entry.body_length > journal->size - journal->offset - sizeof entry)
    return 0;
  body->length = 0;
  if (!buffer_add(body, &entry, sizeof entry)) goto memory;
  while (body->length < sizeof entry + entry.body_length) {
    uint8_t part[65536];
    size_t left = sizeof entry + entry.body_length - body->length;
    ssize_t got = read_up_to(journal->file, part, left < sizeof part ? left : sizeof part, journal->offset + body->length);
    if (got <= 0) {
      fail(problem, "Cannot read a journal: %s", got < 0 ? strerror(errno) : "it became shorter");
      return -1;
    }
    if (!buffer_add(body, part, (size_t)got)) goto memory;
  }
  if (checksum(body->data, body->length) != entry.checksum) return 0;
  body->length -= sizeof entry;
  memmove(body->data, body->data + sizeof entry, body->length);
  if (!sources_fit(&entry, body)) return 0;
  journal->entry = entry;
  journal->offset += sizeof entry + entry.body_length;
  return 1;
memory:
  fail(problem, "Cannot read a journal: out of memory");
  return -1;
}

/* The source at *at in the body, moving on. */
static journal_source_t source_at(const journal_t *journal, size_t *at, const char **id) {
  journal_source_t source;
  memcpy(&source, journal->body.data + *at, sizeof source);
  *id = (const char *)journal->body.data + *at + sizeof source;
  *at += sizeof source + source.id_length;
  return source;
}

static uint64_t limit_of(journal_source_t source, const char *id, acknowledged_t acknowledged) {
  uint32_t i;
  for (i = 0; i < acknowledged.count; i++) {
    const busbar_acknowledged_t *known = &acknowledged.list[i];
    if (source.id_length == 0 ? known->source == source.source
                              : known->source_id.length == source.id_length && memcmp(known->source_id.data, id, source.id_length) == 0)
      return known->sequence;
  }
  return UINT64_MAX;
}

int journal_judge(const journal_t *journal, acknowledged_t acknowledged, int *forgotten) {
  uint32_t i, none = 0, all = 0;
  size_t at = 0;
  for (i = 0; i < journal->entry.source_count; i++) {
    const char *id;
    journal_source_t source = source_at(journal, &at, &id);
    uint64_t limit = limit_of(source, id, acknowledged);
    none += source.last <= limit;
    all += source.first > limit;
    if (limit == 0) *forgotten = 1;
  }
  if (none == i) return CUT_NONE;
  return all == i ? CUT_ALL : CUT_SOME;
}

uint64_t *journal_limits(const journal_t *journal, acknowledged_t acknowledged) {
  uint64_t *limits = malloc((journal->entry.source_count + (size_t)1) * sizeof *limits);
  uint32_t i;
  size_t at = 0;
  for (i = 0; limits != NULL && i < journal->entry.source_count; i++) {
    const char *id;
    journal_source_t source = source_at(journal, &at, &id);
    limits[i] = limit_of(source, id, acknowledged);
  }
  return limits;
}

uint8_t *journal_table(const journal_t *journal) {
  const journal_entry_t *entry = &journal->entry;
  uLongf length = entry->table_length;
  uint8_t *table = malloc(length + (size_t)1);
  size_t at = 0;
  uint32_t i;
  for (i = 0; i < entry->source_count; i++) {
    const char *id;
    source_at(journal, &at, &id);
  }
  if (table != NULL && uncompress(table, &length, journal->body.data + at, journal->body.length - at) == Z_OK &&
      length == entry->table_length)
    return table;
  free(table);
  return NULL;
}
