/* Processor `windows`: counts and adds up windows of numbers of each source. The open windows are its state. */
#include "soak.h"

#define WINDOWS_VERSION 1
#define SOURCES_MAX 8

/* One source's open window; count 0: none. */
typedef struct window {
  char name[SOAK_NAME_MAX];
  uint64_t index, count, sum;
} window_t;

typedef struct windows {
  const busbar_context_t *context;
  uint64_t size;
  window_t open[SOURCES_MAX], saved[SOURCES_MAX];
} windows_t;

static int32_t windows_create(const busbar_context_t *context, void **self) {
  windows_t *w = calloc(1, sizeof *w);
  if (w == NULL) return BUSBAR_FATAL;
  w->context = context;
  w->size = (uint64_t)soak_integer(context, "size", 100);
  *self = w;
  return BUSBAR_OK;
}

static void windows_destroy(void *self) { free(self); }

static int32_t windows_restore(void *self, const busbar_state_t *state) {
  windows_t *w = self;
#ifdef SOAK_FAIL_RESTORE
  return busbar_error(w->context, BUSBAR_INVALID, "Cannot restore: this version was built to fail there");
#endif
  if (state->version != WINDOWS_VERSION || state->data.length != sizeof w->open)
    return busbar_error(w->context, BUSBAR_INVALID, "Cannot restore: state has version %u", state->version);
  memcpy(w->open, state->data.data, sizeof w->open);
  return BUSBAR_OK;
}

static int32_t windows_save(void *self, busbar_state_t *state) {
  windows_t *w = self;
  memcpy(w->saved, w->open, sizeof w->saved);
  state->version = WINDOWS_VERSION;
  state->data.data = (const uint8_t *)w->saved;
  state->data.length = sizeof w->saved;
  return BUSBAR_OK;
}

/* 1, or 0 when the batch is full. */
static int emit(busbar_batch_t *out, const busbar_record_t *origin, const window_t *window) {
  char text[96];
  busbar_event_t event = {.payload = text, .content_type = BUSBAR_CONTENT_TEXT};
  event.payload_length = (uint32_t)snprintf(text, sizeof text, "%s %" PRIu64 " %" PRIu64 " %" PRIu64, window->name,
                                            window->index, window->count, window->sum);
  return busbar_derive(out, origin, &event);
}

/* The record's name and number. 1, or 0 when it has none. */
static int read_event(const busbar_record_t *record, char name[SOAK_NAME_MAX], uint64_t *number) {
  char text[SOAK_NAME_MAX + 24];
  if (record->payload_length >= sizeof text) return 0;
  memcpy(text, busbar_payload(record), record->payload_length);
  text[record->payload_length] = '\0';
  return sscanf(text, "%15s %" SCNu64, name, number) == 2 && *number > 0;
}

static int32_t windows_process(void *self, busbar_batch_t *batch) {
  windows_t *w = self;
  busbar_iterator_t it = busbar_iterate_from(batch, batch->cursor);
  const busbar_record_t *record;
  uint64_t at = busbar_offset(&it);
  while ((record = busbar_next(&it)) != NULL) {
    window_t *open = &w->open[record->source % SOURCES_MAX];
    char name[SOAK_NAME_MAX];
    window_t next;
    uint64_t number, index;
    if (!read_event(record, name, &number)) return BUSBAR_FATAL;
    index = (number - 1) / w->size;
    /* A window that another one interrupts was not complete: whoever reads that will see. */
    if (open->count > 0 && open->index != index) {
      if (!emit(batch->out[0], record, open)) goto full;
      open->count = 0;
    }
    next = *open;
    if (next.count == 0) {
      next.index = index;
      next.sum = 0;
      memcpy(next.name, name, sizeof next.name);
    }
    next.count += 1;
    next.sum += number;
    if (number % w->size == 0) {
      if (!emit(batch->out[0], record, &next)) goto full;
      next.count = 0;
    }
    *open = next;
    at = busbar_offset(&it);
  }
  return BUSBAR_OK;
full:
  batch->cursor = at;
  return BUSBAR_MORE;
}

const busbar_processor_t soak_windows = {
    .lifecycle = {.size = sizeof(busbar_processor_t),
                  .create = windows_create,
                  .restore = windows_restore,
                  .save = windows_save,
                  .destroy = windows_destroy},
    .process = windows_process,
};
