/* Tests of gzip-archive; tests/integration/plugins/gzip_archive_test.ts compiles and runs them. Link with -rdynamic: the calls
 * below must come before the C library's. */
#include "test_host.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* ---- A disk that fails -------------------------------------------------------------------------------------------------- */

static int calls;      /* that change the disk, since the last reset */
static int die_at;     /* the call in which the process is killed; 0: none */
static int refuse_at;  /* the first call that fails for want of space; 0: none */
static int refuse_for; /* how many do */

/* 1 when the call is to fail. */
static int disk_call(void) {
  calls++;
  if (calls == die_at) kill(getpid(), SIGKILL);
  if (refuse_at == 0 || calls < refuse_at || calls >= refuse_at + refuse_for) return 0;
  errno = ENOSPC;
  return 1;
}

/* A write that is cut short leaves half of its bytes. */
ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
  if (calls + 1 == die_at || (refuse_at > 0 && calls + 1 >= refuse_at && calls + 1 < refuse_at + refuse_for)) {
    if (syscall(SYS_pwrite64, file, bytes, count / 2, offset) < 0) return -1;
  }
  return disk_call() ? -1 : syscall(SYS_pwrite64, file, bytes, count, offset);
}
int fsync(int file) { return disk_call() ? -1 : (int)syscall(SYS_fsync, file); }
int ftruncate(int file, off_t length) { return disk_call() ? -1 : (int)syscall(SYS_ftruncate, file, length); }
int unlinkat(int folder, const char *name, int flags) { return disk_call() ? -1 : (int)syscall(SYS_unlinkat, folder, name, flags); }
int renameat(int folder, const char *from, int to_folder, const char *to) {
  return disk_call() ? -1 : (int)syscall(SYS_renameat2, folder, from, to_folder, to, 0);
}

static void disk_is_fine(void) { calls = die_at = refuse_at = refuse_for = 0; }

/* ---- Folders, batches, what an archive holds ----------------------------------------------------------------------------- */

static const char *library;
static char folder[256];
static char config[512];

static void remove_folder(void) {
  char command[1024];
  snprintf(command, sizeof command, "chmod -R u+w %s && rm -rf %s", folder, folder);
  if (system(command) != 0) printf("# cannot remove %s\n", folder);
}

/* Fresh folder; `settings` come behind the directory, e.g. ",\"level\":1". */
static void use_folder(const char *settings) {
  const char *parent = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%.200s/busbar_gzip_archive_XXXXXX", parent == NULL ? "/tmp" : parent);
  CHECK(mkdtemp(folder) != NULL);
  snprintf(config, sizeof config, "{\"directory\":\"%s/archive\"%s}", folder, settings);
}

static test_component_t *open_archive(void) {
  test_component_t *c = test_open(library, BUSBAR_REACTION, "archive", config);
  static char data[300];
  snprintf(data, sizeof data, "%s/data", folder);
  c->context.data_directory = busbar_string(data);
  return c;
}

static test_component_t *start_archive(void) {
  test_component_t *c = open_archive();
  CHECK_STATUS(test_create(c), BUSBAR_OK);
  if (test_start(c) != BUSBAR_OK) FAIL("start: %s", c->error);
  return c;
}

