/* The host's services: lock-free towards the plugin is not needed here, being right and noticing what is wrong is. */
#include <ctype.h>
#include <time.h>
#include <unistd.h>

#include "conformance.h"

volatile int32_t host_log_level = BUSBAR_LOG_TRACE;

static instance_t *instance_of(const busbar_context_t *context) { return (instance_t *)(uintptr_t)context; }

static int is_utf8(busbar_string_t text) {
  const uint8_t *at = (const uint8_t *)text.data, *end = at + text.length;
  while (at < end) {
    int more = *at < 0x80                            ? 0
               : (*at & 0xe0) == 0xc0 && *at >= 0xc2 ? 1
               : (*at & 0xf0) == 0xe0                ? 2
               : (*at & 0xf8) == 0xf0 && *at <= 0xf4 ? 3
                                                     : -1;
    if (more < 0 || end - at <= more) return 0;
    for (at++; more > 0; more--, at++)
      if ((*at & 0xc0) != 0x80) return 0;
  }
  return 1;
}

static void wait_a_little(void) {
  static _Atomic uint32_t calls;
  if (run.slow_host && (calls++ & 7) == 0) nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
}

static void check_field(const busbar_field_t *field) {
  int type = busbar_json_type(busbar_json(field->value));
  if (!is_utf8(field->name) || field->name.length == 0)
    fault(FAULT_LOG, "A log record has a field whose name is empty or not UTF-8");
  if (!is_utf8(field->value)) fault(FAULT_LOG, "Log field \"%.*s\" is not UTF-8", (int)field->name.length, field->name.data);
  if (field->type > BUSBAR_FIELD_JSON)
    fault(FAULT_LOG, "Log field \"%.*s\" has type %u, which is none", (int)field->name.length, field->name.data, field->type);
  if ((field->type == BUSBAR_FIELD_NUMBER && type != BUSBAR_JSON_NUMBER) ||
      (field->type == BUSBAR_FIELD_BOOL && type != BUSBAR_JSON_BOOL) ||
      (field->type == BUSBAR_FIELD_JSON && type == BUSBAR_JSON_MISSING))
    fault(FAULT_LOG, "Log field \"%.*s\" is not what its type says: \"%.*s\"", (int)field->name.length, field->name.data,
          (int)(field->value.length > 60 ? 60 : field->value.length), field->value.data);
}

