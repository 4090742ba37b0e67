/* {{name}}: a processor that turns ASCII letters of payloads into capitals. */
#include <stdlib.h>

#include "busbar_json.h"
#include "busbar_sdk.h"

typedef struct upper {
  const busbar_context_t *context;
  int skip_empty;
} upper_t;

static int32_t create(const busbar_context_t *context, void **self) {
  upper_t *upper = calloc(1, sizeof *upper);
  if (upper == NULL) return busbar_error(context, BUSBAR_FAILED, "Cannot create: out of memory");
  upper->context = context;
  busbar_json_bool(busbar_json_get(busbar_json(context->config), "skip_empty"), &upper->skip_empty);
  *self = upper;
  return BUSBAR_OK;
}

static void destroy(void *self) { free(self); }

/* Copies the record, then changes the payload of the copy: what is read belongs to others as well. */
static int copy_upper(busbar_batch_t *out, const busbar_record_t *record) {
  uint64_t at = out->length;
  uint8_t *payload;
  uint32_t i;
  if (!busbar_copy(out, record)) return 0;
  payload = out->data + at + sizeof *record + record->key_length;
  for (i = 0; i < record->payload_length; i++)
    if (payload[i] >= 'a' && payload[i] <= 'z') payload[i] -= 'a' - 'A';
  return 1;
}

static int32_t process(void *self, busbar_batch_t *batch) {
  upper_t *upper = self;
  busbar_iterator_t it = busbar_iterate_from(batch, batch->cursor);
  const busbar_record_t *record;
  uint64_t at = batch->cursor;
  while ((record = busbar_next(&it)) != NULL) {
    int skipped = upper->skip_empty && record->payload_length == 0;
    if (!skipped && !copy_upper(batch->out[0], record)) {
      batch->cursor = at;
      return BUSBAR_MORE;
    }
    at = busbar_offset(&it);
  }
  return it.malformed ? busbar_malformed(upper->context, batch, &it) : BUSBAR_OK;
}

static const busbar_processor_t upper = {
    .lifecycle = {.size = sizeof(busbar_processor_t), .create = create, .destroy = destroy},
    .process = process,
};

BUSBAR_PLUGIN(BUSBAR_COMPONENT(BUSBAR_PROCESSOR, "upper", upper))