static uint32_t mix(uint64_t x) {
  x = (x + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return (uint32_t)(x >> 32);
}

/* The event's text, the same for the same number: some long, some short, half of it hard to compress. */
static uint32_t payload_of(uint32_t source, uint64_t sequence, char *to, size_t capacity) {
  int length = snprintf(to, capacity, "%u %llu ", source, (unsigned long long)sequence);
  uint32_t i, more = mix(sequence * 2 + source) % 90;
  for (i = 0; i < more; i++) to[length++] = i % 2 ? 'x' : (char)('a' + mix(sequence * 100 + i) % 26);
  return (uint32_t)length;
}

static void append_event(test_batch_t *b, uint32_t source, uint64_t sequence) {
  char text[256];
  busbar_event_t event;
  memset(&event, 0, sizeof event);
  event.payload = text;
  event.payload_length = payload_of(source, sequence, text, sizeof text);
  b->batch.source = source;
  b->batch.next_sequence = sequence;
  if (!busbar_append(&b->batch, &event)) FAIL("the test's batch is full");
}

/* Writes events first..last of a source, offering again what is not accepted. Returns the last status, after `tries`. */
static int32_t write_events(test_component_t *c, uint32_t source, uint64_t first, uint64_t last, int tries) {
  int32_t status = BUSBAR_OK;
  while (first <= last && tries > 0) {
    test_batch_t *b = test_batch(1 << 16, 100);
    uint64_t sequence;
    for (sequence = first; sequence <= last && b->batch.count < 100; sequence++) append_event(b, source, sequence);
    test_batch_seal(b);
    status = test_write(c, b);
    if (status == BUSBAR_OK) {
      first = sequence;
    } else {
      CHECK_STATUS(status, BUSBAR_FAILED);
      first += b->batch.done;
      tries--;
    }
    test_batch_free(b);
  }
  return status;
}

static void write_all(test_component_t *c, uint32_t source, uint64_t first, uint64_t last) {
  CHECK_STATUS(write_events(c, source, first, last, 1), BUSBAR_OK);
}

/* How many files of the archive have names that end so. `name`, if not null, gets the first one's path. */
static int files_named(const char *end, char *name) {
  char path[300];
  struct dirent **list;
  int i, n, found = 0;
  snprintf(path, sizeof path, "%s/archive", folder);
  n = scandir(path, &list, NULL, alphasort);
  for (i = 0; i < n; i++) {
    size_t length = strlen(list[i]->d_name);
    if (length > strlen(end) && strcmp(list[i]->d_name + length - strlen(end), end) == 0 && found++ == 0 && name != NULL)
      sprintf(name, "%s/%s", path, list[i]->d_name);
    free(list[i]);
  }
  if (n >= 0) free(list);
  return found;
}

static uint64_t size_of(const char *path) {
  struct stat status;
  if (stat(path, &status) != 0) FAIL("%s: %s", path, strerror(errno));
  return (uint64_t)status.st_size;
}

/* What gunzip makes of the files with this pattern, one after the other; null when it complains. */
static FILE *gunzip(const char *pattern) {
  char command[1024];
  snprintf(command, sizeof command, "cd %s/archive && for f in %s; do [ ! -s \"$f\" ] || gzip -dc <\"$f\" || exit 1; done >%s/out", folder, pattern, folder);
  if (system(command) != 0) return NULL;
  snprintf(command, sizeof command, "%s/out", folder);
  return fopen(command, "r");
}

/* Fails unless the files hold events 1..counts[s] of each source, each once and in order. */
static void check_events(const char *pattern, const uint64_t *counts, uint32_t sources) {
  uint64_t next[4] = {1, 1, 1, 1};
  char line[256], expected[256];
  FILE *text = gunzip(pattern);
  uint32_t s;
  if (text == NULL) FAIL("gunzip refuses %s", pattern);
  while (fgets(line, sizeof line, text) != NULL) {
    unsigned source;
    unsigned long long sequence;
    uint32_t length;
    if (sscanf(line, "%u %llu ", &source, &sequence) != 2 || source >= sources) FAIL("strange line: %s", line);
    if (sequence != next[source]) FAIL("source %u: event %llu where %llu is due", source, sequence, (unsigned long long)next[source]);
    next[source]++;
    length = payload_of(source, sequence, expected, sizeof expected);
    if (strlen(line) != length + 1 || memcmp(line, expected, length) != 0) FAIL("event is not what was written: %s", line);
  }
  fclose(text);
  for (s = 0; s < sources; s++)
    if (next[s] != counts[s] + 1)
      FAIL("source %u: %llu events, not %llu", s, (unsigned long long)next[s] - 1, (unsigned long long)counts[s]);
}

static void check_one_source(const char *pattern, uint64_t count) { check_events(pattern, &count, 1); }

/* ---- Plain use ------------------------------------------------------------------------------------------------------------ */

static void archive_gunzips_to_every_event_once(void) {
  test_component_t *c;
  use_folder("");
  c = start_archive();
  write_all(c, 0, 1, 1000);
  CHECK_STATUS(test_flush(c), BUSBAR_OK);
  CHECK_STATUS(test_flush(c), BUSBAR_OK);
  write_all(c, 0, 1001, 2500);
  CHECK_STATUS(test_flush(c), BUSBAR_OK);
  write_all(c, 0, 2501, 2600);
  CHECK_STATUS(test_stop(c), BUSBAR_OK);
  CHECK_INT(files_named(".gz", NULL), 1);
  CHECK_INT(files_named(".part", NULL), 0);
  check_one_source("*.gz", 2600);
  CHECK_INT(test_metric(c, "segments_total"), 1);
  test_close(c);
  remove_folder();
}

static void counters_count_bytes(void) {
  test_component_t *c;
  char path[600];
  struct stat status;
  use_folder("");
  c = start_archive();
  write_all(c, 0, 1, 500);
  CHECK_STATUS(test_stop(c), BUSBAR_OK);
  CHECK_INT(files_named(".gz", path), 1);
  CHECK_INT(test_metric(c, "bytes_out_total"), size_of(path));
  fclose(gunzip("*.gz"));
  snprintf(path, sizeof path, "%s/out", folder);
  CHECK(stat(path, &status) == 0);
  CHECK_INT(test_metric(c, "bytes_in_total"), status.st_size);
  test_close(c);
  remove_folder();
}

static void create_takes_nothing(void) {
  test_component_t *c;
  use_folder("");
  c = open_archive();
  CHECK_STATUS(test_create(c), BUSBAR_OK);
  CHECK_INT(files_named("", NULL), 0);
  test_close(c);
  remove_folder();
}

static void nothing_written_leaves_no_segment(void) {
  test_component_t *c;
  use_folder("");
  c = start_archive();
  CHECK_STATUS(test_flush(c), BUSBAR_OK);
  CHECK_STATUS(test_stop(c), BUSBAR_OK);
  CHECK_INT(files_named(".gz", NULL) + files_named(".part", NULL) + files_named(".journal", NULL), 0);
  test_close(c);
  remove_folder();
}

static void what_was_flushed_is_readable_while_open(void) {
  test_component_t *c;
  use_folder("");
  c = start_archive();
  write_all(c, 0, 1, 300);
  CHECK_STATUS(test_flush(c), BUSBAR_OK);
  write_all(c, 0, 301, 310);
  CHECK_INT(files_named(".gz.part", NULL), 1);
  check_one_source("*.part", 300);
  test_close(c);
  remove_folder();
}

static void start_after_stop_goes_on(void) {
  test_component_t *c;
  use_folder("");
  c = start_archive();
  write_all(c, 0, 1, 10);
  CHECK_STATUS(test_stop(c), BUSBAR_OK);
  CHECK_STATUS(test_start(c), BUSBAR_OK);
  write_all(c, 0, 11, 20);
  CHECK_STATUS(test_stop(c), BUSBAR_OK);
  CHECK_INT(files_named(".gz", NULL), 2);
  CHECK_INT(files_named("-000002.gz", NULL), 1);
  check_one_source("*.gz", 20);
  test_close(c);
  remove_folder();
}

static void segments_keep_below_their_size(void) {
  test_component_t *c;
  char path[600];
  int n;
  use_folder(",\"max_segment_bytes\":\"6KiB\",\"level\":9");
  c = start_archive();
  for (n = 0; n < 60; n++) {
    write_all(c, 0, (uint64_t)n * 100 + 1, (uint64_t)n * 100 + 100);
    if (n % 7 == 0) CHECK_STATUS(test_flush(c), BUSBAR_OK);
  }
  CHECK_STATUS(test_stop(c), BUSBAR_OK);
  n = files_named(".gz", NULL);
  CHECK_INT(test_metric(c, "segments_total"), n);
  CHECK(n > 20);
  for (; n > 0; n--) {
    char end[32];
    snprintf(end, sizeof end, "-%06d.gz", n);
    CHECK_INT(files_named(end, path), 1);
    if (size_of(path) > 6144) FAIL("%s has %llu bytes", path, (unsigned long long)size_of(path));
  }
  check_one_source("*.gz", 6000);
  test_close(c);
  remove_folder();
}

static void event_above_the_size_gets_a_segment_of_its_own(void) {
  test_component_t *c;
  use_folder(",\"max_segment_bytes\":1");
  c = start_archive();
  write_all(c, 0, 1, 5);
  CHECK_STATUS(test_stop(c), BUSBAR_OK);
  CHECK_INT(files_named(".gz", NULL), 5);
  check_one_source("*.gz", 5);
  test_close(c);
  remove_folder();
}

static void old_segment_is_finished(void) {
  test_component_t *c;
  uint64_t n = 0;
  use_folder(",\"max_segment_age\":\"20ms\"");
  c = start_archive();
  while (files_named(".gz", NULL) < 2) {
    n++;
    write_all(c, 0, n, n);
    CHECK_STATUS(test_flush(c), BUSBAR_OK);
  }
  CHECK_STATUS(test_stop(c), BUSBAR_OK);
  check_one_source("*.gz", n);
  test_close(c);
  remove_folder();
}

static void memory_is_bounded_without_flush(void) {
  test_component_t *c;
  test_batch_t *b = test_batch(3 << 20, 10);
  char *payload = malloc(2 << 20);
  busbar_event_t event;
  uint32_t i;
  char path[600];
  use_folder("");
  c = start_archive();
  for (i = 0; i < 2 << 20; i++) payload[i] = (char)('!' + mix(i) % 90);
  memset(&event, 0, sizeof event);
  event.payload = payload;
  event.payload_length = 2 << 20;
  CHECK(busbar_append(&b->batch, &event));
  test_batch_seal(b);
  for (i = 0; i < 3; i++) CHECK_STATUS(test_write(c, b), BUSBAR_OK);
  CHECK_INT(files_named(".part", path), 1);
  CHECK(size_of(path) > 3 << 20);
  test_close(c);
  test_batch_free(b);
  free(payload);
  remove_folder();
}

static void malformed_record_is_invalid(void) {
  test_component_t *c;
  test_batch_t *b = test_batch(4096, 8);
  use_folder("");
  c = start_archive();
  append_event(b, 0, 1);
  append_event(b, 0, 2);
  append_event(b, 0, 3);
  ((busbar_record_t *)(uintptr_t)test_record(b, 2))->payload_length = 0x7fffffff;
  test_batch_seal(b);
  CHECK_STATUS(test_write(c, b), BUSBAR_INVALID);
  CHECK_INT(b->batch.done, 2);
  CHECK_STATUS(test_stop(c), BUSBAR_OK);
  check_one_source("*.gz", 2);
  test_close(c);
  test_batch_free(b);
  remove_folder();
}

static void bad_config_is_refused(void) {
  static const struct {
    const char *config, *message;
  } table[] = {
      {"{}", "\"directory\""},
      {"{\"directory\":\"/tmp/x\",\"prefix\":\"a/b\"}", "\"prefix\""},
      {"{\"directory\":\"/tmp/x\",\"prefix\":\"..\"}", "\"prefix\""},
      {"{\"directory\":\"/tmp/x\",\"max_segment_bytes\":\"1 parsec\"}", "\"max_segment_bytes\""},
      {"{\"directory\":\"/tmp/x\",\"max_segment_age\":\"soon\"}", "\"max_segment_age\""},
      {"{\"directory\":\"/tmp/x\",\"level\":10}", "\"level\""},
      {"{\"directory\":\"/tmp/x\",\"format\":\"json\"}", "\"format\""},
  };
  size_t i;
  for (i = 0; i < sizeof table / sizeof *table; i++) {
    test_component_t *c = test_open(library, BUSBAR_REACTION, "archive", table[i].config);
    CHECK_STATUS(test_create(c), BUSBAR_FAILED);
    if (strstr(c->error, table[i].message) == NULL) FAIL("%s: %s", table[i].config, c->error);
    test_close(c);
  }
}

/* ---- Folders that cannot be used ------------------------------------------------------------------------------------------ */

static void two_pipelines_cannot_share_a_prefix(void) {
  test_component_t *c, *other;
  char expected[512];
  use_folder("");
  c = start_archive();
  other = open_archive();
  CHECK_STATUS(test_create(other), BUSBAR_OK);
  CHECK_STATUS(test_start(other), BUSBAR_FAILED);
  snprintf(expected, sizeof expected, "Cannot lock archive \"%s/archive\", prefix \"events\": process %d is writing it, choose another directory or prefix",
           folder, (int)getpid());
  CHECK_TEXT(other->error, strlen(other->error), expected);
  CHECK_STATUS(test_stop(c), BUSBAR_OK);
  CHECK_STATUS(test_start(other), BUSBAR_OK);
  test_close(other);
  test_close(c);
  remove_folder();
}

static void prefixes_and_partitions_are_apart(void) {
  test_component_t *c, *other, *third;
  use_folder("");
  c = start_archive();
  other = open_archive();
  other->context.partition_count = 2;
  other->context.partition_index = 1;
  CHECK_STATUS(test_create(other), BUSBAR_OK);
  CHECK_STATUS(test_start(other), BUSBAR_OK);
  snprintf(config, sizeof config, "{\"directory\":\"%s/archive\",\"prefix\":\"events-2\"}", folder);
  third = start_archive();
  write_all(c, 0, 1, 5);
  write_all(other, 0, 1, 6);
  write_all(third, 0, 1, 7);
  test_close(c);
  test_close(other);
  test_close(third);
  check_one_source("events-20*.gz", 5);
  check_one_source("events-p1-*.gz", 6);
  check_one_source("events-2-*.gz", 7);
  remove_folder();
}

static void start_says_why_a_folder_cannot_be_used(void) {
  test_component_t *c;
  char path[300], expected[512];
  FILE *file;
  use_folder("");
  snprintf(path, sizeof path, "%s/archive", folder);
  file = fopen(path, "w");
  fclose(file);
  c = open_archive();
  CHECK_STATUS(test_create(c), BUSBAR_OK);
  CHECK_STATUS(test_start(c), BUSBAR_FAILED);
  snprintf(expected, sizeof expected, "Cannot open archive \"%s\": Not a directory", path);
  CHECK_TEXT(c->error, strlen(c->error), expected);
  unlink(path);
  CHECK(mkdir(path, 0755) == 0 && chmod(folder, 0755) == 0 && chmod(path, 0555) == 0);
  if (fork() == 0) {
    if (geteuid() == 0 && setuid(65534) != 0) _exit(1);
    CHECK_STATUS(test_start(c), BUSBAR_FAILED);
    snprintf(expected, sizeof expected, "Cannot create \"%s/.events.lock\": Permission denied", path);
    CHECK_TEXT(c->error, strlen(c->error), expected);
    _exit(0);
  } else {
    int status;
    wait(&status);
    if (status != 0) _exit(99);
  }
  test_close(c);
  remove_folder();
}

/* ---- Full disks ------------------------------------------------------------------------------------------------------------ */

static void full_disk_fails_and_leaves_whole_members(void) {
  test_component_t *c;
  struct rlimit limit = {100000, RLIM_INFINITY};
  uint64_t flushed = 0;
  int32_t status = BUSBAR_OK;
  signal(SIGXFSZ, SIG_IGN);
  use_folder("");
  c = start_archive();
  CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  while (status == BUSBAR_OK) {
    write_all(c, 0, flushed + 1, flushed + 100);
    status = test_flush(c);
    if (status == BUSBAR_OK) flushed += 100;
    CHECK(flushed < 100000);
  }
  CHECK_STATUS(status, BUSBAR_FAILED);
  if (strstr(c->error, "Cannot write \"events-") == NULL || strstr(c->error, "File too large") == NULL) FAIL("%s", c->error);
  CHECK_STATUS(write_events(c, 0, flushed + 101, flushed + 101, 2), BUSBAR_FAILED);
  CHECK(strstr(test_health(c, &status), "File too large") != NULL);
  CHECK_STATUS(status, BUSBAR_FAILED);
  limit.rlim_cur = RLIM_INFINITY; /* gunzip writes a file as well */
  CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  CHECK_INT(files_named(".part", NULL), 1);
  check_one_source("*.part", flushed);
  write_all(c, 0, flushed + 101, flushed + 200);
  CHECK_STATUS(test_flush(c), BUSBAR_OK);
  CHECK_TEXT(test_health(c, &status), strlen(test_health(c, &status)), "");
  CHECK_STATUS(status, BUSBAR_OK);
  test_close(c);
  check_one_source("*.gz", flushed + 200);
  remove_folder();
}

/* A run with everything in it: segments by size, flushes, stop; what fails is done again. */
static void run_with_refusals(void) {
  test_component_t *c = start_archive();
  uint64_t n;
  int tries;
  for (n = 0; n < 600; n += 60) {
    CHECK_STATUS(write_events(c, 0, n + 1, n + 60, 20), BUSBAR_OK);
    for (tries = 0; test_flush(c) != BUSBAR_OK; tries++) CHECK(tries < 20);
    check_one_source("*.gz *.part", n + 60);
  }
  test_close(c);
}

static void refused_calls_lose_and_double_nothing(void) {
  int at, all;
  use_folder(",\"max_segment_bytes\":\"5KiB\"");
  run_with_refusals();
  all = calls;
  CHECK(all > 60);
  for (at = 1; at < all; at += 3) {
    char command[1024];
    snprintf(command, sizeof command, "rm -rf %s/archive", folder);
    CHECK(system(command) == 0);
    disk_is_fine();
    refuse_for = 1 + at % 4;
    refuse_at = at;
    /* stop, and start, do not try again: those are left alone. */
    if (fork() == 0) {
      test_component_t *c = open_archive();
      CHECK_STATUS(test_create(c), BUSBAR_OK);
      while (test_start(c) != BUSBAR_OK) {
      }
      CHECK_STATUS(write_events(c, 0, 1, 300, 20), BUSBAR_OK);
      while (test_flush(c) != BUSBAR_OK) {
      }
      check_one_source("*.gz *.part", 300);
      CHECK_STATUS(write_events(c, 0, 301, 600, 20), BUSBAR_OK);
      while (test_flush(c) != BUSBAR_OK) {
      }
      check_one_source("*.gz *.part", 600);
      disk_is_fine();
      CHECK_STATUS(test_stop(c), BUSBAR_OK);
      check_one_source("*.gz", 600);
      test_close(c);
      _exit(0);
    } else {
      int status;
      wait(&status);
      if (status != 0) FAIL("refused call %d of %d: see above", at, all);
    }
  }
  remove_folder();
}

/* ---- Crashes --------------------------------------------------------------------------------------------------------------- */

/* Of each source: what a child has in the archive for certain, and what the host took for finished everywhere. */
typedef struct progress {
  uint64_t flushed[2];
  uint64_t acknowledged[2];
} progress_t;

static progress_t *progress; /* shared with children */

static void share_progress(void) {
  progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(progress != MAP_FAILED);
  memset(progress, 0, sizeof *progress);
}

/* Two sources, taking turns. */
static test_component_t *start_acknowledged(void) {
  test_component_t *c = open_archive();
  test_acknowledge(c, "first", 0, progress->acknowledged[0]);
  test_acknowledge(c, "second", 1, progress->acknowledged[1]);
  CHECK_STATUS(test_create(c), BUSBAR_OK);
  if (test_start(c) != BUSBAR_OK) FAIL("start: %s", c->error);
  return c;
}

/* Everything that is not acknowledged, up to these numbers, in small batches with flushes between. */
static void write_rest(test_component_t *c, const uint64_t *last, uint64_t random) {
  uint64_t next[2] = {progress->acknowledged[0] + 1, progress->acknowledged[1] + 1};
  while (next[0] <= last[0] || next[1] <= last[1]) {
    test_batch_t *b = test_batch(1 << 16, 64);
    uint32_t i, count;
    random = mix(random) + 1;
    count = 1 + (uint32_t)random % 40;
    for (i = 0; i < count; i++) {
      uint32_t source = mix(random + i) % 2;
      if (next[source] > last[source]) source = 1 - source;
      if (next[source] > last[source]) break;
      append_event(b, source, next[source]++);
    }
    test_batch_seal(b);
    CHECK_STATUS(test_write(c, b), BUSBAR_OK);
    test_batch_free(b);
    if (random % 3 == 0) {
      CHECK_STATUS(test_flush(c), BUSBAR_OK);
      progress->flushed[0] = next[0] - 1;
      progress->flushed[1] = next[1] - 1;
    }
  }
}

static void wait_for_kill(pid_t child) {
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0) _exit(99);
}

