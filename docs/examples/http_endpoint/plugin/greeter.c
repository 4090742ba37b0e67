/* Service `greet` and hook `stamp`. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "busbar_json.h"
#include "busbar_sdk.h"

#define SLOTS 8 /* `concurrency` in plugin.json: calls at once, each with a slot of its own */
#define LONGEST_NAME 100

/* ---- greet ---------------------------------------------------------------------------------------------------------- */

typedef struct greet {
  char *greeting;
  char answers[SLOTS][512]; /* an answer must stay until the next call with its slot */
} greet_t;

static const busbar_header_t json[] = {
    {.name = {.data = "content-type", .length = 12}, .value = {.data = "application/json", .length = 16}},
};

static int32_t greet_create(const busbar_context_t *context, void **self) {
  greet_t *g = calloc(1, sizeof *g);
  if (g == NULL) return BUSBAR_FATAL;
  g->greeting = busbar_json_text(busbar_json_get(busbar_json(context->config), "greeting"));
  *self = g;
  return BUSBAR_OK;
}

static void greet_destroy(void *self) {
  free(((greet_t *)self)->greeting);
  free(self);
}

/* Whom to greet: the input, or what stands behind the last slash of the path. */
static busbar_string_t name_of(const busbar_call_t *call) {
  busbar_string_t name = {.data = (const char *)call->body.data, .length = call->body.length};
  if (name.length > 0) return name;
  name = call->path;
  for (uint64_t i = call->path.length; i > 0; i--) {
    if (call->path.data[i - 1] != '/') continue;
    name.data = call->path.data + i;
    name.length = call->path.length - i;
    break;
  }
  return name;
}

/* Only what needs no escapes in JSON is a name here. */
static int is_name(busbar_string_t name) {
  for (uint64_t i = 0; i < name.length; i++) {
    unsigned char c = (unsigned char)name.data[i];
    if (c < ' ' || c == '"' || c == '\\' || c == '%') return 0;
  }
  return name.length > 0 && name.length <= LONGEST_NAME;
}

static int32_t greet_execute(void *self, busbar_call_t *call) {
  greet_t *g = self;
  busbar_string_t name = name_of(call);
  char *answer = g->answers[call->slot];
  int length;
  if (!is_name(name)) {
    static const char refused[] = "{\"error\":\"That is no name\"}";
    busbar_answer(call, 400, refused, sizeof refused - 1);
  } else {
    length = snprintf(answer, sizeof g->answers[0], "{\"greeting\":\"%s, %.*s\"}", g->greeting, (int)name.length, name.data);
    busbar_answer(call, 200, answer, (uint64_t)length);
  }
  busbar_answer_headers(call, json, 1);
  return BUSBAR_OK;
}

static const busbar_service_t greet_table = {
    .lifecycle = {.size = sizeof(busbar_service_t), .create = greet_create, .destroy = greet_destroy},
    .execute = greet_execute,
};

/* ---- stamp ---------------------------------------------------------------------------------------------------------- */

#define HEADERS 64

typedef struct stamp {
  busbar_header_t headers[SLOTS][HEADERS];
} stamp_t;

static int32_t stamp_create(const busbar_context_t *context, void **self) {
  (void)context;
  *self = calloc(1, sizeof(stamp_t));
  return *self == NULL ? BUSBAR_FATAL : BUSBAR_OK;
}

static int32_t stamp_after_response(void *self, busbar_call_t *call) {
  busbar_header_t *headers = ((stamp_t *)self)->headers[call->slot];
  uint32_t count = call->answer_header_count;
  if (count >= HEADERS) return BUSBAR_OK;
  if (count > 0) memcpy(headers, call->answer_headers, count * sizeof *headers);
  headers[count].name = busbar_string("x-greeter");
  headers[count].value = busbar_string("1");
  busbar_answer_headers(call, headers, count + 1);
  return BUSBAR_OK;
}

static const busbar_hook_t stamp_table = {
    .lifecycle = {.size = sizeof(busbar_hook_t), .create = stamp_create, .destroy = free},
    .after_response = stamp_after_response,
};

/* ---- The plugin ----------------------------------------------------------------------------------------------------- */

static const busbar_component_t greet = {sizeof greet, BUSBAR_SERVICE, "greet", &greet_table};
static const busbar_component_t stamp = {sizeof stamp, BUSBAR_HOOK, "stamp", &stamp_table};
static const busbar_component_t *const components[] = {&greet, &stamp};

BUSBAR_EXPORT const busbar_plugin_t *busbar_plugin(const busbar_host_t *host) {
  static const busbar_plugin_t root = {.size = sizeof root, .component_count = 2, .components = components};
  (void)host;
  return &root;
}
