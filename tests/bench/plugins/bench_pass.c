/* The processor of the benchmark: copies every record to its only output. */
#include "bench.h"

static int32_t pass_create(const busbar_context_t *context, void **self) {
  static const char nothing;
  (void)context;
  *self = (void *)(uintptr_t)&nothing; /* it has no state */
  return BUSBAR_OK;
}

static void pass_destroy(void *self) { (void)self; }

static int32_t pass_process(void *self, busbar_batch_t *batch) {
  busbar_iterator_t it = busbar_iterate_from(batch, batch->cursor);
  busbar_batch_t *out = batch->out[0];
  const busbar_record_t *record;
  uint64_t offset = batch->cursor;
  (void)self;
  while ((record = busbar_next(&it)) != NULL) {
    if (!busbar_copy(out, record)) {
      batch->cursor = offset;
      return BUSBAR_MORE;
    }
    offset = busbar_offset(&it);
  }
  if (it.malformed) {
    batch->done = it.index;
    return BUSBAR_INVALID;
  }
  return BUSBAR_OK;
}

static const busbar_processor_t pass_table = {
    .lifecycle = {.size = sizeof(busbar_processor_t), .create = pass_create, .destroy = pass_destroy},
    .process = pass_process,
};

BENCH_PLUGIN(BUSBAR_PROCESSOR, "pass", pass_table)
