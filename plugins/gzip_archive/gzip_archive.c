/* gzip-archive: writes events into rotating gzip files, each event once. See README.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "busbar_sdk.h"
#include "member.h"
#include "recovery.h"
#include "segment.h"
#include "settings.h"

#define JOURNAL_KEPT_NS 3600000000000 /* far longer than a pipeline is behind with acknowledging */

/* A segment that was finished in this run; its journal goes with the next start, or after JOURNAL_KEPT_NS. */
typedef struct finished {
  char journal[NAME_CAPACITY];
  int64_t at;
} finished_t;

typedef struct archive {
  const busbar_context_t *context;
  settings_t settings;
  int folder; /* -1 unless started */
  int lock;
  uint8_t space[JOURNAL_SPACE];
  uint64_t next_number;
  member_t member;
  segment_t segment;
  int64_t opened; /* when the segment, or the member it will begin with, got its first event */
  int sealed;     /* the segment is to be finished before anything else */
  finished_t *finished;
  size_t finished_count;
  size_t finished_capacity;
  problem_t problem;
  int failing; /* the last attempt to write did not succeed, for `problem` */
} archive_t;

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void count(const archive_t *archive, const char *name, uint64_t add) {
  if (add > 0) archive->context->host->counter(archive->context, busbar_string(name), add);
}

static int32_t failed(const archive_t *archive, int32_t status) { return busbar_error(archive->context, status, "%s", archive->problem.text); }

static acknowledged_t sources_of(const archive_t *archive) {
  acknowledged_t sources = {archive->context->acknowledged, archive->context->acknowledged_count};
  return sources;
}

/* ---- Writing: each step can be tried again after it failed ------------------------------------------------------------- */

static int open_segment(archive_t *archive) {
  char name[SEGMENT_NAME_CAPACITY];
  time_t seconds = time(NULL);
  struct tm utc;
  gmtime_r(&seconds, &utc);
  snprintf(name, sizeof name, "%s-%04d%02d%02dT%02d%02d%02dZ-%06llu.gz", archive->settings.prefix, utc.tm_year + 1900, utc.tm_mon + 1,
           utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, (unsigned long long)archive->next_number);
  if (!segment_open(&archive->segment, archive->folder, name, archive->space, &archive->problem)) return 0;
  archive->next_number++;
  return 1;
}

/* Writes the member, if there is something in it, and begins the next one. */
static int write_member(archive_t *archive) {
  member_t *member = &archive->member;
  if (member->event_count == 0) return 1;
  if (!member_finish(member)) return fail(&archive->problem, "Cannot compress: out of memory");
  if (archive->segment.data < 0 && !open_segment(archive)) return 0;
  if (!segment_append(&archive->segment, member, sources_of(archive), &archive->problem)) return 0;
  count(archive, "bytes_out_total", member->bytes.length);
  member_reset(member);
  return 1;
}

static void forget_old_journals(archive_t *archive, int64_t time) {
  size_t kept = 0, i;
  for (i = 0; i < archive->finished_count; i++) {
    if (time - archive->finished[i].at >= JOURNAL_KEPT_NS) unlinkat(archive->folder, archive->finished[i].journal, 0);
    else archive->finished[kept++] = archive->finished[i];
  }
  archive->finished_count = kept;
}

static void remember_journal(archive_t *archive, const char *segment, int64_t time) {
  finished_t *finished;
  if (archive->finished_count == archive->finished_capacity) {
    size_t capacity = archive->finished_capacity == 0 ? 16 : 2 * archive->finished_capacity;
    finished = realloc(archive->finished, capacity * sizeof *finished);
    if (finished == NULL) return; /* the next start removes it */
    archive->finished = finished;
    archive->finished_capacity = capacity;
  }
  finished = &archive->finished[archive->finished_count++];
  snprintf(finished->journal, sizeof finished->journal, "%s%s", segment, JOURNAL_SUFFIX);
  finished->at = time;
}

/* Writes what is in memory and finishes the segment, if there is one. */
static int finish_segment(archive_t *archive) {
  char name[SEGMENT_NAME_CAPACITY];
  int64_t time = now();
  archive->sealed = 1;
  if (!write_member(archive)) return 0;
  archive->sealed = 0;
  if (archive->segment.data < 0) return 1;
  memcpy(name, archive->segment.name, sizeof name);
  archive->sealed = 1;
  if (!segment_finish(&archive->segment, &archive->problem)) return 0;
  archive->sealed = 0;
  forget_old_journals(archive, time);
  remember_journal(archive, name, time);
  count(archive, "segments_total", 1);
  return 1;
}

static int is_empty(const archive_t *archive) { return archive->segment.data < 0 && archive->member.event_count == 0; }

/* Whether the segment would exceed its size with `length` more raw bytes; 0 also for an empty one. -1 when memory ends. */
static int is_over(archive_t *archive, uint64_t length) {
  uint64_t most = archive->settings.max_segment_bytes, used = archive->segment.data < 0 ? 0 : archive->segment.end;
  if (used + member_bound(&archive->member, length) <= most || is_empty(archive)) return 0;
  if (archive->member.finished) return 1;
  if (!member_settle(&archive->member)) return -1;
  return used + member_bound(&archive->member, length) > most;
}

/* Makes room for an event of `length` raw bytes. 1, or 0 with a problem. */
static int make_room(archive_t *archive, uint64_t length) {
  int over = is_over(archive, length);
  if (over < 0) return fail(&archive->problem, "Cannot compress: out of memory");
  if (archive->sealed || over > 0) return finish_segment(archive);
  if (archive->member.finished || member_is_full(&archive->member)) return write_member(archive);
  return 1;
}

