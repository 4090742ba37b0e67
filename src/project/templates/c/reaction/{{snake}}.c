/* {{name}}: a reaction that appends each payload to a file, as a line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "busbar_json.h"
#include "busbar_sdk.h"

typedef struct append {
  const busbar_context_t *context;
  char *path;
  FILE *file;
} append_t;

static void destroy(void *self) {
  append_t *append = self;
  free(append->path);
  free(append);
}

static int32_t create(const busbar_context_t *context, void **self) {
  append_t *append = calloc(1, sizeof *append);
  if (append == NULL) return busbar_error(context, BUSBAR_FAILED, "Cannot create: out of memory");
  append->context = context;
  append->path = busbar_json_text(busbar_json_get(busbar_json(context->config), "path"));
  if (append->path == NULL || append->path[0] == 0) {
    destroy(append);
    return busbar_error(context, BUSBAR_FAILED, "Cannot create: \"path\" is missing");
  }
  *self = append;
  return BUSBAR_OK;
}

static int32_t start(void *self) {
  append_t *append = self;
  append->file = fopen(append->path, "ae");
  if (append->file != NULL) return BUSBAR_OK;
  return busbar_error(append->context, BUSBAR_FAILED, "Cannot open \"%s\": %s", append->path, strerror(errno));
}

static int32_t failed(append_t *append) {
  clearerr(append->file);
  return busbar_error(append->context, BUSBAR_FAILED, "Cannot write to \"%s\": %s", append->path, strerror(errno));
}

static int32_t stop(void *self) {
  append_t *append = self;
  FILE *file = append->file;
  append->file = NULL;
  if (fclose(file) == 0) return BUSBAR_OK;
  return busbar_error(append->context, BUSBAR_FAILED, "Cannot close \"%s\": %s", append->path, strerror(errno));
}

/* What is accepted may come again after a crash, until flush has returned OK. */
static int32_t write_batch(void *self, busbar_batch_t *batch) {
  append_t *append = self;
  busbar_iterator_t it = busbar_iterate(batch);
  const busbar_record_t *record;
  while ((record = busbar_next(&it)) != NULL) {
    size_t length = record->payload_length;
    if (fwrite(busbar_payload(record), 1, length, append->file) != length || putc('\n', append->file) == EOF) {
      batch->done = it.index - 1;
      return failed(append);
    }
  }
  return it.malformed ? busbar_malformed(append->context, batch, &it) : BUSBAR_OK;
}

static int32_t flush(void *self) {
  append_t *append = self;
  return fflush(append->file) == 0 ? BUSBAR_OK : failed(append);
}

static const busbar_reaction_t append = {
    .lifecycle =
        {.size = sizeof(busbar_reaction_t), .create = create, .start = start, .stop = stop, .destroy = destroy},
    .write = write_batch,
    .flush = flush,
};

BUSBAR_PLUGIN(BUSBAR_COMPONENT(BUSBAR_REACTION, "append", append))
