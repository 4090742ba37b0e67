/* test_reader.h: a source under test and the files it reads, for the tests of file-tail. */
#ifndef TEST_READER_H
#define TEST_READER_H

#include "busbar_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

static const char *library;
static char folder[256]; /* of the test that runs */

/* ---- Files ---- */

static const char *path_of(const char *name) {
  static char paths[8][512];
  static int next;
  char *path = paths[next++ & 7];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static TEST_UNUSED void write_file(const char *name, const char *text, size_t length, int flags) {
  int fd = open(path_of(name), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
  if (fd < 0 || write(fd, text, length) != (ssize_t)length) FAIL("write %s: %s", name, strerror(errno));
  close(fd);
}
static TEST_UNUSED void append(const char *name, const char *text) { write_file(name, text, strlen(text), O_APPEND); }
static TEST_UNUSED void move(const char *from, const char *to) {
  if (rename(path_of(from), path_of(to)) != 0) FAIL("rename %s: %s", from, strerror(errno));
}
static TEST_UNUSED void erase(const char *name) {
  if (unlink(path_of(name)) != 0) FAIL("unlink %s: %s", name, strerror(errno));
}
static TEST_UNUSED void cut(const char *name, off_t length) {
  if (truncate(path_of(name), length) != 0) FAIL("truncate %s: %s", name, strerror(errno));
}

static TEST_UNUSED int entries_of(const char *path) {
  DIR *dir = opendir(path);
  int count = 0;
  while (readdir(dir) != NULL) count++;
  closedir(dir);
  return count;
}

static void remove_tree(const char *path) {
  DIR *dir = opendir(path);
  struct dirent *entry;
  while ((entry = readdir(dir)) != NULL) {
    char child[1024];
    struct stat status;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    snprintf(child, sizeof child, "%s/%s", path, entry->d_name);
    if (lstat(child, &status) == 0 && S_ISDIR(status.st_mode)) remove_tree(child);
    else unlink(child);
  }
  closedir(dir);
  rmdir(path);
}

static TEST_UNUSED void leave_folder(void) {
  if (folder[0] != 0) remove_tree(folder);
}

/* ---- The source ---- */

typedef struct reader {
  test_component_t *c;
  test_batch_t *b;
  char *text; /* all lines so far, each with "\n"; a cut one begins with "!" */
  size_t length, room;
  char *config;
  uint8_t position[BUSBAR_POSITION_MAX]; /* newest */
  uint32_t position_length;
} reader_t;

static TEST_UNUSED reader_t *open_reader(const char *settings, uint64_t capacity, uint32_t limit) {
  reader_t *r = (reader_t *)calloc(1, sizeof *r);
  if (asprintf(&r->config, "{%s}", settings) < 0) FAIL("no memory");
  r->c = test_open(library, BUSBAR_SOURCE, "tail", r->config);
  r->b = test_batch(capacity, limit);
  r->text = (char *)calloc(1, r->room = 1 << 16);
  return r;
}

/* A reader of the files and patterns in `names`, separated by spaces, with further settings such as ",\"once\":true". */
static TEST_UNUSED reader_t *reader_of(const char *names, const char *more, uint64_t capacity, uint32_t limit) {
  char settings[4096] = "\"paths\":[", copy[1024], *name;
  const char *comma = "";
  snprintf(copy, sizeof copy, "%s", names);
  for (name = strtok(copy, " "); name != NULL; name = strtok(NULL, " "), comma = ",")
    snprintf(settings + strlen(settings), sizeof settings - strlen(settings), "%s\"%s\"", comma, path_of(name));
  snprintf(settings + strlen(settings), sizeof settings - strlen(settings), "]%s", more);
  return open_reader(settings, capacity, limit);
}

static TEST_UNUSED reader_t *started(const char *names, const char *more) {
  reader_t *r = reader_of(names, more, 1 << 20, 1000);
  CHECK_STATUS(test_create(r->c), BUSBAR_OK);
  CHECK_STATUS(test_start(r->c), BUSBAR_OK);
  return r;
}

static TEST_UNUSED void close_reader(reader_t *r) {
  test_close(r->c);
  test_batch_free(r->b);
  free(r->text);
  free(r->config);
  free(r);
}

/* One poll; keeps lines and position. */
static TEST_UNUSED int32_t poll_once(reader_t *r) {
  int32_t status = test_poll(r->c, r->b);
  busbar_iterator_t it = busbar_iterate(&r->b->batch);
  const busbar_record_t *record;
  while ((record = busbar_next(&it)) != NULL) {
    while (r->length + record->payload_length + 3 > r->room) r->text = (char *)realloc(r->text, r->room *= 2);
    if (record->content_type != BUSBAR_CONTENT_TEXT || record->timestamp != 0 || record->key_length != 0 || record->operation != 0)
      FAIL("a record is not as documented");
    if (record->flags & BUSBAR_RECORD_TRUNCATED) r->text[r->length++] = '!';
    memcpy(r->text + r->length, busbar_payload(record), record->payload_length);
    r->length += record->payload_length;
    r->text[r->length++] = '\n';
    r->text[r->length] = 0;
  }
  if (r->b->batch.count > 0) {
    r->position_length = r->b->batch.position_length;
    memcpy(r->position, r->b->batch.position, r->position_length);
  }
  return status;
}

/* Polls until there is nothing now (AGAIN) or no more (DONE), which is returned. */
static TEST_UNUSED int32_t drain(reader_t *r) {
  int32_t status;
  do status = poll_once(r);
  while (status == BUSBAR_OK);
  return status;
}

/* Follows, from wake to wake, until so many bytes of lines have come: a host in small. */
static TEST_UNUSED void follow(reader_t *r, size_t length) {
  for (;;) {
    uint64_t wakes = test_wakes(r->c);
    drain(r);
    if (r->length >= length) return;
    if (!test_wait_wake(r->c, wakes, TEST_DEADLINE_S * 500)) FAIL("no wake came; lines so far: %s", r->text);
  }
}

/* Polls at each wake until `condition`. */
#define UNTIL(r, condition)                                                                       \
  for (;;) {                                                                                      \
    uint64_t until_wakes = test_wakes((r)->c);                                                    \
    drain(r);                                                                                     \
    if (condition) break;                                                                         \
    if (!test_wait_wake((r)->c, until_wakes, TEST_DEADLINE_S * 500)) FAIL("never: %s", #condition); \
  }

#define EXPECT(r, expected)            \
  do {                                 \
    const char *expect = (expected);   \
    follow(r, strlen(expect));         \
    CHECK_TEXT((r)->text, (r)->length, expect); \
  } while (0)

#define QUICK ",\"rescan\":\"5ms\",\"grace\":\"20ms\""
#define PATIENT ",\"rescan\":\"1d\",\"grace\":\"1h\"" /* nothing but inotify helps */

static unsigned random_state = 7;
static TEST_UNUSED unsigned next_random(void) {
  random_state = random_state * 1103515245u + 12345u;
  return random_state >> 8;
}

static void run(const char *name, void (*function)(void)) {
  /* Here, not in the child: what a crashed test leaves behind is removed as well. */
  snprintf(folder, sizeof folder, "%s/file_tail_XXXXXX", getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
  if (mkdtemp(folder) == NULL) exit(2);
  test_run(name, function);
  leave_folder();
}
#undef TEST
#define TEST(function) run(#function, function)

#endif