/* At every call that changes the disk, in writing as well as in starting after a crash. */
static void killed_at_any_call_each_event_is_there_once(void) {
  static const uint64_t last[2] = {350, 370}, beyond[2] = {400, 390};
  char command[1024];
  int at, ended = 0;
  share_progress();
  use_folder(",\"max_segment_bytes\":\"3KiB\"");
  for (at = 1; !ended; at++) {
    int round;
    snprintf(command, sizeof command, "rm -rf %s/archive", folder);
    CHECK(system(command) == 0);
    memset(progress, 0, sizeof *progress);
    ended = 1;
    for (round = 0; round < 3; round++) {
      pid_t child = fork();
      if (child == 0) {
        test_component_t *c;
        /* First the writing is killed, then the start after it, then the start after that one. */
        disk_is_fine();
        die_at = round == 0 ? at : 1 + (at * 7 + round * 3) % 25;
        c = start_acknowledged();
        if (round > 0) {
          die_at = 0;
          _exit(0);
        }
        write_rest(c, last, (uint64_t)at);
        CHECK_STATUS(test_stop(c), BUSBAR_OK);
        die_at = 0;
        _exit(0);
      } else {
        int status;
        CHECK(waitpid(child, &status, 0) == child);
        if (WIFEXITED(status) && WEXITSTATUS(status) != 0) _exit(99);
        if (round == 0 && WIFSIGNALED(status)) ended = 0;
      }
      /* The host's checkpoint is anywhere up to what was flushed; a later one is never before an earlier one. */
      if (round == 0) {
        progress->acknowledged[0] = progress->flushed[0] * (uint64_t)(at % 3) / 2;
        progress->acknowledged[1] = progress->flushed[1] * (uint64_t)(at % 4) / 3;
      }
    }
    {
      test_component_t *c = start_acknowledged();
      CHECK_INT(files_named(".part", NULL) + files_named(".journal", NULL) + files_named(".tmp", NULL), 0);
      check_events("*.gz", progress->acknowledged, 2);
      write_rest(c, beyond, (uint64_t)at + 1);
      test_close(c);
      check_events("*.gz", beyond, 2);
    }
  }
  if (at < 60) FAIL("only %d calls", at);
  remove_folder();
}

