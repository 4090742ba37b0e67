/* {{name}}: a hook that lets only requests with the right token pass. */
#include <stdlib.h>

#include "busbar_json.h"
#include "busbar_sdk.h"

typedef struct guard {
  char *token;
  size_t length;
} guard_t;

static void destroy(void *self) {
  guard_t *guard = self;
  free(guard->token);
  free(guard);
}

static int32_t create(const busbar_context_t *context, void **self) {
  guard_t *guard = calloc(1, sizeof *guard);
  if (guard == NULL) return busbar_error(context, BUSBAR_FAILED, "Cannot create: out of memory");
  guard->token = busbar_json_text(busbar_json_get(busbar_json(context->config), "token"));
  if (guard->token == NULL || guard->token[0] == 0) {
    destroy(guard);
    return busbar_error(context, BUSBAR_FAILED, "Cannot create: \"token\" is missing");
  }
  guard->length = strlen(guard->token);
  *self = guard;
  return BUSBAR_OK;
}

/* Looks at every byte, so that the time it takes does not tell how much was right. */
static int same(const guard_t *guard, busbar_string_t given) {
  unsigned char differs = 0;
  size_t i;
  if (given.length != guard->length) return 0;
  for (i = 0; i < guard->length; i++) differs |= (unsigned char)(given.data[i] ^ guard->token[i]);
  return differs == 0;
}

static int32_t before_request(void *self, busbar_call_t *call) {
  static const char refusal[] = "the header x-token is missing or wrong\n";
  busbar_string_t given = {NULL, 0};
  if (busbar_request_header(call, "x-token", &given) && same(self, given)) return BUSBAR_OK;
  busbar_answer(call, 401, refusal, sizeof refusal - 1);
  return BUSBAR_DONE;
}

static const busbar_hook_t guard = {
    .lifecycle = {.size = sizeof(busbar_hook_t), .create = create, .destroy = destroy},
    .before_request = before_request,
};

BUSBAR_PLUGIN(BUSBAR_COMPONENT(BUSBAR_HOOK, "guard", guard))
