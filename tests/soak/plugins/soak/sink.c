/* Reaction `sink`: keeps "<payload> <sequence>" lines in memory, and makes them durable in flush.
 *
 * The control file holds one word and a number, and is looked at with every write:
 *   fail N     FAILED at one of N events        again        takes nothing
 *   slow N     waits N ms                       pending N    PENDING; a thread ends batches in any order, one of N FAILED
 *   unsynced   flush fails                  refuse N     INVALID at one of N events
 * Anything else, and no file: it behaves. */
#include <pthread.h>

#include "soak.h"

#define HELD_MAX 16
#define WAIT_US 5000

typedef struct sink {
  const busbar_context_t *context;
  char *path, *control_path, *fail;
  int file;
  unsigned int seed;
  pthread_t thread;
  pthread_mutex_t lock; /* of all that follows */
  pthread_cond_t changed;
  soak_text_t lines;
  busbar_batch_t held[HELD_MAX];
  unsigned int held_count, fail_one_of;
  int stopping;
} sink_t;

static int32_t sink_create(const busbar_context_t *context, void **self) {
  sink_t *s = calloc(1, sizeof *s);
  if (s == NULL) return BUSBAR_FATAL;
  s->context = context;
  s->fail = soak_string(context, "fail");
  if (s->fail != NULL && strcmp(s->fail, "create") == 0) {
    free(s->fail);
    free(s);
    return busbar_error(context, BUSBAR_FAILED, "Cannot create: asked to fail");
  }
  s->path = soak_string(context, "file");
  s->control_path = soak_string(context, "control_file");
  s->file = -1;
  s->seed = (unsigned int)getpid();
  pthread_mutex_init(&s->lock, NULL);
  pthread_cond_init(&s->changed, NULL);
  *self = s;
  return BUSBAR_OK;
}

static void sink_destroy(void *self) {
  sink_t *s = self;
  pthread_cond_destroy(&s->changed);
  pthread_mutex_destroy(&s->lock);
  soak_free(&s->lines);
  free(s->path);
  free(s->control_path);
  free(s->fail);
  free(s);
}

/* Takes the records, down to one at random where one of `fail_one_of` is to fail. OK, or `failure`, with *done. */
static int32_t take(sink_t *s, const busbar_batch_t *batch, unsigned int fail_one_of, int32_t failure, uint32_t *done) {
  busbar_iterator_t it = busbar_iterate(batch);
  const busbar_record_t *record;
  *done = 0;
  while ((record = busbar_next(&it)) != NULL) {
    if (fail_one_of > 0 && rand_r(&s->seed) % fail_one_of == 0) return failure;
    if (!soak_print(&s->lines, "%.*s %" PRIu64 "\n", (int)record->payload_length, (const char *)busbar_payload(record),
                    record->sequence))
      return BUSBAR_FAILED;
    *done += 1;
  }
  return BUSBAR_OK;
}

/* The thread that ends what is held, in any order. */
static void *complete_held(void *self) {
  sink_t *s = self;
  pthread_mutex_lock(&s->lock);
  for (;;) {
    while (!s->stopping && s->held_count == 0) pthread_cond_wait(&s->changed, &s->lock);
    if (s->held_count == 0) break;
    if (!s->stopping) {
      pthread_mutex_unlock(&s->lock);
      usleep(WAIT_US);
      pthread_mutex_lock(&s->lock);
    }
    while (s->held_count > 0) {
      unsigned int at = (unsigned int)rand_r(&s->seed) % s->held_count;
      busbar_batch_t batch = s->held[at];
      int fails = s->fail_one_of > 0 && (unsigned int)rand_r(&s->seed) % s->fail_one_of == 0;
      uint32_t done;
      int32_t status;
      s->held[at] = s->held[--s->held_count];
      status = take(s, &batch, fails ? batch.count + 1 : 0, BUSBAR_FAILED, &done);
      pthread_mutex_unlock(&s->lock);
      s->context->host->complete(s->context, batch.id, status, done, busbar_string(status == BUSBAR_OK ? "" : "Asked to fail"));
      pthread_mutex_lock(&s->lock);
    }
  }
  pthread_mutex_unlock(&s->lock);
  return NULL;
}