/* The same, killed from outside at any time, many times in one folder. */
static void killed_at_any_time_each_event_is_there_once(void) {
  uint64_t random = 7, last[2];
  int round;
  share_progress();
  use_folder(",\"max_segment_bytes\":\"20KiB\"");
  for (round = 0; round < 25; round++) {
    pid_t child = fork();
    if (child == 0) {
      static const uint64_t never[2] = {1000000, 1000000};
      write_rest(start_acknowledged(), never, (uint64_t)round * 31);
    }
    random = mix(random);
    {
      uint64_t seen = progress->flushed[0], wanted = 1 + random % 8, changes = 0;
      while (changes < wanted) {
        uint64_t now = *(volatile uint64_t *)&progress->flushed[0];
        changes += now != seen;
        seen = now;
      }
    }
    kill(child, SIGKILL);
    wait_for_kill(child);
    for (int s = 0; s < 2; s++) {
      uint64_t gained = progress->flushed[s] > progress->acknowledged[s] ? progress->flushed[s] - progress->acknowledged[s] : 0;
      progress->acknowledged[s] += gained * (mix(random + (uint64_t)s) % 5) / 4;
    }
  }
  last[0] = progress->acknowledged[0] + 100;
  last[1] = progress->acknowledged[1] + 50;
  {
    test_component_t *c = start_acknowledged();
    check_events("*.gz", progress->acknowledged, 2);
    write_rest(c, last, 1);
    test_close(c);
  }
  check_events("*.gz", last, 2);
  remove_folder();
}

