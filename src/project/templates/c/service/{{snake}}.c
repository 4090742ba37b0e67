/* {{name}}: a service that answers with its input in capitals. */
#include <stdlib.h>

#include "busbar_sdk.h"

typedef struct shout {
  uint8_t *answer; /* kept until the next call */
} shout_t;

static int32_t create(const busbar_context_t *context, void **self) {
  shout_t *shout = calloc(1, sizeof *shout);
  if (shout == NULL) return busbar_error(context, BUSBAR_FAILED, "Cannot create: out of memory");
  *self = shout;
  return BUSBAR_OK;
}

static void destroy(void *self) {
  shout_t *shout = self;
  free(shout->answer);
  free(shout);
}

static int32_t execute(void *self, busbar_call_t *call) {
  shout_t *shout = self;
  uint64_t length = call->body.length, i;
  uint8_t *answer;
  if (length == 0) return busbar_call_error(call, BUSBAR_INVALID, "Cannot shout: the input is empty");
  answer = realloc(shout->answer, length);
  if (answer == NULL) return busbar_call_error(call, BUSBAR_FAILED, "Cannot shout: out of memory");
  shout->answer = answer;
  for (i = 0; i < length; i++) {
    uint8_t byte = call->body.data[i];
    answer[i] = byte >= 'a' && byte <= 'z' ? (uint8_t)(byte - ('a' - 'A')) : byte;
  }
  busbar_answer(call, 200, answer, length);
  return BUSBAR_OK;
}

static const busbar_service_t shout = {
    .lifecycle = {.size = sizeof(busbar_service_t), .create = create, .destroy = destroy},
    .execute = execute,
};

BUSBAR_PLUGIN(BUSBAR_COMPONENT(BUSBAR_SERVICE, "shout", shout))
