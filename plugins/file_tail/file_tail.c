/* file-tail: the source "tail". See README.md. */
#define _GNU_SOURCE
#include "tail.h"

#include <stdlib.h>

static void report(tail_t *t) {
  const busbar_host_t *host = t->context->host;
  if (t->truncated > 0) host->counter(t->context, busbar_string("lines_truncated_total"), t->truncated);
  t->truncated = 0;
  if (t->opened != t->opened_reported) host->gauge(t->context, busbar_string("files_open"), t->opened);
  t->opened_reported = t->opened;
}

static void destroy(void *self) {
  tail_t *t = (tail_t *)self;
  tail_clear(t);
  tail_settings_free(&t->settings);
  free(t->files);
  free(t->buffer);
  free(t->attributes);
  free(t->saved);
  free(t->given);
  free(t);
}

static int32_t create(const busbar_context_t *context, void **self) {
  tail_t *t = (tail_t *)calloc(1, sizeof *t);
  if (t == NULL) return busbar_error(context, BUSBAR_FATAL, "Cannot create the source: no memory");
  t->context = context;
  t->window_of = TAIL_NONE;
  t->watch.inotify = -1;
  if (!tail_settings_read(&t->settings, context)) {
    destroy(t);
    return BUSBAR_FAILED;
  }
  t->buffer_size = TAIL_FINGERPRINT + (t->settings.max_line + 2 > TAIL_READ ? (size_t)t->settings.max_line + 2 : TAIL_READ);
  t->buffer = (uint8_t *)malloc(t->buffer_size);
  t->saved = (uint8_t *)malloc(BUSBAR_POSITION_MAX);
  if (t->buffer == NULL || t->saved == NULL) {
    destroy(t);
    return busbar_error(context, BUSBAR_FATAL, "Cannot create the source: no memory");
  }
  *self = t;
  return BUSBAR_OK;
}

/* After a stop it goes on where it was, unless the host has set another position since. */
static int restore_position(tail_t *t) {
  const busbar_bytes_t *position = &t->context->position;
  int same = t->given != NULL && position->length == t->given_length &&
             (position->length == 0 || memcmp(position->data, t->given, (size_t)position->length) == 0);
  uint8_t *copy;
  if (same) return t->saved_length == 0 || tail_position_read(t, t->saved, t->saved_length);
  copy = (uint8_t *)malloc((size_t)position->length + 1);
  if (copy == NULL) {
    busbar_error(t->context, BUSBAR_FAILED, "Cannot start: no memory");
    return 0;
  }
  if (position->length > 0) memcpy(copy, position->data, (size_t)position->length);
  free(t->given);
  t->given = copy;
  t->given_length = position->length;
  return position->length == 0 || tail_position_read(t, position->data, position->length);
}

static int32_t start(void *self) {
  tail_t *t = (tail_t *)self;
  int error;
  t->scanned = 0;
  if (!restore_position(t)) return BUSBAR_FAILED;
  if (!t->settings.once) {
    error = tail_watch_start(&t->watch, t->context, &t->settings);
    if (error != 0) {
      tail_clear(t);
      return busbar_error(t->context, BUSBAR_FAILED, "Cannot start the watching thread: %s", strerror(error));
    }
  }
  tail_scan(t);
  report(t);
  return BUSBAR_OK;
}

static int32_t stop(void *self) {
  tail_t *t = (tail_t *)self;
  tail_watch_stop(&t->watch);
  t->saved_length = tail_position_write(t, t->saved);
  tail_clear(t);
  report(t);
  return BUSBAR_OK;
}

static int32_t poll_lines(void *self, busbar_batch_t *batch) {
  tail_t *t = (tail_t *)self;
  uint32_t changed = tail_watch_take(&t->watch), i;
  int32_t status;
  if (changed & TAIL_CHANGED_FOLDERS) tail_scan(t);
  /* A file that is closed for want of descriptors is looked at by the scan. */
  for (i = 0; i < t->count && changed != 0; i++)
    if (t->files[i].fd >= 0) t->files[i].idle = 0;
  if (tail_position_bound(t) > batch->position_capacity)
    return busbar_error(t->context, BUSBAR_FAILED, "Cannot give a position: %u files need up to %u bytes, there is room for %u", t->count,
                        tail_position_bound(t), batch->position_capacity);
  status = tail_read(t, batch);
  if (batch->count > 0) batch->position_length = tail_position_write(t, batch->position);
  report(t);
  if (status == BUSBAR_OK && batch->count == 0 && batch->required == 0) { /* all that was read is to be skipped */
    t->context->host->wake(t->context);
    return BUSBAR_AGAIN;
  }
  if (status == BUSBAR_AGAIN && t->settings.once) return batch->count > 0 ? BUSBAR_OK : BUSBAR_DONE;
  return status;
}

static int32_t commit(void *self, const busbar_bytes_t *position) {
  (void)self, (void)position; /* files keep their lines without being asked to */
  return BUSBAR_OK;
}

static int32_t health(void *self, busbar_health_t *health) {
  tail_t *t = (tail_t *)self;
  if (t->problem_count == 0) return BUSBAR_OK;
  health->message = busbar_string(t->problem);
  return BUSBAR_FAILED;
}

static const busbar_source_t table = {
    {sizeof(busbar_source_t), 0, create, NULL, start, stop, NULL, destroy, health, {NULL}},
    poll_lines,
    commit,
    NULL,
};

static const busbar_component_t component = {sizeof component, BUSBAR_SOURCE, "tail", &table};
static const busbar_component_t *const components[] = {&component};
static const busbar_plugin_t plugin = {sizeof plugin, 1, components, NULL, {0}};

BUSBAR_EXPORT const busbar_plugin_t *busbar_plugin(const busbar_host_t *host) {
  (void)host;
  return &plugin;
}