static int32_t sink_start(void *self) {
  sink_t *s = self;
  if (s->fail != NULL && strcmp(s->fail, "start") == 0)
    return busbar_error(s->context, BUSBAR_FAILED, "Cannot start: asked to fail");
  s->file = soak_open_lines(s->path);
  if (s->file < 0) return busbar_error(s->context, BUSBAR_FAILED, "Cannot open \"%s\": %s", s->path, strerror(errno));
  s->stopping = 0;
  s->lines.length = 0; /* what was not synced when it stopped comes again */
  if (pthread_create(&s->thread, NULL, complete_held, s) != 0) {
    close(s->file);
    return busbar_error(s->context, BUSBAR_FAILED, "Cannot start: no thread");
  }
  return BUSBAR_OK;
}

static int32_t sink_stop(void *self) {
  sink_t *s = self;
  pthread_mutex_lock(&s->lock);
  s->stopping = 1;
  pthread_cond_signal(&s->changed);
  pthread_mutex_unlock(&s->lock);
  pthread_join(s->thread, NULL);
  close(s->file);
  s->file = -1;
  return BUSBAR_OK;
}

/* Reads the control file: the word, and the number or 0. */
static unsigned int mode_of(const sink_t *s, char word[16]) {
  char text[32] = "";
  unsigned int number = 0;
  int file = s->control_path == NULL ? -1 : open(s->control_path, O_RDONLY | O_CLOEXEC);
  word[0] = '\0';
  if (file < 0) return 0;
  if (read(file, text, sizeof text - 1) > 0) sscanf(text, "%15s %u", word, &number);
  close(file);
  return number;
}

/* Keeps the batch for the thread. PENDING, or AGAIN when it has enough. */
static int32_t hold(sink_t *s, const busbar_batch_t *batch, unsigned int fail_one_of) {
  int32_t status = BUSBAR_AGAIN;
  pthread_mutex_lock(&s->lock);
  if (s->held_count < HELD_MAX) {
    s->held[s->held_count++] = *batch;
    s->fail_one_of = fail_one_of;
    pthread_cond_signal(&s->changed);
    status = BUSBAR_PENDING;
  }
  pthread_mutex_unlock(&s->lock);
  return status;
}

static int32_t sink_write(void *self, busbar_batch_t *batch) {
  sink_t *s = self;
  char mode[16];
  unsigned int number = mode_of(s, mode);
  int refuses = strcmp(mode, "refuse") == 0;
  int32_t status;
  if (strcmp(mode, "again") == 0) return BUSBAR_AGAIN;
  if (strcmp(mode, "pending") == 0) return hold(s, batch, number);
  if (strcmp(mode, "slow") == 0) usleep(number * 1000);
  pthread_mutex_lock(&s->lock);
  status = take(s, batch, refuses || strcmp(mode, "fail") == 0 ? number : 0, refuses ? BUSBAR_INVALID : BUSBAR_FAILED,
                &batch->done);
  pthread_mutex_unlock(&s->lock);
  return status == BUSBAR_OK ? status : busbar_error(s->context, status, "Cannot write: asked to fail");
}

static int32_t sink_flush(void *self) {
  sink_t *s = self;
  char mode[16];
  int written;
  mode_of(s, mode);
  if (strcmp(mode, "unsynced") == 0) return busbar_error(s->context, BUSBAR_FAILED, "Cannot flush: asked to fail");
  pthread_mutex_lock(&s->lock);
  written = soak_write(s->file, &s->lines);
  pthread_mutex_unlock(&s->lock);
  if (written && fdatasync(s->file) == 0) return BUSBAR_OK;
  return busbar_error(s->context, BUSBAR_FAILED, "Cannot write \"%s\": %s", s->path, strerror(errno));
}

const busbar_reaction_t soak_sink = {
    .lifecycle = {.size = sizeof(busbar_reaction_t),
                  .create = sink_create,
                  .start = sink_start,
                  .stop = sink_stop,
                  .destroy = sink_destroy},
    .write = sink_write,
    .flush = sink_flush,
};
