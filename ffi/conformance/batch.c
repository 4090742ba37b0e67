/* Arenas to write to, batches to read, and streams of records to compare. */
#include <sys/mman.h>
#include <unistd.h>

#include "conformance.h"

#define CANARY 0xa5
#define SLACK 256 /* where a check is not about bounds, a plugin that oversteps them a little does no harm */
#define ARENA_MAX (256u << 20)

static uint64_t padded(uint64_t capacity) { return (capacity + 63) & ~(uint64_t)63; }

/* 64-byte aligned; with run.guard the last byte of the padded size is right before a page that faults. */
static void map(arena_t *arena) {
  size_t room = padded(arena->capacity) + (run.guard ? 0 : SLACK);
  size_t page = (size_t)sysconf(_SC_PAGESIZE), body = (room + page - 1) / page * page;
  arena->mapped = body + 2 * page;
  arena->memory = mmap(NULL, arena->mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (arena->memory == MAP_FAILED) fail("Cannot check: out of memory");
  if (body > 0 && mprotect(arena->memory + page, body, PROT_READ | PROT_WRITE) != 0) fail("Cannot check: out of memory");
  arena->own = arena->memory + page + body - room;
  memset(arena->own + arena->capacity, CANARY, padded(arena->capacity) - arena->capacity);
}

/* Not aligned_alloc: a memory checker is to see a size that is no multiple of 64. */
static uint8_t *aligned(uint64_t size) {
  void *memory;
  return posix_memalign(&memory, 64, size) == 0 ? memory : NULL;
}

arena_t *arena_new(uint64_t capacity, uint32_t limit) {
  arena_t *arena = calloc(1, sizeof *arena);
  if (arena == NULL) fail("Cannot check: out of memory");
  arena->capacity = capacity;
  if (run.guard || run.seal) map(arena);
  else arena->own = arena->memory = aligned(run.tight ? (capacity > 0 ? capacity : 1) : padded(capacity) + SLACK);
  arena->position = malloc(BUSBAR_POSITION_MAX + (run.tight ? 0 : SLACK));
  if (arena->own == NULL || arena->position == NULL) fail("Cannot check: out of memory");
  arena->batch.size = sizeof arena->batch;
  arena->batch.limit = limit;
  arena->batch.next_sequence = 1;
  arena->batch.position = arena->position;
  arena->batch.position_capacity = BUSBAR_POSITION_MAX;
  arena_reset(arena);
  return arena;
}

void arena_free(arena_t *arena) {
  if (arena == NULL) return;
  if (arena->mapped > 0) munmap(arena->memory, arena->mapped);
  else free(arena->memory);
  free(arena->position);
  free(arena);
}

void arena_reset(arena_t *arena) {
  busbar_batch_t *batch = &arena->batch;
  batch->data = arena->own;
  batch->capacity = arena->capacity;
  batch->length = batch->cursor = batch->required = 0;
  batch->count = batch->done = batch->position_length = batch->flags = 0;
  batch->loan = NULL;
}

int arena_grow(arena_t **arena) {
  busbar_batch_t *batch = &(*arena)->batch;
  uint64_t required = batch->required, sequence = batch->next_sequence;
  uint32_t limit = batch->limit > 0 ? batch->limit : 1, source = batch->source;
  if (required <= (*arena)->capacity && batch->limit > 0) return 0;
  if (required > ARENA_MAX) fail("required asks for %llu bytes, more than any arena has", (unsigned long long)required);
  if (required < (*arena)->capacity) required = (*arena)->capacity;
  arena_free(*arena);
  *arena = arena_new(required, limit);
  (*arena)->batch.next_sequence = sequence;
  (*arena)->batch.source = source;
  return 1;
}

int arena_check(const arena_t *arena) {
  const busbar_batch_t *batch = &arena->batch;
  busbar_iterator_t it = busbar_iterate(batch);
  if (batch->loan != NULL && (batch->data == NULL || ((uintptr_t)batch->data & 7) != 0)) {
    fault(FAULT_BATCH, "Lent memory is not at an address divisible by 8");
    return 0;
  }
  if (batch->loan == NULL) {
    if (batch->data != arena->own) fault(FAULT_BATCH, "The batch's data was moved without a loan");
    if (batch->length > arena->capacity) {
      fault(FAULT_BOUNDS, "The batch has %llu bytes in an arena of %llu", (unsigned long long)batch->length,
            (unsigned long long)arena->capacity);
      if (!run.guard && batch->length > arena->capacity + (run.tight ? 0 : SLACK)) return 0;
    }
    for (uint64_t at = arena->capacity; run.guard && at < padded(arena->capacity); at++)
      if (arena->own[at] != CANARY)
        fault(FAULT_BOUNDS, "Byte %llu behind an arena of %llu bytes was written", (unsigned long long)(at - arena->capacity),
              (unsigned long long)arena->capacity);
    if (batch->count > batch->limit)
      fault(FAULT_BOUNDS, "%u records were appended where %u are allowed", batch->count, batch->limit);
  }
  if (batch->position_length > batch->position_capacity)
    fault(FAULT_POSITION, "The position has %u bytes, more than the %u allowed", batch->position_length, batch->position_capacity);
  while (busbar_next(&it) != NULL) {
  }
  if (it.malformed) fault(FAULT_BATCH, "Record %u is malformed: its lengths do not fit", it.index);
  else if (it.index != batch->count)
    fault(FAULT_BATCH, "The batch says it has %u records, but there are %u", batch->count, it.index);
  return 1;
}

void arena_seal(arena_t *arena) {
  arena->batch.capacity = 0;
  arena->batch.done = 0;
  arena->batch.cursor = 0;
  if (run.seal) mprotect(arena->memory, arena->mapped, PROT_READ);
}

/* ---- Streams ------------------------------------------------------------------------------------------------------ */

static void stream_add(stream_t *stream, const void *record, uint64_t size) {
  if (stream->length + size > stream->capacity) {
    stream->capacity = (stream->length + size) * 2;
    stream->data = realloc(stream->data, stream->capacity);
    if (stream->data == NULL) fail("Cannot check: out of memory");
  }
  memcpy(stream->data + stream->length, record, size);
  stream->length += size;
  stream->count += 1;
}

void stream_append(stream_t *stream, const busbar_batch_t *batch) {
  busbar_iterator_t it = busbar_iterate(batch);
  const busbar_record_t *record;
  while ((record = busbar_next(&it)) != NULL) stream_add(stream, record, record->size);
}

void stream_free(stream_t *stream) {
  free(stream->data);
  *stream = (stream_t){0};
}

static busbar_iterator_t iterate_stream(const stream_t *stream) {
  busbar_batch_t batch = {.data = stream->data, .length = stream->length};
  return busbar_iterate(&batch);
}

static int same(const busbar_record_t *a, const busbar_record_t *b) {
  uint64_t length = (uint64_t)a->key_length + a->payload_length + a->attributes_length;
  return a->size == b->size && a->operation == b->operation && a->content_type == b->content_type && a->source == b->source &&
         a->sequence == b->sequence && a->key_length == b->key_length && a->payload_length == b->payload_length &&
         a->attributes_length == b->attributes_length && a->flags == b->flags && memcmp(a + 1, b + 1, length) == 0;
}

int64_t stream_difference(const stream_t *a, uint32_t from, const stream_t *b) {
  busbar_iterator_t ia = iterate_stream(a), ib = iterate_stream(b);
  for (uint32_t n = 0; n < from; n++) busbar_next(&ia);
  for (int64_t n = 0;; n++) {
    const busbar_record_t *ra = busbar_next(&ia), *rb = busbar_next(&ib);
    if (ra == NULL && rb == NULL) return -1;
    if (ra == NULL || rb == NULL || !same(ra, rb)) return n;
  }
}

/* ---- Input -------------------------------------------------------------------------------------------------------- */

static stream_t input;

static void add_input(busbar_event_t *event) {
  uint64_t size = busbar_record_size(event->key_length, event->payload_length, event->attributes_length);
  busbar_batch_t batch = {.data = malloc(size), .capacity = size, .limit = 1, .next_sequence = input.count + 1};
  if (event->timestamp == 0) event->timestamp = 1700000000000000000 + (int64_t)input.count * 1000000;
  if (batch.data == NULL || !busbar_append(&batch, event)) fail("Cannot check: out of memory");
  stream_append(&input, &batch);
  free(batch.data);
}

static uint32_t put_attribute(uint8_t *to, const char *name, const char *value) {
  uint32_t lengths[2] = {(uint32_t)strlen(name), (uint32_t)strlen(value)};
  memcpy(to, lengths, 8);
  memcpy(to + 8, name, lengths[0]);
  memcpy(to + 8 + lengths[0], value, lengths[1]);
  return 8 + lengths[0] + lengths[1];
}

static void own_mix(void) {
  static const char *const WORDS[] = {"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"};
  for (uint32_t n = 0; n < 40; n++) {
    char key[24], payload[512];
    uint8_t attributes[128];
    busbar_event_t event = {.key = key, .payload = payload, .attributes = attributes};
    uint64_t random = next_random();
    event.operation = (uint8_t)(n % 4);
    event.key_length = n % 4 == 0 && n % 8 != 0 ? 0 : (uint32_t)snprintf(key, sizeof key, "k%u", (unsigned)(random % 7));
    if (n % 3 == 0) {
      event.content_type = BUSBAR_CONTENT_JSON;
      event.payload_length = (uint32_t)snprintf(payload, sizeof payload, "{\"n\":%u,\"word\":\"%s\"}", n, WORDS[random >> 8 & 7]);
    } else if (n % 3 == 1) {
      event.content_type = BUSBAR_CONTENT_TEXT;
      event.payload_length =
          (uint32_t)snprintf(payload, sizeof payload, "%s %s h\xc3\xa9llo %u", WORDS[random >> 8 & 7], WORDS[random >> 16 & 7], n);
    } else {
      event.content_type = BUSBAR_CONTENT_BYTES;
      event.payload_length = (uint32_t)(random >> 24 & 255) + 1;
      for (uint32_t at = 0; at < event.payload_length; at++) payload[at] = (char)next_random();
    }
    if (n % 5 == 0) {
      event.attributes_length = put_attribute(attributes, "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
      event.attributes_length += put_attribute(attributes + event.attributes_length, "n", "");
    }
    add_input(&event);
  }
}

static uint8_t *read_attributes(busbar_json_t array, uint32_t *length) {
  busbar_json_iterator_t it = busbar_json_iterate(array);
  uint8_t *bytes = NULL;
  *length = 0;
  while (busbar_json_next(&it)) {
    busbar_json_iterator_t pair = busbar_json_iterate(it.value);
    char *name = busbar_json_next(&pair) ? busbar_json_text(pair.value) : NULL,
         *value = busbar_json_next(&pair) ? busbar_json_text(pair.value) : NULL;
    if (name == NULL || value == NULL) fail("Cannot check: an attribute of the input is not a pair of texts");
    bytes = realloc(bytes, *length + 8 + strlen(name) + strlen(value));
    if (bytes == NULL) fail("Cannot check: out of memory");
    *length += put_attribute(bytes + *length, name, value);
    free(name);
    free(value);
  }
  return bytes;
}

static int64_t integer_of(busbar_json_t object, const char *name) {
  int64_t value = 0;
  busbar_json_integer(busbar_json_get(object, name), &value);
  return value;
}

static void plan_input(void) {
  busbar_json_iterator_t it = busbar_json_iterate(run.plan.input);
  while (busbar_json_next(&it)) {
    size_t key_length, payload_length;
    uint32_t attributes_length;
    uint8_t *key = plan_base64(busbar_json_get(it.value, "key"), &key_length),
            *payload = plan_base64(busbar_json_get(it.value, "payload"), &payload_length);
    uint8_t *attributes = read_attributes(busbar_json_get(it.value, "attributes"), &attributes_length);
    busbar_event_t event = {.key = key,
                            .key_length = (uint32_t)key_length,
                            .payload = payload,
                            .payload_length = (uint32_t)payload_length,
                            .attributes = attributes,
                            .attributes_length = attributes_length,
                            .operation = (uint8_t)integer_of(it.value, "operation"),
                            .content_type = (uint8_t)integer_of(it.value, "content_type"),
                            .flags = (uint32_t)integer_of(it.value, "flags"),
                            .timestamp = integer_of(it.value, "timestamp")};
    add_input(&event);
    free(key);
    free(payload);
    free(attributes);
  }
}

uint32_t input_count(void) {
  if (input.count > 0) return input.count;
  plan_input();
  if (input.count == 0) own_mix();
  return input.count;
}

arena_t *input_repeated(uint32_t count) {
  uint64_t size = 0, at = 0;
  arena_t *arena;
  for (uint32_t n = 0; n < count; n += input_count()) size += input.length;
  arena = arena_new(size, count);
  for (uint32_t n = 0; n < count; n += input.count, at += input.length) memcpy(arena->own + at, input.data, input.length);
  arena->batch.length = size;
  arena->batch.count = (count + input.count - 1) / input.count * input.count;
  arena_seal(arena);
  return arena;
}

arena_t *input_batch(uint32_t first, uint32_t count) {
  busbar_iterator_t it;
  const busbar_record_t *record;
  uint64_t size = 0, from = 0;
  uint32_t taken = 0;
  arena_t *arena;
  if (first >= input_count()) return NULL;
  for (it = iterate_stream(&input); it.index < first;) busbar_next(&it);
  from = busbar_offset(&it);
  while (taken < count && (record = busbar_next(&it)) != NULL) {
    size += record->size;
    taken += 1;
  }
  arena = arena_new(size, taken);
  memcpy(arena->own, input.data + from, size);
  arena->batch.length = size;
  arena->batch.count = taken;
  arena_seal(arena);
  return arena;
}
