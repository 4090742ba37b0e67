/* Source `numbers`: replayable. Its position is the last number handed out, 8 bytes. The highest that was ever handed out
 * stands in "<raw file>.highest": it does not end before it has handed out that one again, whatever it died of. */
#include "soak.h"

typedef struct numbers {
  const busbar_context_t *context;
  char *name, *raw_path, *stop_path;
  int64_t rate;
  int raw, marks;
  uint64_t last, highest;
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
  n->raw = n->marks = -1;
  *self = n;
  return BUSBAR_OK;
#endif
}

static int32_t numbers_stop(void *self) {
  numbers_t *n = self;
  if (n->raw >= 0) close(n->raw);
  if (n->marks >= 0) close(n->marks);
  n->raw = n->marks = -1;
  return BUSBAR_OK;
}

static int32_t numbers_start(void *self) {
  numbers_t *n = self;
  busbar_bytes_t position = n->context->position;
  char path[4096];
#ifdef SOAK_FAIL_START
  return busbar_error(n->context, BUSBAR_FAILED, "Cannot start: this version was built to fail there");
#endif
  n->last = 0;
  if (position.length == sizeof n->last) memcpy(&n->last, position.data, sizeof n->last);
  else if (position.length > 0)
    return busbar_error(n->context, BUSBAR_FAILED, "Cannot resume: position has %" PRIu64 " bytes, not 8", position.length);
  snprintf(path, sizeof path, "%s.highest", n->raw_path);
  n->raw = soak_open_lines(n->raw_path);
  n->marks = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (n->raw < 0 || n->marks < 0) {
    busbar_error(n->context, BUSBAR_FAILED, "Cannot open \"%s\": %s", n->raw_path, strerror(errno));
    return numbers_stop(n), BUSBAR_FAILED;
  }
  if (pread(n->marks, &n->highest, sizeof n->highest, 0) != sizeof n->highest) n->highest = 0;
  n->allowed = 0;
  n->checked = soak_seconds();
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
  if (access(n->stop_path, F_OK) == 0) {
    if (n->last >= n->highest) return BUSBAR_DONE;
    if (n->allowed > (double)(n->highest - n->last)) n->allowed = (double)(n->highest - n->last);
  }
  while (n->allowed >= 1 && soak_append(batch, n->name, last + 1)) {
    last += 1;
    n->allowed -= 1;
    if (!soak_print(&n->lines, "%" PRIu64 "\n", last)) return BUSBAR_FATAL;
  }
  if (batch->count == before) return BUSBAR_AGAIN;
  /* What was handed out is in the file, whatever happens next. */
  if (!soak_write(n->raw, &n->lines)) return busbar_error(n->context, BUSBAR_FATAL, "Cannot write \"%s\"", n->raw_path);
  if (last > n->highest) {
    n->highest = last;
    if (pwrite(n->marks, &last, sizeof last, 0) != sizeof last) return BUSBAR_FATAL;
  }
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
