/*
 * busbar_test.h: an in-process host for tests of plugins.            SPDX-License-Identifier: Apache-2.0
 *
 *   static void ends(void) {
 *     test_component_t *c = test_open(library, BUSBAR_SOURCE, "tail", "{\"paths\":[\"a.log\"]}");
 *     test_batch_t *b = test_batch(4096, 64);
 *     CHECK_STATUS(test_create(c), BUSBAR_OK);
 *     CHECK_STATUS(test_start(c), BUSBAR_OK);
 *     while (test_poll(c, b) == BUSBAR_OK) ...
 *     test_close(c);
 *     test_batch_free(b);
 *   }
 *   int main(int argc, char **argv) { test_main(argc, argv); library = argv[1]; TEST(ends); return test_end(); }
 *
 * A plugin may be linked into the test as well, with test_open_plugin(busbar_plugin, BUSBAR_SOURCE, …) in place of test_open(), and
 * test_main_static() in place of test_main().
 *
 * Each TEST runs in a child process of its own with a deadline, so that a crash or a hang is one failed test; prints
 * "ok NAME" or "not ok NAME: why". `argv[2]`, if given, is the only test to run (test_main_static: `argv[1]`). What a plugin does wrong by the
 * contract (bounds, sequences, statuses, error text) is found by test_poll() and its like, without being asked for.
 * Include it in one C or C++ file; link with -ldl -lpthread. POSIX only.
 */
#ifndef BUSBAR_TEST_H
#define BUSBAR_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "busbar_sdk.h"

#ifndef TEST_DEADLINE_S
#define TEST_DEADLINE_S 60 /* a test that takes longer hangs */
#endif

#define TEST_UNUSED __attribute__((unused))

/* ---- Checks: the first that fails ends the test --------------------------------------------------------------------- */

static const char *test_name = "";
static const char *test_only;
static int test_failed, test_ran;

__attribute__((format(printf, 3, 4), noreturn)) static void test_fail(const char *file, int line, const char *format, ...) {
  va_list arguments;
  const char *slash = strrchr(file, '/');
  fflush(stdout);
  printf("not ok %s: %s:%d: ", test_name, slash == NULL ? file : slash + 1, line);
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  printf("\n");
  fflush(stdout);
  _exit(99);
}