/* An archive of three members of one source, 100 events each, left as a crash leaves it, with some events more in memory. */
static void leave_three_members(void) {
  pid_t child;
  share_progress();
  child = fork();
  if (child == 0) {
    test_component_t *c = start_acknowledged();
    uint64_t n;
    for (n = 0; n < 300; n += 100) {
      write_all(c, 0, n + 1, n + 100);
      CHECK_STATUS(test_flush(c), BUSBAR_OK);
    }
    write_all(c, 0, 301, 350);
    kill(getpid(), SIGKILL);
  }
  wait_for_kill(child);
}

static void copy_file(const char *from, const char *to, uint64_t length) {
  char command[1024];
  snprintf(command, sizeof command, "head -c %llu '%s' >'%s'", (unsigned long long)length, from, to);
  CHECK(system(command) == 0);
}

/* Starts with everything acknowledged and tells how many events there are. */
static uint64_t recovered_events(void) {
  test_component_t *c = open_archive();
  char line[256];
  uint64_t n = 0;
  FILE *text;
  CHECK_STATUS(test_create(c), BUSBAR_OK);
  if (test_start(c) != BUSBAR_OK) FAIL("start: %s", c->error);
  CHECK_INT(files_named(".part", NULL) + files_named(".journal", NULL), 0);
  test_close(c);
  text = gunzip("*.gz");
  if (text == NULL) FAIL("gunzip refuses the archive");
  while (fgets(line, sizeof line, text) != NULL) n++;
  fclose(text);
  check_one_source("*.gz", n);
  return n;
}