static int is_old(const archive_t *archive) { return !is_empty(archive) && now() - archive->opened >= archive->settings.max_segment_age; }

static int32_t archive_write(void *self, busbar_batch_t *batch) {
  archive_t *archive = self;
  busbar_iterator_t it = busbar_iterate(batch);
  const busbar_record_t *record;
  uint64_t bytes = 0;
  int32_t status = BUSBAR_OK;
  if (is_old(archive)) archive->sealed = 1;
  for (batch->done = 0; (record = busbar_next(&it)) != NULL; batch->done++) {
    uint64_t length = record->payload_length + (uint64_t)1;
    if (!make_room(archive, length)) {
      archive->failing = 1;
      status = failed(archive, BUSBAR_FAILED);
      break;
    }
    archive->failing = 0;
    if (is_empty(archive)) archive->opened = now();
    if (!member_add_event(&archive->member, record->source, record->sequence, busbar_payload(record), record->payload_length)) {
      status = busbar_error(archive->context, BUSBAR_FATAL, "Cannot compress an event of %llu bytes: out of memory", (unsigned long long)length);
      break;
    }
    bytes += length;
  }
  if (it.malformed) status = busbar_error(archive->context, BUSBAR_INVALID, "Cannot read record %u of the batch: its lengths do not fit", batch->done);
  count(archive, "bytes_in_total", bytes);
  return status;
}

static int32_t archive_flush(void *self) {
  archive_t *archive = self;
  int ok = archive->sealed || is_old(archive) ? finish_segment(archive) : write_member(archive);
  archive->failing = !ok;
  return ok ? BUSBAR_OK : failed(archive, BUSBAR_FAILED);
}

/* Finishes a segment that has become old, also when no events come any more. */
static int32_t archive_tick(void *self, busbar_batch_t *batch) {
  archive_t *archive = self;
  (void)batch;
  if (!is_old(archive)) return BUSBAR_OK;
  archive->failing = !finish_segment(archive);
  return archive->failing ? failed(archive, BUSBAR_FAILED) : BUSBAR_OK;
}

/* ---- Lifecycle --------------------------------------------------------------------------------------------------------- */

static int32_t archive_create(const busbar_context_t *context, void **self) {
  archive_t *archive = calloc(1, sizeof *archive);
  if (archive == NULL) return busbar_error(context, BUSBAR_FAILED, "Cannot create the archive: out of memory");
  archive->context = context;
  archive->folder = archive->lock = -1;
  segment_init(&archive->segment);
  if (settings_read(&archive->settings, context, &archive->problem)) {
    if (member_create(&archive->member, archive->settings.level)) {
      *self = archive;
      return BUSBAR_OK;
    }
    fail(&archive->problem, "Cannot create the archive: out of memory");
  }
  busbar_error(context, BUSBAR_FAILED, "%s", archive->problem.text);
  settings_free(&archive->settings);
  free(archive);
  return BUSBAR_FAILED;
}

/* Gives up what start took, and what is in memory. */
static void release(archive_t *archive) {
  segment_abandon(&archive->segment);
  member_reset(&archive->member);
  if (archive->folder >= 0) close(archive->folder);
  if (archive->lock >= 0) close(archive->lock);
  archive->folder = archive->lock = -1;
  archive->finished_count = 0;
  archive->sealed = archive->failing = 0;
}

static int32_t archive_start(void *self) {
  archive_t *archive = self;
  problem_t *problem = &archive->problem;
  archive->folder = open_directory(archive->settings.directory, problem);
  if (archive->folder >= 0) archive->lock = lock_prefix(&archive->settings, archive->folder, problem);
  if (archive->lock >= 0 && read_space(archive->context, archive->space, problem)) {
    recovery_t recovery = {archive->context, archive->folder, archive->settings.prefix, archive->settings.level, archive->space, 0};
    if (recover(&recovery, problem)) {
      archive->next_number = recovery.next_number;
      return BUSBAR_OK;
    }
  }
  release(archive);
  return failed(archive, BUSBAR_FAILED);
}

static int32_t archive_stop(void *self) {
  archive_t *archive = self;
  int ok = finish_segment(archive);
  release(archive);
  return ok ? BUSBAR_OK : failed(archive, BUSBAR_FAILED);
}

static void archive_destroy(void *self) {
  archive_t *archive = self;
  release(archive);
  member_free(&archive->member);
  settings_free(&archive->settings);
  free(archive->finished);
  free(archive);
}

static int32_t archive_health(void *self, busbar_health_t *health) {
  archive_t *archive = self;
  if (!archive->failing) return BUSBAR_OK;
  health->message = busbar_string(archive->problem.text);
  return BUSBAR_FAILED;
}

static const busbar_reaction_t archive_table = {
    .lifecycle = {.size = sizeof(busbar_reaction_t),
                  .create = archive_create,
                  .start = archive_start,
                  .stop = archive_stop,
                  .destroy = archive_destroy,
                  .health = archive_health},
    .write = archive_write,
    .flush = archive_flush,
    .tick = archive_tick,
};

static const busbar_component_t archive_component = {
    .size = sizeof(busbar_component_t),
    .kind = BUSBAR_REACTION,
    .name = "archive",
    .table = &archive_table,
};

static const busbar_component_t *const components[] = {&archive_component};

static const busbar_plugin_t plugin = {
    .size = sizeof(busbar_plugin_t),
    .component_count = 1,
    .components = components,
};

BUSBAR_EXPORT const busbar_plugin_t *busbar_plugin(const busbar_host_t *host) {
  (void)host;
  return &plugin;
}
