/* A position, version 1. All numbers but the version are LEB128 varints, but the two hashes, which are 4 bytes, little-endian:
 *
 *   version (1 byte), number of files, index of the file whose turn it is, offset where its turn ends,
 *   for each file: device, inode, offset, fingerprint (4), home (4), flags (1: in a line whose rest is not wanted)
 *
 * The turn is part of it so that files which do not change give their lines in the same order again after a resume. */
#include "tail.h"

#define VERSION 1
#define VARINT_MAX 10
#define HEADER_MAX (1 + 3 * VARINT_MAX)
#define FILE_MAX (3 * VARINT_MAX + 9)

_Static_assert(HEADER_MAX + TAIL_FILES_MAX * FILE_MAX <= BUSBAR_POSITION_MAX, "too many files for a position");

static uint8_t *put_varint(uint8_t *out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) *out++ = (uint8_t)(value | 0x80);
  *out++ = (uint8_t)value;
  return out;
}

static uint8_t *put_hash(uint8_t *out, uint32_t value) {
  int i;
  for (i = 0; i < 4; i++) *out++ = (uint8_t)(value >> 8 * i);
  return out;
}

typedef struct reader {
  const uint8_t *at, *end;
  int failed;
} reader_t;

static uint8_t get_byte(reader_t *in) {
  if (in->at < in->end) return *in->at++;
  in->failed = 1;
  return 0;
}

static uint64_t get_varint(reader_t *in) {
  uint64_t value = 0;
  int shift;
  for (shift = 0; shift < 64; shift += 7) {
    uint8_t byte = get_byte(in);
    value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  in->failed = 1;
  return 0;
}

static uint32_t get_hash(reader_t *in) {
  uint32_t value = 0;
  int i;
  for (i = 0; i < 4; i++) value |= (uint32_t)get_byte(in) << 8 * i;
  return value;
}

uint32_t tail_position_bound(const tail_t *t) { return HEADER_MAX + t->count * FILE_MAX; }

uint32_t tail_position_write(const tail_t *t, uint8_t *out) {
  uint8_t *at = out;
  uint32_t i;
  *at++ = VERSION;
  at = put_varint(at, t->count);
  at = put_varint(at, t->turn);
  at = put_varint(at, t->turn_end);
  for (i = 0; i < t->count; i++) {
    const tail_file_t *file = &t->files[i];
    at = put_varint(at, file->device);
    at = put_varint(at, file->inode);
    at = put_varint(at, file->offset);
    at = put_hash(at, file->fingerprint);
    at = put_hash(at, file->home);
    *at++ = file->skipping;
  }
  return (uint32_t)(at - out);
}

int tail_position_read(tail_t *t, const uint8_t *bytes, uint64_t length) {
  reader_t in = {bytes, bytes + length, 0};
  uint64_t count, turn;
  uint8_t version = get_byte(&in);
  if (version != VERSION) {
    busbar_error(t->context, BUSBAR_FAILED, "Cannot resume: the position has version %u, this plugin reads version %u", version, VERSION);
    return 0;
  }
  count = get_varint(&in);
  turn = get_varint(&in);
  t->turn_end = get_varint(&in);
  if (count > TAIL_FILES_MAX || (count > 0 && turn >= count)) in.failed = 1;
  for (; count > 0 && !in.failed; count--) {
    uint64_t device = get_varint(&in), inode = get_varint(&in), offset = get_varint(&in);
    uint32_t fingerprint = get_hash(&in), home = get_hash(&in);
    uint8_t flags = get_byte(&in);
    tail_file_t *file;
    if (in.failed || offset > INT64_MAX) break;
    file = tail_add(t, device, inode, home);
    if (file == NULL) break;
    file->offset = offset;
    file->fingerprint = fingerprint;
    file->skipping = flags & 1u;
  }
  if (in.failed || count > 0 || in.at != in.end) {
    tail_clear(t);
    busbar_error(t->context, BUSBAR_FAILED, "Cannot resume: the position of %llu bytes is damaged", (unsigned long long)length);
    return 0;
  }
  t->turn = (uint32_t)turn;
  return 1;
}