static void left_over_part_is_cut_to_its_last_whole_member(void) {
  char part[600], journal[600], kept_part[300], kept_journal[300], command[1024];
  uint64_t size, journal_size, length;
  int with_journal;
  use_folder("");
  leave_three_members();
  CHECK_INT(files_named(".part", part), 1);
  CHECK_INT(files_named(".journal", journal), 1);
  size = size_of(part);
  journal_size = size_of(journal);
  snprintf(kept_part, sizeof kept_part, "%s/part", folder);
  snprintf(kept_journal, sizeof kept_journal, "%s/journal", folder);
  copy_file(part, kept_part, size);
  copy_file(journal, kept_journal, journal_size);
  for (with_journal = 0; with_journal < 2; with_journal++) {
    uint64_t before = 0;
    for (length = 0; length <= size; length += length + 101 < size || length == size ? 101 : size - length) {
      uint64_t events;
      snprintf(command, sizeof command, "rm -rf %s/archive/*", folder);
      CHECK(system(command) == 0);
      copy_file(kept_part, part, length);
      if (with_journal) copy_file(kept_journal, journal, journal_size);
      events = recovered_events();
      CHECK(events % 100 == 0 && events >= before && events <= 300);
      before = events;
    }
    CHECK_INT(before, 300);
  }
  /* A journal that is behind: one member without an entry was not answered for, more were. */
  for (length = 0; length <= journal_size; length += length + 41 < journal_size || length == journal_size ? 41 : journal_size - length) {
    uint64_t events;
    snprintf(command, sizeof command, "rm -rf %s/archive/*", folder);
    CHECK(system(command) == 0);
    copy_file(kept_part, part, size);
    copy_file(kept_journal, journal, length);
    events = recovered_events();
    CHECK(events == 300 || events == 200);
    CHECK(length < journal_size || events == 300);
  }
  /* Rubbish behind the last member. */
  snprintf(command, sizeof command, "rm -rf %s/archive/*", folder);
  CHECK(system(command) == 0);
  copy_file(kept_part, part, size);
  snprintf(command, sizeof command, "head -c 5000 /dev/urandom >>'%s'", part);
  CHECK(system(command) == 0);
  CHECK_INT(recovered_events(), 300);
  remove_folder();
}