static void host_log(const busbar_context_t *context, const busbar_log_record_t *record) {
  static const char *const LEVELS[] = {"", "TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "FATAL"};
  uint32_t at;
  (void)context;
  run.logged++;
  wait_a_little();
  if (record == NULL || record->size < sizeof *record) {
    fault(FAULT_LOG, "A log record says it has %u bytes, not %zu", record == NULL ? 0 : record->size, sizeof *record);
    return;
  }
  if (record->level < BUSBAR_LOG_TRACE || record->level > BUSBAR_LOG_FATAL) {
    fault(FAULT_LOG, "A log record has level %d, which is none", record->level);
    return;
  }
  if (!is_utf8(record->message) || !is_utf8(record->target)) fault(FAULT_LOG, "A log record's message or target is not UTF-8");
  if (record->timestamp < 0) fault(FAULT_LOG, "A log record has a negative timestamp");
  for (uint32_t i = 0; i < record->field_count; i++) check_field(&record->fields[i]);
  at = run.shared->log_count++ % LOGS_MAX;
  snprintf(run.shared->logs[at], LINE_MAX_BYTES, "%s %.*s", LEVELS[record->level],
           (int)(record->message.length > 200 ? 200 : record->message.length),
           record->message.length == 0 ? "" : record->message.data);
}

static void check_metric(busbar_string_t name) {
  int good = name.length > 0 && name.length <= 63 && islower((unsigned char)name.data[0]);
  for (uint64_t i = 0; good && i < name.length; i++) {
    unsigned char c = (unsigned char)name.data[i];
    good = c < 0x80 && (islower(c) || isdigit(c) || c == '_');
  }
  run.measured++;
  wait_a_little();
  if (!good)
    fault(FAULT_METRIC, "Metric \"%.*s\" is not in snake_case of at most 63 bytes", (int)(name.length > 80 ? 80 : name.length),
          name.length == 0 ? "" : name.data);
}

static void host_counter(const busbar_context_t *context, busbar_string_t name, uint64_t add) {
  (void)context;
  (void)add;
  check_metric(name);
}

static void host_value(const busbar_context_t *context, busbar_string_t name, double value) {
  (void)context;
  check_metric(name);
  if (value != value) fault(FAULT_METRIC, "Metric \"%.*s\" was set to no number", (int)name.length, name.data);
}

static void host_wake(const busbar_context_t *context) {
  instance_t *i = instance_of(context);
  pthread_mutex_lock(&i->lock);
  i->wakes += 1;
  pthread_cond_broadcast(&i->changed);
  pthread_mutex_unlock(&i->lock);
}

static void host_complete(const busbar_context_t *context, uint64_t id, int32_t status, uint32_t done, busbar_string_t message) {
  instance_t *i = instance_of(context);
  completion_t *to = NULL;
  if (status != BUSBAR_OK && status != BUSBAR_FAILED && status != BUSBAR_INVALID && status != BUSBAR_FATAL)
    fault(FAULT_COMPLETE, "Batch %llu was completed with %s", (unsigned long long)id, status_name(status));
  if (status != BUSBAR_OK && message.length == 0)
    fault(FAULT_MESSAGE, "complete with %s came without a message", status_name(status));
  pthread_mutex_lock(&i->lock);
  if (!i->started) i->late_completions += 1;
  for (uint32_t n = 0; n < i->completion_count && to == NULL; n++)
    if (i->completions[n].id == id) to = &i->completions[n];
  if (to == NULL && i->completion_count < COMPLETIONS_MAX) {
    to = &i->completions[i->completion_count++];
    *to = (completion_t){.id = id};
  }
  if (to != NULL) {
    if (to->times > 0) fault(FAULT_COMPLETE, "Batch %llu was completed twice", (unsigned long long)id);
    to->status = status;
    to->done = done;
    to->times += 1;
  }
  pthread_cond_broadcast(&i->changed);
  pthread_mutex_unlock(&i->lock);
}

static const void *host_extension(const char *id) {
  (void)id;
  return NULL;
}

const busbar_host_t conformance_host = {
    .size = sizeof(busbar_host_t),
    .abi_major = BUSBAR_ABI_MAJOR,
    .abi_minor = BUSBAR_ABI_MINOR,
    .log_level = &host_log_level,
    .log = host_log,
    .counter = host_counter,
    .gauge = host_value,
    .histogram = host_value,
    .wake = host_wake,
    .complete = host_complete,
    .extension = host_extension,
};

/* ---- Waiting for it ----------------------------------------------------------------------------------------------- */

static struct timespec in_milliseconds(int milliseconds) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  at.tv_sec += milliseconds / 1000;
  at.tv_nsec += (long)(milliseconds % 1000) * 1000000;
  if (at.tv_nsec >= 1000000000) at.tv_sec++, at.tv_nsec -= 1000000000;
  return at;
}

uint64_t wakes_of(instance_t *i) {
  uint64_t wakes;
  pthread_mutex_lock(&i->lock);
  wakes = i->wakes;
  pthread_mutex_unlock(&i->lock);
  return wakes;
}

int wait_wake(instance_t *i, uint64_t seen, int milliseconds) {
  struct timespec until = in_milliseconds(milliseconds);
  int woken;
  pthread_mutex_lock(&i->lock);
  while (i->wakes <= seen && pthread_cond_timedwait(&i->changed, &i->lock, &until) == 0) {
  }
  woken = i->wakes > seen;
  pthread_mutex_unlock(&i->lock);
  return woken;
}

static uint32_t find_completion(const instance_t *i, uint64_t id, completion_t *out) {
  for (uint32_t n = 0; n < i->completion_count; n++) {
    if (i->completions[n].id != id) continue;
    if (out != NULL) *out = i->completions[n];
    return i->completions[n].times;
  }
  return 0;
}

uint32_t completion_of(instance_t *i, uint64_t id, completion_t *out) {
  uint32_t times;
  pthread_mutex_lock(&i->lock);
  times = find_completion(i, id, out);
  pthread_mutex_unlock(&i->lock);
  return times;
}

int wait_completion(instance_t *i, uint64_t id, int milliseconds, completion_t *out) {
  struct timespec until = in_milliseconds(milliseconds);
  uint32_t times;
  pthread_mutex_lock(&i->lock);
  while ((times = find_completion(i, id, out)) == 0 && pthread_cond_timedwait(&i->changed, &i->lock, &until) == 0) {
  }
  pthread_mutex_unlock(&i->lock);
  return times > 0;
}