#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)
#define CHECK(condition)                      \
  do {                                        \
    if (!(condition)) FAIL("%s", #condition); \
  } while (0)
#define CHECK_INT(actual, expected)                                                                                      \
  do {                                                                                                                   \
    long long test_actual = (long long)(actual), test_expected = (long long)(expected);                                  \
    if (test_actual != test_expected) FAIL("%s is %lld, not %lld", #actual, test_actual, test_expected);                 \
  } while (0)
#define CHECK_STATUS(actual, expected)                                                                                   \
  do {                                                                                                                   \
    int32_t test_actual = (actual), test_expected = (expected);                                                          \
    if (test_actual != test_expected)                                                                                    \
      FAIL("%s is %s, not %s", #actual, test_status(test_actual), test_status(test_expected));                           \
  } while (0)
#define CHECK_TEXT(actual, length, expected)                                                                             \
  do {                                                                                                                   \
    const char *test_text = (const char *)(actual);                                                                      \
    uint64_t test_length = (length);                                                                                     \
    if (test_length != strlen(expected) || memcmp(test_text, (expected), (size_t)test_length) != 0)                      \
      FAIL("%s is \"%.*s\", not \"%s\"", #actual, (int)(test_length > 400 ? 400 : test_length), test_text, (expected));  \
  } while (0)

static TEST_UNUSED const char *test_status(int32_t status) {
  static char other[32];
  switch (status) {
    case BUSBAR_OK: return "OK";
    case BUSBAR_AGAIN: return "AGAIN";
    case BUSBAR_MORE: return "MORE";
    case BUSBAR_DONE: return "DONE";
    case BUSBAR_PENDING: return "PENDING";
    case BUSBAR_FAILED: return "FAILED";
    case BUSBAR_INVALID: return "INVALID";
    case BUSBAR_FATAL: return "FATAL";
  }
  snprintf(other, sizeof other, "unknown status %d", (int)status);
  return other;
}

/* ---- A component with its context ------------------------------------------------------------------------------------ */

typedef struct test_log {
  int32_t level;
  char *message; /* with its fields behind it: "message name=value name=value" */
} test_log_t;

typedef struct test_completion {
  uint64_t batch_id;
  int32_t status;
  uint32_t done;
  char message[512];
} test_completion_t;

typedef struct test_metric {
  char name[64];
  double value; /* sum of a counter, last of a gauge, sum of a histogram */
  uint64_t count;
} test_metric_t;

/* The error buffer of one call; of all calls of a component, in a list. */
typedef struct test_message {
  struct test_message *next;
  char text[BUSBAR_ERROR_CAPACITY + 64];
} test_message_t;

typedef struct test_component {
  const void *table; /* busbar_source_t … by kind */
  const busbar_lifecycle_t *lifecycle;
  void *self; /* null until created */
  busbar_context_t context;
  uint32_t kind;
  int started;
  uint64_t next_sequence; /* of a source: what test_poll() hands out next */
  char error[BUSBAR_ERROR_CAPACITY + 64];
  busbar_acknowledged_t acknowledged[16];
  /* Under `lock`, since plugins log, wake and complete from any thread. */
  pthread_mutex_t lock;
  pthread_cond_t changed;
  uint64_t wakes;
  test_log_t *logs;
  size_t log_count;
  test_completion_t *completions;
  size_t completion_count;
  test_metric_t metrics[64];
  size_t metric_count;
  test_message_t *messages;
} test_component_t;

static volatile int32_t test_log_level = BUSBAR_LOG_TRACE;

static test_component_t *test_of(const busbar_context_t *context) {
  test_component_t *c = context == NULL ? NULL : (test_component_t *)context->internal;
  if (context != NULL && &c->context != context) FAIL("a host service was called with a context that is not the instance's own");
  return c;
}

static void test_host_log(const busbar_context_t *context, const busbar_log_record_t *record) {
  test_component_t *c = test_of(context);
  char *text = NULL;
  size_t size = 0;
  FILE *to;
  uint32_t i;
  if (record->size < sizeof *record) FAIL("log record of %u bytes", record->size);
  if (record->level < BUSBAR_LOG_TRACE || record->level > BUSBAR_LOG_FATAL) FAIL("log level %d", (int)record->level);
  if (c == NULL) return;
  to = open_memstream(&text, &size);
  fwrite(record->message.data, 1, (size_t)record->message.length, to);
  for (i = 0; i < record->field_count; i++)
    fprintf(to, " %.*s=%.*s", (int)record->fields[i].name.length, record->fields[i].name.data,
            (int)record->fields[i].value.length, record->fields[i].value.data);
  fclose(to);
  pthread_mutex_lock(&c->lock);
  c->logs = (test_log_t *)realloc(c->logs, (c->log_count + 1) * sizeof *c->logs);
  c->logs[c->log_count].level = record->level;
  c->logs[c->log_count].message = text;
  c->log_count++;
  pthread_cond_broadcast(&c->changed);
  pthread_mutex_unlock(&c->lock);
}

/* Caller holds the lock. */
static test_metric_t *test_find_metric(test_component_t *c, const char *name, size_t length) {
  size_t i;
  for (i = 0; i < c->metric_count; i++)
    if (strlen(c->metrics[i].name) == length && memcmp(c->metrics[i].name, name, length) == 0) return &c->metrics[i];
  return NULL;
}

static void test_observe(const busbar_context_t *context, busbar_string_t name, double value, int replace) {
  test_component_t *c = test_of(context);
  test_metric_t *metric;
  if (name.length == 0 || name.length > 63) FAIL("metric name of %d bytes", (int)name.length);
  if (c == NULL) FAIL("metric \"%.*s\" without a context", (int)name.length, name.data);
  pthread_mutex_lock(&c->lock);
  metric = test_find_metric(c, name.data, (size_t)name.length);
  if (metric == NULL) {
    if (c->metric_count == 64) FAIL("more than 64 metrics");
    metric = &c->metrics[c->metric_count++];
    memset(metric, 0, sizeof *metric);
    memcpy(metric->name, name.data, (size_t)name.length);
  }
  metric->value = replace ? value : metric->value + value;
  metric->count++;
  pthread_cond_broadcast(&c->changed);
  pthread_mutex_unlock(&c->lock);
}

static void test_host_counter(const busbar_context_t *context, busbar_string_t name, uint64_t add) {
  test_observe(context, name, (double)add, 0);
}
static void test_host_gauge(const busbar_context_t *context, busbar_string_t name, double value) {
  test_observe(context, name, value, 1);
}
static void test_host_histogram(const busbar_context_t *context, busbar_string_t name, double value) {
  test_observe(context, name, value, 0);
}

static void test_host_wake(const busbar_context_t *context) {
  test_component_t *c = test_of(context);
  if (c == NULL) FAIL("wake without a context");
  pthread_mutex_lock(&c->lock);
  c->wakes++;
  pthread_cond_broadcast(&c->changed);
  pthread_mutex_unlock(&c->lock);
}

static void test_host_complete(const busbar_context_t *context, uint64_t batch_id, int32_t status, uint32_t done,
                               busbar_string_t message) {
  test_component_t *c = test_of(context);
  test_completion_t *completion;
  if (c == NULL) FAIL("complete without a context");
  if (status != BUSBAR_OK && status != BUSBAR_FAILED && status != BUSBAR_INVALID && status != BUSBAR_FATAL)
    FAIL("completion with status %s", test_status(status));
  pthread_mutex_lock(&c->lock);
  c->completions = (test_completion_t *)realloc(c->completions, (c->completion_count + 1) * sizeof *c->completions);
  completion = &c->completions[c->completion_count++];
  completion->batch_id = batch_id;
  completion->status = status;
  completion->done = done;
  snprintf(completion->message, sizeof completion->message, "%.*s", (int)message.length, message.length ? message.data : "");
  pthread_cond_broadcast(&c->changed);
  pthread_mutex_unlock(&c->lock);
}

static const void *test_host_extension(const char *id) {
  (void)id;
  return NULL;
}

static const busbar_host_t test_host = {
    sizeof(busbar_host_t), BUSBAR_ABI_MAJOR, BUSBAR_ABI_MINOR, 0, &test_log_level, test_host_log, test_host_counter,
    test_host_gauge, test_host_histogram, test_host_wake, test_host_complete, test_host_extension, {0}};

/* Makes the context of a component: nothing is created yet. Change `c->context` (folders, position, partition) before test_create()
 * or test_start(). `config` must outlive it. */
static TEST_UNUSED test_component_t *test_open_component(const busbar_component_t *component, const char *config) {
  static const char pipeline[] = "test";
  test_component_t *c = (test_component_t *)calloc(1, sizeof *c);
  c->table = component->table;
  c->lifecycle = (const busbar_lifecycle_t *)component->table;
  c->kind = component->kind;
  c->next_sequence = 1;
  pthread_mutex_init(&c->lock, NULL);
  pthread_cond_init(&c->changed, NULL);
  c->context.size = (uint32_t)sizeof c->context;
  c->context.host = &test_host;
  c->context.pipeline_id = busbar_string(pipeline);
  c->context.component_id = busbar_string(component->name);
  c->context.component = busbar_string(component->name);
  c->context.config = busbar_string(config);
  c->context.error = c->error;
  c->context.error_capacity = BUSBAR_ERROR_CAPACITY;
  c->context.partition_count = 1;
  c->context.internal = c;
  memset(c->error, 0x5a, sizeof c->error);
  c->error[0] = 0;
  return c;
}

/* The same for a component of a plugin that is linked into the test, whose busbar_plugin() is given. */
static TEST_UNUSED test_component_t *test_open_plugin(busbar_plugin_function function, uint32_t kind, const char *component,
                                                      const char *config) {
  const busbar_plugin_t *plugin = function(&test_host);
  uint32_t i;
  if (plugin == NULL) FAIL("busbar_plugin returned null");
  for (i = 0; i < plugin->component_count; i++)
    if (plugin->components[i]->kind == kind && strcmp(plugin->components[i]->name, component) == 0)
      return test_open_component(plugin->components[i], config);
  FAIL("no component \"%s\" of kind %u", component, kind);
}

/* The same for a component of a library, which is loaded. */
static TEST_UNUSED test_component_t *test_open(const char *library, uint32_t kind, const char *component, const char *config) {
  void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  busbar_plugin_function function;
  const char *hash;
  if (handle == NULL) FAIL("%s", dlerror());
  hash = (const char *)dlsym(handle, "busbar_abi_hash");
  if (hash == NULL || strcmp(hash, BUSBAR_ABI_HASH) != 0) FAIL("ABI hash is missing or differs");
  if (dlsym(handle, "busbar_manifest") == NULL) FAIL("manifest is missing");
  *(void **)&function = dlsym(handle, "busbar_plugin");
  if (function == NULL) FAIL("busbar_plugin is missing");
  return test_open_plugin(function, kind, component, config);
}

/* Of a buffer with 64 bytes behind its capacity that must not change. */
static void test_check_message(const char *error, int32_t status) {
  size_t i;
  if (memchr(error, 0, BUSBAR_ERROR_CAPACITY) == NULL) FAIL("error text has no NUL within its capacity");
  for (i = BUSBAR_ERROR_CAPACITY; i < BUSBAR_ERROR_CAPACITY + 64; i++)
    if (error[i] != 0x5a) FAIL("error text was written past its capacity");
  if (status < 0 && error[0] == 0) FAIL("%s without a message", test_status(status));
}

static void test_check_error(test_component_t *c, int32_t status) { test_check_message(c->error, status); }

static TEST_UNUSED int32_t test_create(test_component_t *c) {
  int32_t status;
  c->error[0] = 0;
  status = c->lifecycle->create(&c->context, &c->self);
  if (status != BUSBAR_OK) c->self = NULL;
  else if (c->self == NULL) FAIL("create returned OK without an instance");
  test_check_error(c, status);
  return status;
}

static TEST_UNUSED int32_t test_start(test_component_t *c) {
  int32_t status = BUSBAR_OK;
  c->error[0] = 0;
  if (c->lifecycle->start != NULL) status = c->lifecycle->start(c->self);
  c->started = status == BUSBAR_OK;
  test_check_error(c, status);
  return status;
}

static TEST_UNUSED int32_t test_stop(test_component_t *c) {
  int32_t status = BUSBAR_OK;
  c->error[0] = 0;
  if (c->lifecycle->stop != NULL) status = c->lifecycle->stop(c->self);
  c->started = 0;
  test_check_error(c, status);
  return status;
}

/* stop (when started), destroy, free. Everything that was captured is gone. */
static TEST_UNUSED void test_close(test_component_t *c) {
  size_t i;
  if (c->started) CHECK_STATUS(test_stop(c), BUSBAR_OK);
  if (c->self != NULL) c->lifecycle->destroy(c->self);
  for (i = 0; i < c->log_count; i++) free(c->logs[i].message);
  free(c->logs);
  free(c->completions);
  while (c->messages != NULL) {
    test_message_t *message = c->messages;
    c->messages = message->next;
    free(message);
  }
  pthread_mutex_destroy(&c->lock);
  pthread_cond_destroy(&c->changed);
  free(c);
}

/* Adds to context->acknowledged; before test_start(). `source_id` must outlive the component. */
static TEST_UNUSED void test_acknowledge(test_component_t *c, const char *source_id, uint32_t source, uint64_t sequence) {
  busbar_acknowledged_t *a = &c->acknowledged[c->context.acknowledged_count++];
  a->source_id = busbar_string(source_id);
  a->source = source;
  a->sequence = sequence;
  c->context.acknowledged = c->acknowledged;
}

/* ---- What was captured ------------------------------------------------------------------------------------------------ */

/* The health message, valid until the next call; "" when there is none. *status may be null. */
static TEST_UNUSED const char *test_health(test_component_t *c, int32_t *status) {
  static char text[1024];
  busbar_health_t health;
  int32_t result = BUSBAR_OK;
  memset(&health, 0, sizeof health);
  health.size = (uint32_t)sizeof health;
  c->error[0] = 0;
  if (c->lifecycle->health != NULL) result = c->lifecycle->health(c->self, &health);
  if (result != BUSBAR_OK && result != BUSBAR_FAILED) FAIL("health returned %s", test_status(result));
  if (result == BUSBAR_FAILED && health.message.length == 0) FAIL("health returned FAILED without a message");
  snprintf(text, sizeof text, "%.*s", (int)health.message.length, health.message.length ? health.message.data : "");
  if (status != NULL) *status = result;
  return text;
}

/* How many records of at least `level` contain `part`. */
static TEST_UNUSED size_t test_logged(test_component_t *c, int32_t level, const char *part) {
  size_t i, n = 0;
  pthread_mutex_lock(&c->lock);
  for (i = 0; i < c->log_count; i++) n += c->logs[i].level >= level && strstr(c->logs[i].message, part) != NULL;
  pthread_mutex_unlock(&c->lock);
  return n;
}

/* Value of a counter or gauge, sum of a histogram; 0 when never reported. */
static TEST_UNUSED double test_metric(test_component_t *c, const char *name) {
  test_metric_t *metric;
  double value;
  pthread_mutex_lock(&c->lock);
  metric = test_find_metric(c, name, strlen(name));
  value = metric == NULL ? 0 : metric->value;
  pthread_mutex_unlock(&c->lock);
  return value;
}

static TEST_UNUSED uint64_t test_wakes(test_component_t *c) {
  uint64_t wakes;
  pthread_mutex_lock(&c->lock);
  wakes = c->wakes;
  pthread_mutex_unlock(&c->lock);
  return wakes;
}

static struct timespec test_in(int milliseconds) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_sec += milliseconds / 1000;
  t.tv_nsec += (long)(milliseconds % 1000) * 1000000;
  if (t.tv_nsec >= 1000000000) t.tv_sec++, t.tv_nsec -= 1000000000;
  return t;
}

/* Waits until there were more wakes than `seen`. 1, or 0 after `milliseconds`. */
static TEST_UNUSED int test_wait_wake(test_component_t *c, uint64_t seen, int milliseconds) {
  struct timespec until = test_in(milliseconds);
  int woken;
  pthread_mutex_lock(&c->lock);
  while (c->wakes <= seen && pthread_cond_timedwait(&c->changed, &c->lock, &until) == 0) {
  }
  woken = c->wakes > seen;
  pthread_mutex_unlock(&c->lock);
  return woken;
}

/* Waits until `count` completions came and returns them; fails the test when they do not. */
static TEST_UNUSED const test_completion_t *test_wait_completions(test_component_t *c, size_t count) {
  struct timespec until = test_in(TEST_DEADLINE_S * 500);
  pthread_mutex_lock(&c->lock);
  while (c->completion_count < count && pthread_cond_timedwait(&c->changed, &c->lock, &until) == 0) {
  }
  if (c->completion_count < count) FAIL("%zu completions, not %zu", c->completion_count, count);
  pthread_mutex_unlock(&c->lock);
  return c->completions;
}

#include "busbar_test_batch.h"
#include "busbar_test_calls.h"

/* ---- Running ---------------------------------------------------------------------------------------------------------- */

static void test_run(const char *name, void (*function)(void)) {
  int status;
  pid_t child;
  if (test_only != NULL && strcmp(test_only, name) != 0) return;
  test_ran++;
  test_name = name;
  fflush(stdout);
  child = fork();
  if (child == 0) {
    alarm(TEST_DEADLINE_S);
    function();
    exit(0); /* not _exit: this is where the leak sanitizer looks */
  }
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    printf("ok %s\n", name);
    return;
  }
  test_failed++;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 99) return; /* it has said why */
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) printf("not ok %s: took longer than %d s\n", name, TEST_DEADLINE_S);
  else if (WIFSIGNALED(status)) printf("not ok %s: killed by signal %d\n", name, WTERMSIG(status));
  else printf("not ok %s: exit code %d, see standard error\n", name, WEXITSTATUS(status));
}

#define TEST(function) test_run(#function, function)

static TEST_UNUSED void test_main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc < 2) {
    fprintf(stderr, "usage: %s LIBRARY [TEST]\n", argv[0]);
    exit(2);
  }
  test_only = argc > 2 ? argv[2] : NULL;
}

static TEST_UNUSED void test_main_static(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  test_only = argc > 1 ? argv[1] : NULL;
}

/* Exit code of the program: 0 when at least one test ran and none failed. */
static TEST_UNUSED int test_end(void) { return test_failed > 0 || test_ran == 0; }

#endif