static void start_cuts_back_to_what_is_acknowledged(void) {
  static const uint64_t acknowledged[] = {0, 1, 99, 100, 101, 150, 299, 300, 1000};
  size_t i;
  use_folder("");
  for (i = 0; i < sizeof acknowledged / sizeof *acknowledged; i++) {
    char command[1024];
    uint64_t counts[2] = {acknowledged[i] < 300 ? acknowledged[i] : 300, 0};
    test_component_t *c;
    leave_three_members();
    progress->acknowledged[0] = acknowledged[i];
    c = start_acknowledged();
    check_events("*.gz", counts, 2);
    CHECK_INT(test_logged(c, BUSBAR_LOG_WARNING, "Cut events"), acknowledged[i] < 300);
    CHECK_INT(files_named(".gz", NULL), acknowledged[i] > 0);
    test_close(c);
    snprintf(command, sizeof command, "rm -rf %s/archive", folder);
    CHECK(system(command) == 0);
  }
  remove_folder();
}

/* A stop that was in order may be followed by a checkpoint that was not. */
static void finished_segments_are_cut_too(void) {
  uint64_t counts[2] = {1234, 0};
  test_component_t *c;
  share_progress();
  use_folder(",\"max_segment_bytes\":\"10KiB\"");
  c = start_acknowledged();
  write_all(c, 0, 1, 3000);
  test_close(c);
  CHECK(files_named(".gz", NULL) > 5);
  CHECK_INT(files_named(".journal", NULL), files_named(".gz", NULL));
  progress->acknowledged[0] = 1234;
  c = start_acknowledged();
  check_events("*.gz", counts, 2);
  write_all(c, 0, 1235, 3000);
  test_close(c);
  counts[0] = 3000;
  check_events("*.gz", counts, 2);
  remove_folder();
}

