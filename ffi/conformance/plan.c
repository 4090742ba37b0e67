/* Reads the plan. */
#include <errno.h>

#include "conformance.h"

static _Noreturn void refuse(const char *what, const char *why) {
  fprintf(stderr, "Cannot read the plan: %s: %s\n", what, why);
  exit(2);
}

static char *read_file(const char *path, uint64_t *length) {
  FILE *file = fopen(path, "rb");
  char *text;
  long size;
  if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0) refuse(path, strerror(errno));
  rewind(file);
  text = malloc((size_t)size + 1);
  if (text == NULL || fread(text, 1, (size_t)size, file) != (size_t)size) refuse(path, "cannot be read whole");
  fclose(file);
  text[size] = 0;
  *length = (uint64_t)size;
  return text;
}

/* Text with its length, since a JSON string may hold NULs. */
static char *text_of(busbar_json_t value, size_t *length) {
  size_t room = (size_t)(value.end - value.at) + 1;
  char *text;
  if (busbar_json_type(value) != BUSBAR_JSON_STRING) return NULL;
  text = malloc(room);
  if (text == NULL || !busbar_json_string(value, text, room, length)) {
    free(text);
    return NULL;
  }
  return text;
}

static char *need_text(busbar_json_t object, const char *name) {
  char *text = busbar_json_text(busbar_json_get(object, name));
  if (text == NULL) refuse(name, "not a text");
  return text;
}

static int64_t integer_or(busbar_json_t object, const char *name, int64_t otherwise) {
  busbar_json_integer(busbar_json_get(object, name), &otherwise);
  return otherwise;
}

static int truth(busbar_json_t object, const char *name) {
  int value = 0;
  busbar_json_bool(busbar_json_get(object, name), &value);
  return value;
}

static texts_t texts_of(busbar_json_t array) {
  busbar_json_iterator_t it = busbar_json_iterate(array);
  texts_t texts = {NULL, NULL, 0};
  while (busbar_json_next(&it)) {
    texts.at = realloc(texts.at, (texts.count + 1) * sizeof *texts.at);
    texts.lengths = realloc(texts.lengths, (texts.count + 1) * sizeof *texts.lengths);
    if (texts.at == NULL || texts.lengths == NULL) refuse("configs", "out of memory");
    texts.at[texts.count] = text_of(it.value, &texts.lengths[texts.count]);
    if (texts.at[texts.count] == NULL) refuse("configs", "not an array of texts");
    texts.count += 1;
  }
  return texts;
}

static const char *const KIND_NAMES[] = {"", "source", "processor", "reaction", "bootstrap", "service", "hook"};

const char *kind_name(uint32_t kind) { return kind <= BUSBAR_HOOK ? KIND_NAMES[kind] : ""; }

uint32_t plan_kind(const char *name) {
  for (uint32_t kind = BUSBAR_SOURCE; kind <= BUSBAR_HOOK; kind++)
    if (strcmp(name, KIND_NAMES[kind]) == 0) return kind;
  refuse("kind", name);
}

void plan_read(plan_t *plan, const char *path) {
  uint64_t length;
  char *text = read_file(path, &length);
  busbar_json_t root = busbar_json((busbar_string_t){text, length}), component, configs;
  char *kind, *slash;
  if (busbar_json_type(root) != BUSBAR_JSON_OBJECT) refuse(path, "not a JSON object");
  component = busbar_json_get(root, "component");
  configs = busbar_json_get(root, "configs");
  plan->root = root;
  plan->library = need_text(root, "library");
  plan->work = need_text(root, "work");
  plan->folder = busbar_json_text(busbar_json_get(root, "folder"));
  if (plan->folder == NULL) {
    plan->folder = strdup(plan->library);
    slash = plan->folder == NULL ? NULL : strrchr(plan->folder, '/');
    if (slash == NULL) refuse("library", "not an absolute path");
    *slash = 0;
  }
  plan->component = need_text(component, "name");
  kind = need_text(component, "kind");
  plan->kind = plan_kind(kind);
  free(kind);
  plan->language = busbar_json_text(busbar_json_get(component, "language"));
  /* Drives have one stream for what anything but a processor gives. */
  plan->outputs = plan->kind == BUSBAR_PROCESSOR ? (uint32_t)integer_or(component, "outputs", 1) : 1;
  if (plan->outputs > OUTPUTS_MAX) refuse("outputs", "more than 64");
  plan->concurrency = (uint32_t)integer_or(component, "concurrency", 1);
  plan->tick_ms = integer_or(component, "tick_ms", 0);
  plan->blocking = truth(component, "blocking");
  plan->replayable = truth(component, "replayable");
  plan->seed = (uint32_t)integer_or(root, "seed", 1);
  plan->timeout_ms = integer_or(root, "timeout_ms", 10000);
  plan->memory_mb = integer_or(root, "memory_mb", 0);
  plan->slow_ms = integer_or(root, "slow_ms", 1000);
  plan->patience_ms = integer_or(root, "patience_ms", 3000);
  plan->orders_ms = integer_or(root, "orders_ms", 1500);
  plan->events = integer_or(root, "events", -1);
  plan->config = text_of(busbar_json_get(root, "config"), &plan->config_length);
  if (plan->config == NULL) plan->config = strdup("{}"), plan->config_length = 2;
  plan->valid = texts_of(busbar_json_get(configs, "valid"));
  plan->defaults = texts_of(busbar_json_get(configs, "default"));
  plan->invalid = texts_of(busbar_json_get(configs, "invalid"));
  plan->huge = texts_of(busbar_json_get(configs, "huge"));
  plan->random = texts_of(busbar_json_get(configs, "random"));
  plan->files = busbar_json_get(root, "files");
  plan->input = busbar_json_get(root, "input");
  plan->requests = busbar_json_get(root, "requests");
  plan->feed = busbar_json_get(root, "feed");
  plan->components = busbar_json_get(root, "components");
  plan->checks = busbar_json_get(root, "checks");
  plan->bench = busbar_json_get(root, "bench");
}

static int base64_digit(char c) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const char *at = c == 0 ? NULL : strchr(digits, c);
  return at == NULL ? -1 : (int)(at - digits);
}

uint8_t *plan_base64(busbar_json_t value, size_t *length) {
  size_t text_length = 0, n = 0;
  char *text = text_of(value, &text_length);
  uint8_t *bytes = malloc(text_length + 1);
  uint32_t bits = 0;
  int held = 0;
  if (bytes == NULL) refuse("base64", "out of memory");
  for (size_t at = 0; text != NULL && at < text_length && text[at] != '='; at++) {
    int digit = base64_digit(text[at]);
    if (digit < 0) refuse("base64", "not base64");
    bits = bits << 6 | (uint32_t)digit;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes[n++] = (uint8_t)(bits >> held);
  }
  free(text);
  *length = n;
  return bytes;
}
