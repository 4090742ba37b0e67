/* Source `numbers`: replayable. Its position is the last number handed out, 8 bytes. */
#include "soak.h"

typedef struct numbers {
  const busbar_context_t *context;
  char *name, *raw_path, *stop_path;
  int64_t rate;
  int raw;
  uint64_t last;
  double allowed, checked; /* how many may be handed out now; when that was reckoned */
  soak_text_t lines;
} numbers_t;

static void numbers_destroy(void *self) {
  numbers_t *n = self;
  soak_free(&n->lines);
  free(n->name);
  free(n->raw_path);
  free(n->stop_path);
  free(n);
}

static int32_t numbers_create(const busbar_context_t *context, void **self) {
#ifdef SOAK_FAIL_CREATE
  (void)self;
  return busbar_error(context, BUSBAR_FAILED, "Cannot create: this version was built to fail there");
#else
  numbers_t *n = calloc(1, sizeof *n);
  if (n == NULL) return BUSBAR_FATAL;
  n->context = context;
  n->name = soak_string(context, "name");
  n->raw_path = soak_string(context, "raw_file");
  n->stop_path = soak_string(context, "stop_file");
  n->rate = soak_integer(context, "rate", 1000);
  n->raw = -1;
  *self = n;
  return BUSBAR_OK;
#endif
}

static int32_t numbers_start(void *self) {
  numbers_t *n = self;
  busbar_bytes_t position = n->context->position;
#ifdef SOAK_FAIL_START
  return busbar_error(n->context, BUSBAR_FAILED, "Cannot start: this version was built to fail there");
#endif
  n->last = 0;
  if (position.length == sizeof n->last) memcpy(&n->last, position.data, sizeof n->last);
  else if (position.length > 0)
    return busbar_error(n->context, BUSBAR_FAILED, "Cannot resume: position has %" PRIu64 " bytes, not 8", position.length);
  n->raw = soak_open_lines(n->raw_path);
  if (n->raw < 0) return busbar_error(n->context, BUSBAR_FAILED, "Cannot open \"%s\": %s", n->raw_path, strerror(errno));
  n->allowed = 0;
  n->checked = soak_seconds();
  return BUSBAR_OK;
}

static int32_t numbers_stop(void *self) {
  numbers_t *n = self;
  close(n->raw);
  n->raw = -1;
  return BUSBAR_OK;
}

static int32_t numbers_poll(void *self, busbar_batch_t *batch) {
  numbers_t *n = self;
  uint32_t before = batch->count;
  uint64_t last = n->last;
  double now = soak_seconds(), most = (double)n->rate;
  n->allowed += (now - n->checked) * (double)n->rate;
  if (n->allowed > most) n->allowed = most;
  n->checked = now;
  if (access(n->stop_path, F_OK) == 0) return BUSBAR_DONE;
  while (n->allowed >= 1 && soak_append(batch, n->name, last + 1)) {
    last += 1;
    n->allowed -= 1;
    if (!soak_print(&n->lines, "%" PRIu64 "\n", last)) return BUSBAR_FATAL;
  }
  if (batch->count == before) return BUSBAR_AGAIN;
  /* What was handed out is in the file, whatever happens next. */
  if (!soak_write(n->raw, &n->lines)) return busbar_error(n->context, BUSBAR_FATAL, "Cannot write \"%s\"", n->raw_path);
  n->last = last;
  busbar_set_position(batch, &n->last, sizeof n->last);
  return BUSBAR_OK;
}

const busbar_source_t soak_numbers = {
    .lifecycle = {.size = sizeof(busbar_source_t),
                  .create = numbers_create,
                  .start = numbers_start,
                  .stop = numbers_stop,
                  .destroy = numbers_destroy},
    .poll = numbers_poll,
};
