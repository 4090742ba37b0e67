/* {{name}}: a source that gives numbered greetings. */
#include <stdlib.h>

#include "busbar_json.h"
#include "busbar_sdk.h"

typedef struct greeter {
  const busbar_context_t *context;
  char *text;
  int64_t count;
  int64_t next; /* how many were given; it is also the position */
} greeter_t;

static void destroy(void *self) {
  greeter_t *greeter = self;
  free(greeter->text);
  free(greeter);
}

/* Reads the settings; takes nothing exclusive. */
static int32_t create(const busbar_context_t *context, void **self) {
  busbar_json_t config = busbar_json(context->config);
  greeter_t *greeter = calloc(1, sizeof *greeter);
  if (greeter == NULL) return busbar_error(context, BUSBAR_FAILED, "Cannot create: out of memory");
  greeter->context = context;
  greeter->count = 10;
  busbar_json_integer(busbar_json_get(config, "count"), &greeter->count);
  greeter->text = busbar_json_text(busbar_json_get(config, "text"));
  *self = greeter;
  return BUSBAR_OK;
}

/* Goes on after the position; without one, from the beginning. */
static int32_t start(void *self) {
  greeter_t *greeter = self;
  busbar_bytes_t position = greeter->context->position;
  greeter->next = 0;
  if (position.length == 0) return BUSBAR_OK;
  if (position.length != sizeof greeter->next)
    return busbar_error(greeter->context, BUSBAR_FAILED, "Cannot resume: the position has %llu bytes, not 8",
                        (unsigned long long)position.length);
  memcpy(&greeter->next, position.data, sizeof greeter->next);
  return BUSBAR_OK;
}

/* Fills the batch as far as it goes. */
static int32_t poll(void *self, busbar_batch_t *batch) {
  greeter_t *greeter = self;
  const char *text = greeter->text == NULL ? "hello" : greeter->text;
  while (greeter->next < greeter->count) {
    char line[512];
    int length = snprintf(line, sizeof line, "%.400s %lld", text, (long long)greeter->next + 1);
    busbar_event_t event = {.payload = line, .payload_length = (uint32_t)length, .content_type = BUSBAR_CONTENT_TEXT};
    if (!busbar_append(batch, &event)) break;
    greeter->next++;
  }
  busbar_set_position(batch, &greeter->next, sizeof greeter->next);
  return greeter->next < greeter->count ? BUSBAR_OK : BUSBAR_DONE;
}

static const busbar_source_t greet = {
    .lifecycle = {.size = sizeof(busbar_source_t), .create = create, .start = start, .destroy = destroy},
    .poll = poll,
};

BUSBAR_PLUGIN(BUSBAR_COMPONENT(BUSBAR_SOURCE, "greet", greet))
