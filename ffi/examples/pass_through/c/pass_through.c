/* pass-through-c: copies each event to its output, for measuring what an SDK costs. */
#include <stdlib.h>

#include "busbar_sdk.h"

typedef struct pass {
  const busbar_context_t *context;
} pass_t;

static int32_t pass_create(const busbar_context_t *context, void **self) {
  pass_t *pass = malloc(sizeof *pass);
  if (pass == NULL) return busbar_error(context, BUSBAR_FAILED, "Cannot create the processor: out of memory");
  pass->context = context;
  *self = pass;
  return BUSBAR_OK;
}

static void pass_destroy(void *self) { free(self); }

static int32_t pass_process(void *self, busbar_batch_t *batch) {
  const pass_t *pass = self;
  busbar_batch_t *out = batch->out[0];
  busbar_iterator_t it = busbar_iterate_from(batch, batch->cursor);
  const busbar_record_t *record;
  uint64_t at;
  for (at = busbar_offset(&it); (record = busbar_next(&it)) != NULL; at = busbar_offset(&it)) {
    if (busbar_copy(out, record)) continue;
    batch->cursor = at;
    return BUSBAR_MORE;
  }
  return it.malformed ? busbar_malformed(pass->context, batch, &it) : BUSBAR_OK;
}

static const busbar_processor_t pass = {
    .lifecycle = {.size = sizeof(busbar_processor_t), .create = pass_create, .destroy = pass_destroy},
    .process = pass_process,
};

BUSBAR_PLUGIN(BUSBAR_COMPONENT(BUSBAR_PROCESSOR, "pass", pass))
