/* What the files of the soak plugin share. SOAK_FAIL_CREATE, _RESTORE and _START build a version that fails there. */
#ifndef SOAK_H
#define SOAK_H

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "busbar_sdk.h"
#include "busbar_json.h"

#define SOAK_NAME_MAX 16

extern const busbar_source_t soak_numbers;
extern const busbar_source_t soak_port;
extern const busbar_processor_t soak_windows;
extern const busbar_reaction_t soak_sink;

/* Bytes that are to be written to a file as a whole. */
typedef struct soak_text {
  char *bytes;
  size_t length, capacity;
} soak_text_t;

/* Opens a file of lines to append to, without the torn line that a killed process may have left. -1 with errno. */
int soak_open_lines(const char *path);
/* Appends as printf does. 1, or 0 without memory. */
int soak_print(soak_text_t *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Writes all of it and takes out what was written. 1, or 0 with errno. */
int soak_write(int file, soak_text_t *text);
void soak_free(soak_text_t *text);

static inline int64_t soak_integer(const busbar_context_t *context, const char *name, int64_t otherwise) {
  busbar_json_integer(busbar_json_get(busbar_json(context->config), name), &otherwise);
  return otherwise;
}

/* To be freed; null where it is missing. */
static inline char *soak_string(const busbar_context_t *context, const char *name) {
  return busbar_json_text(busbar_json_get(busbar_json(context->config), name));
}

/* Seconds of a clock that only goes on. */
static inline double soak_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Appends "<name> <number>" as the next event of a source. 1, or 0 when the batch is full. */
static inline int soak_append(busbar_batch_t *batch, const char *name, uint64_t number) {
  char text[SOAK_NAME_MAX + 24];
  busbar_event_t event = {.payload = text, .content_type = BUSBAR_CONTENT_TEXT};
  event.payload_length = (uint32_t)snprintf(text, sizeof text, "%s %" PRIu64, name, number);
  return busbar_append(batch, &event);
}

#endif
