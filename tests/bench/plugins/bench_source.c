/* The source of the benchmark: appends prepared payloads as fast as the batch takes them. */
#include "bench.h"

#define PREPARED 4096u /* bytes in which payloads begin, 64 bytes apart; small enough to stay in the first cache */

typedef struct source {
  const busbar_context_t *context;
  uint8_t *prepared;
  uint64_t count;
  uint64_t warmup;
  uint64_t emitted;
  uint32_t payload;
  int hold;
  int marked;
} source_t;

static uint64_t next_random(uint64_t *state) {
  uint64_t x = *state;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return *state = x;
}

static int32_t source_create(const busbar_context_t *context, void **self) {
  source_t *source = calloc(1, sizeof *source);
  uint64_t random, size, i;
  if (source == NULL) return busbar_error(context, BUSBAR_FATAL, "Cannot create the source: out of memory");
  source->context = context;
  source->count = (uint64_t)bench_number(context, "count", 1000000);
  source->warmup = (uint64_t)bench_number(context, "warmup", (int64_t)(source->count / 5));
  source->payload = (uint32_t)bench_number(context, "payload", 64);
  busbar_json_bool(busbar_json_get(busbar_json(context->config), "hold"), &source->hold);
  random = (uint64_t)bench_number(context, "seed", 1) * 2 + 1;
  size = (PREPARED + source->payload + 63u) & ~(uint64_t)63u;
  source->prepared = aligned_alloc(64, size);
  if (source->prepared == NULL) {
    free(source);
    return busbar_error(context, BUSBAR_FATAL, "Cannot create the source: out of memory");
  }
  for (i = 0; i < size; i++) source->prepared[i] = (uint8_t)next_random(&random);
  *self = source;
  return BUSBAR_OK;
}

static int32_t source_start(void *self) {
  source_t *source = self;
  const busbar_bytes_t *position = &source->context->position;
  source->emitted = 0;
  source->marked = 0;
  if (position->length == sizeof source->emitted) {
    memcpy(&source->emitted, position->data, sizeof source->emitted);
  }
  return BUSBAR_OK;
}

static void source_destroy(void *self) {
  source_t *source = self;
  free(source->prepared);
  free(source);
}

static int32_t source_poll(void *self, busbar_batch_t *batch) {
  source_t *source = self;
  busbar_event_t event;
  uint64_t emitted = source->emitted;
  int64_t marking = 0;
  if (emitted >= source->count) return source->hold ? BUSBAR_AGAIN : BUSBAR_DONE;
  memset(&event, 0, sizeof event);
  event.payload_length = source->payload;
  /* The sink takes the clock from this one timestamp: the two are separate libraries. */
  if (!source->marked && emitted >= source->warmup) marking = bench_now();
  event.timestamp = marking;
  while (emitted < source->count) {
    event.payload = source->prepared + (emitted * 64 & (PREPARED - 1));
    if (!busbar_append(batch, &event)) break;
    event.timestamp = 0;
    emitted += 1;
  }
  if (marking != 0 && emitted > source->emitted) source->marked = 1;
  source->emitted = emitted;
  busbar_set_position(batch, &emitted, sizeof emitted);
  return BUSBAR_OK;
}

static const busbar_source_t source_table = {
    .lifecycle = {.size = sizeof(busbar_source_t),
                  .create = source_create,
                  .start = source_start,
                  .destroy = source_destroy},
    .poll = source_poll,
};

BENCH_PLUGIN(BUSBAR_SOURCE, "load", source_table)