static void sequences_of_another_store_mean_nothing(void) {
  char command[1024];
  uint64_t counts[2] = {300, 0};
  test_component_t *c;
  use_folder("");
  leave_three_members();
  snprintf(command, sizeof command, "rm -rf %s/data", folder);
  CHECK(system(command) == 0);
  c = start_acknowledged();
  check_events("*.gz", counts, 2);
  test_close(c);
  remove_folder();
}

static void payloads_with_line_breaks_are_cut_whole(void) {
  static const char text[] = "one\ntwo\n\nthree";
  test_component_t *c;
  test_batch_t *b = test_batch(1 << 16, 100);
  char line[64];
  FILE *file;
  int lines = 0;
  uint32_t i;
  share_progress();
  use_folder("");
  c = start_acknowledged();
  for (i = 0; i < 50; i++) test_append_text(b, text);
  test_batch_seal(b);
  CHECK_STATUS(test_write(c, b), BUSBAR_OK);
  test_close(c);
  progress->acknowledged[0] = 20;
  test_close(start_acknowledged());
  file = gunzip("*.gz");
  while (fgets(line, sizeof line, file) != NULL) lines++;
  fclose(file);
  CHECK_INT(lines, 80);
  test_batch_free(b);
  remove_folder();
}

int main(int argc, char **argv) {
  test_main(argc, argv);
  library = argv[1];
  TEST(archive_gunzips_to_every_event_once);
  TEST(counters_count_bytes);
  TEST(create_takes_nothing);
  TEST(nothing_written_leaves_no_segment);
  TEST(what_was_flushed_is_readable_while_open);
  TEST(start_after_stop_goes_on);
  TEST(segments_keep_below_their_size);
  TEST(event_above_the_size_gets_a_segment_of_its_own);
  TEST(old_segment_is_finished);
  TEST(memory_is_bounded_without_flush);
  TEST(malformed_record_is_invalid);
  TEST(bad_config_is_refused);
  TEST(two_pipelines_cannot_share_a_prefix);
  TEST(prefixes_and_partitions_are_apart);
  TEST(start_says_why_a_folder_cannot_be_used);
  TEST(full_disk_fails_and_leaves_whole_members);
  TEST(refused_calls_lose_and_double_nothing);
  TEST(killed_at_any_call_each_event_is_there_once);
  TEST(killed_at_any_time_each_event_is_there_once);
  TEST(left_over_part_is_cut_to_its_last_whole_member);
  TEST(start_cuts_back_to_what_is_acknowledged);
  TEST(finished_segments_are_cut_too);
  TEST(sequences_of_another_store_mean_nothing);
  TEST(payloads_with_line_breaks_are_cut_whole);
  return test_end();
}
