/* {{name}}: a bootstrap that gives numbered elements. */
#include <stdlib.h>

#include "busbar_json.h"
#include "busbar_sdk.h"

typedef struct elements {
  int64_t count;
  int64_t next;
} elements_t;

static int32_t create(const busbar_context_t *context, void **self) {
  elements_t *elements = calloc(1, sizeof *elements);
  if (elements == NULL) return busbar_error(context, BUSBAR_FAILED, "Cannot create: out of memory");
  elements->count = 3;
  busbar_json_integer(busbar_json_get(busbar_json(context->config), "count"), &elements->count);
  *self = elements;
  return BUSBAR_OK;
}

static int32_t start(void *self) {
  ((elements_t *)self)->next = 0;
  return BUSBAR_OK;
}

static void destroy(void *self) { free(self); }

static int32_t fetch(void *self, busbar_batch_t *batch) {
  elements_t *elements = self;
  while (elements->next < elements->count) {
    char key[32], payload[48];
    long long number = (long long)elements->next + 1;
    busbar_event_t event = {
        .key = key,
        .key_length = (uint32_t)snprintf(key, sizeof key, "element-%lld", number),
        .payload = payload,
        .payload_length = (uint32_t)snprintf(payload, sizeof payload, "{\"number\":%lld}", number),
        .operation = BUSBAR_OP_INSERT,
        .content_type = BUSBAR_CONTENT_JSON,
        .flags = BUSBAR_RECORD_BOOTSTRAP,
    };
    if (!busbar_append(batch, &event)) return BUSBAR_MORE;
    elements->next++;
  }
  return BUSBAR_DONE;
}

static const busbar_bootstrap_t elements = {
    .lifecycle = {.size = sizeof(busbar_bootstrap_t), .create = create, .start = start, .destroy = destroy},
    .fetch = fetch,
};

BUSBAR_PLUGIN(BUSBAR_COMPONENT(BUSBAR_BOOTSTRAP, "elements", elements))
