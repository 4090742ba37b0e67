/* What the tests of gzip-archive share: a disk that fails, a folder, events, and what an archive holds. Link with -rdynamic: the calls
 * below must come before the C library's. */
#ifndef GZIP_ARCHIVE_TEST_SUPPORT_H
#define GZIP_ARCHIVE_TEST_SUPPORT_H

#include "busbar_test.h"

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

static char trace[64]; /* the latest writes and syncs: "w3" and "s3" for file 3 */
static void note(char what, int file) {
  size_t length = strlen(trace);
  snprintf(trace + length, sizeof trace - length, "%c%d", what, file);
}

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
  note('w', file);
  if (calls + 1 == die_at || (refuse_at > 0 && calls + 1 >= refuse_at && calls + 1 < refuse_at + refuse_for)) {
    if (syscall(SYS_pwrite64, file, bytes, count / 2, offset) < 0) return -1;
  }
  return disk_call() ? -1 : syscall(SYS_pwrite64, file, bytes, count, offset);
}
/* A process that is killed loses nothing that the kernel has; not syncing makes the tests quick. */
int fsync(int file) {
  note('s', file);
  return disk_call() ? -1 : 0;
}
int ftruncate(int file, off_t length) { return disk_call() ? -1 : (int)syscall(SYS_ftruncate, file, length); }
int unlinkat(int folder, const char *name, int flags) { return disk_call() ? -1 : (int)syscall(SYS_unlinkat, folder, name, flags); }
int linkat(int folder, const char *from, int to_folder, const char *to, int flags) {
  return disk_call() ? -1 : (int)syscall(SYS_linkat, folder, from, to_folder, to, flags);
}
int renameat(int folder, const char *from, int to_folder, const char *to) {
  return disk_call() ? -1 : (int)syscall(SYS_renameat2, folder, from, to_folder, to, 0);
}

static TEST_UNUSED void disk_is_fine(void) { calls = die_at = refuse_at = refuse_for = 0; }

/* ---- Folders, batches, what an archive holds ----------------------------------------------------------------------------- */

static const char *library;
static char folder[256];
static char config[512];

static TEST_UNUSED void remove_folder(void) {
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

static TEST_UNUSED test_component_t *start_archive(void) {
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
static TEST_UNUSED int32_t write_events(test_component_t *c, uint32_t source, uint64_t first, uint64_t last, int tries) {
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

static TEST_UNUSED void write_all(test_component_t *c, uint32_t source, uint64_t first, uint64_t last) {
  CHECK_STATUS(write_events(c, source, first, last, 1), BUSBAR_OK);
}

/* How many files of the archive have names that end so. `name`, if not null, gets the first one's path. */
static TEST_UNUSED int files_named(const char *end, char *name) {
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

static TEST_UNUSED uint64_t size_of(const char *path) {
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

static TEST_UNUSED void check_one_source(const char *pattern, uint64_t count) { check_events(pattern, &count, 1); }

#endif
