/* Tests of file-tail with real files; run by tests/integration/plugins/file_tail_test.ts as: test_file_tail LIBRARY [TEST] */
#include "test_host.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
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

static void write_file(const char *name, const char *text, size_t length, int flags) {
  int fd = open(path_of(name), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
  if (fd < 0 || write(fd, text, length) != (ssize_t)length) FAIL("write %s: %s", name, strerror(errno));
  close(fd);
}
static void append(const char *name, const char *text) { write_file(name, text, strlen(text), O_APPEND); }
static void move(const char *from, const char *to) {
  if (rename(path_of(from), path_of(to)) != 0) FAIL("rename %s: %s", from, strerror(errno));
}
static void erase(const char *name) {
  if (unlink(path_of(name)) != 0) FAIL("unlink %s: %s", name, strerror(errno));
}
static void cut(const char *name, off_t length) {
  if (truncate(path_of(name), length) != 0) FAIL("truncate %s: %s", name, strerror(errno));
}

static int entries_of(const char *path) {
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

static void leave_folder(void) {
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

static reader_t *open_reader(const char *settings, uint64_t capacity, uint32_t limit) {
  reader_t *r = (reader_t *)calloc(1, sizeof *r);
  if (asprintf(&r->config, "{%s}", settings) < 0) FAIL("no memory");
  r->c = test_open(library, BUSBAR_SOURCE, "tail", r->config);
  r->b = test_batch(capacity, limit);
  r->text = (char *)calloc(1, r->room = 1 << 16);
  return r;
}

/* A reader of the files and patterns in `names`, separated by spaces, with further settings such as ",\"once\":true". */
static reader_t *reader_of(const char *names, const char *more, uint64_t capacity, uint32_t limit) {
  char settings[4096] = "\"paths\":[", copy[1024], *name;
  const char *comma = "";
  snprintf(copy, sizeof copy, "%s", names);
  for (name = strtok(copy, " "); name != NULL; name = strtok(NULL, " "), comma = ",")
    snprintf(settings + strlen(settings), sizeof settings - strlen(settings), "%s\"%s\"", comma, path_of(name));
  snprintf(settings + strlen(settings), sizeof settings - strlen(settings), "]%s", more);
  return open_reader(settings, capacity, limit);
}

static reader_t *started(const char *names, const char *more) {
  reader_t *r = reader_of(names, more, 1 << 20, 1000);
  CHECK_STATUS(test_create(r->c), BUSBAR_OK);
  CHECK_STATUS(test_start(r->c), BUSBAR_OK);
  return r;
}

static void close_reader(reader_t *r) {
  test_close(r->c);
  test_batch_free(r->b);
  free(r->text);
  free(r->config);
  free(r);
}

/* One poll; keeps lines and position. */
static int32_t poll_once(reader_t *r) {
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
static int32_t drain(reader_t *r) {
  int32_t status;
  do status = poll_once(r);
  while (status == BUSBAR_OK);
  return status;
}

/* Follows, from wake to wake, until so many bytes of lines have come: a host in small. */
static void follow(reader_t *r, size_t length) {
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

/* ---- Lines ---- */

static void cuts_lines(void) {
  reader_t *r;
  append("a", "one\ntwo\r\n\n\r\n\rx\r\r\nlast");
  r = started("a", "");
  CHECK_STATUS(drain(r), BUSBAR_AGAIN);
  CHECK_TEXT(r->text, r->length, "one\ntwo\n\n\n\rx\r\n");
  close_reader(r);
}

static void a_partial_line_waits(void) {
  reader_t *r;
  append("a", "par");
  r = started("a", PATIENT);
  drain(r);
  CHECK_INT(r->length, 0);
  append("a", "tial\r");
  drain(r);
  append("a", "\nnext\n");
  EXPECT(r, "partial\nnext\n");
  close_reader(r);
}

static void once_ends(void) {
  reader_t *r;
  append("a", "1\n2");
  append("b", "");
  append("c", "3\r");
  r = started("a b c", ",\"once\":true");
  CHECK_STATUS(drain(r), BUSBAR_DONE);
  CHECK_TEXT(r->text, r->length, "1\n2\n3\r\n");
  CHECK_STATUS(drain(r), BUSBAR_DONE);
  CHECK_INT(r->length, 7);
  close_reader(r);
}

/* The same lines by the definition, without any buffering. */
static size_t reference(const char *text, size_t length, size_t max_line, char *out) {
  const char *at = text, *end = text + length;
  char *start = out;
  while (at < end) {
    const char *newline = (const char *)memchr(at, '\n', (size_t)(end - at));
    size_t size = (size_t)((newline == NULL ? end : newline) - at);
    if (newline != NULL && size > 0 && newline[-1] == '\r') size--;
    if (size > max_line) *out++ = '!';
    memcpy(out, at, size > max_line ? max_line : size);
    out += size > max_line ? max_line : size;
    *out++ = '\n';
    at = newline == NULL ? end : newline + 1;
  }
  return (size_t)(out - start);
}

static unsigned random_state = 7;
static unsigned next_random(void) {
  random_state = random_state * 1103515245u + 12345u;
  return random_state >> 8;
}

/* Random lines around the limits, appended in random pieces, with a poll between. */
static void long_lines_are_cut(void) {
  static const size_t limits[] = {1, 2, 9, 100, 262143, 262144, 300000};
  size_t which;
  for (which = 0; which < sizeof limits / sizeof *limits; which++) {
    size_t limit = limits[which], size = limit < 1000 ? 20000 : 6000000, length = 0, at = 0, expected, cuts = 0, i;
    char *text = (char *)malloc(size + 4 * limit + 100), *out = (char *)malloc(3 * (size + 4 * limit + 100)), more[64];
    reader_t *r;
    while (length < size) {
      size_t line = next_random() % 3 == 0 ? limit - 1 + next_random() % 4 : next_random() % (3 * limit);
      for (i = 0; i < line; i++) text[length++] = (char)('a' + i % 26);
      if (next_random() % 2) text[length++] = '\r';
      if (next_random() % 5 == 0) text[length++] = '\r';
      text[length++] = '\n';
    }
    expected = reference(text, length, limit, out);
    snprintf(more, sizeof more, ",\"max_line\":%zu", limit);
    write_file("a", "", 0, O_TRUNC);
    r = started("a", more);
    while (at < length) {
      size_t piece = 1 + next_random() % (length / 40);
      if (piece > length - at) piece = length - at;
      write_file("a", text + at, piece, O_APPEND);
      at += piece;
      follow(r, 0);
    }
    follow(r, expected);
    CHECK_INT(r->length, expected);
    CHECK(memcmp(r->text, out, expected) == 0);
    for (i = 0; i < expected; i++) cuts += out[i] == '!';
    CHECK_INT(test_metric(r->c, "lines_truncated_total"), cuts);
    CHECK(cuts > 0);
    close_reader(r);
    free(text);
    free(out);
    erase("a");
  }
}

static void what_is_to_be_skipped_does_not_block(void) {
  size_t size = 40 << 20;
  char *text = (char *)malloc(size);
  reader_t *r;
  memset(text, 'x', size);
  memcpy(text + size - 6, "\nlast\n", 6);
  write_file("a", text, size, 0);
  r = started("a", ",\"max_line\":4");
  EXPECT(r, "!xxxx\nlast\n");
  CHECK(test_wakes(r->c) > 0); /* it stopped on the way and asked to be called again */
  close_reader(r);
  free(text);
}

static void any_arena_will_do(void) {
  static const uint64_t capacities[] = {48, 56, 57, 63, 64, 65, 100, 127, 1000, 4093, 65536};
  char expected[4096] = "", line[32];
  size_t i, j;
  for (i = 0; i < 200; i++) {
    snprintf(line, sizeof line, "%.*s\n", (int)(i % 9), "12345678");
    strcat(expected, line);
  }
  append("a", expected);
  for (i = 0; i < sizeof capacities / sizeof *capacities; i++)
    for (j = 1; j <= 1000; j *= 10) {
      reader_t *r = reader_of("a", ",\"once\":true", capacities[i], (uint32_t)j);
      CHECK_STATUS(test_create(r->c), BUSBAR_OK);
      CHECK_STATUS(test_start(r->c), BUSBAR_OK);
      CHECK_STATUS(drain(r), BUSBAR_DONE);
      CHECK_TEXT(r->text, r->length, expected);
      close_reader(r);
    }
}

static void a_line_too_large_asks_for_room(void) {
  reader_t *r;
  append("a", "short\n0123456789012345678901234567890123456789\n");
  r = reader_of("a", "", 64, 10);
  CHECK_STATUS(test_create(r->c), BUSBAR_OK);
  CHECK_STATUS(test_start(r->c), BUSBAR_OK);
  CHECK_STATUS(poll_once(r), BUSBAR_OK);
  CHECK_INT(r->b->batch.count, 1);
  CHECK_STATUS(poll_once(r), BUSBAR_OK);
  CHECK_INT(r->b->batch.count, 0);
  CHECK_INT(r->b->batch.required, 80);
  test_batch_free(r->b);
  r->b = test_batch(80, 10);
  EXPECT(r, "short\n0123456789012345678901234567890123456789\n");
  close_reader(r);
}

static void attributes_name_the_path(void) {
  const busbar_record_t *record;
  busbar_string_t name, value;
  uint32_t offset = 0;
  reader_t *r;
  append("b", "x\n");
  append("aaaa", "y\n");
  r = started("b aaaa", ",\"attributes\":true");
  CHECK_STATUS(drain(r), BUSBAR_AGAIN);
  record = test_record(r->b, 0);
  CHECK(busbar_next_attribute(record, &offset, &name, &value));
  CHECK_TEXT(name.data, name.length, "path");
  CHECK_TEXT(value.data, value.length, path_of("b"));
  CHECK(!busbar_next_attribute(record, &offset, &name, &value));
  offset = 0;
  record = test_record(r->b, 1);
  CHECK(busbar_next_attribute(record, &offset, &name, &value));
  CHECK_TEXT(value.data, value.length, path_of("aaaa"));
  close_reader(r);
}

static void files_take_turns(void) {
  size_t size = 5 << 20, first;
  char *text = (char *)malloc(size);
  reader_t *r;
  memset(text, 'a', size);
  for (first = 99; first < size; first += 100) text[first] = '\n';
  write_file("a", text, size, 0);
  append("b", "small\n");
  r = started("a b", "");
  while (r->text == NULL || strstr(r->text, "small") == NULL) CHECK_STATUS(poll_once(r), BUSBAR_OK);
  CHECK(r->length < 2 << 20);
  CHECK_STATUS(drain(r), BUSBAR_AGAIN);
  CHECK_INT(r->length, size / 100 * 100 + 6);
  close_reader(r);
  free(text);
}

/* ---- Positions ---- */

/* Every position that a run gives, in batches of `limit`: a new source that starts there gives the rest, under the same numbers. */
static void resume_everywhere(const char *names, uint32_t limit, uint32_t step) {
  reader_t *all = reader_of(names, ",\"once\":true", 1 << 20, limit);
  uint32_t batch = 0;
  char *whole;
  reader_t *full = started(names, ",\"once\":true");
  CHECK_STATUS(drain(full), BUSBAR_DONE);
  whole = full->text;
  CHECK_STATUS(test_create(all->c), BUSBAR_OK);
  CHECK_STATUS(test_start(all->c), BUSBAR_OK);
  while (poll_once(all) == BUSBAR_OK) {
    reader_t *rest;
    if (batch++ % step != 0) continue;
    CHECK(memcmp(all->text, whole, all->length) == 0);
    rest = reader_of(names, ",\"once\":true", 1 << 20, 1000);
    rest->c->next_sequence = all->c->next_sequence;
    CHECK_STATUS(test_create(rest->c), BUSBAR_OK);
    rest->c->context.position.data = all->position;
    rest->c->context.position.length = all->position_length;
    CHECK_STATUS(test_start(rest->c), BUSBAR_OK);
    CHECK_STATUS(drain(rest), BUSBAR_DONE);
    CHECK_TEXT(rest->text, rest->length, whole + all->length);
    CHECK_INT(rest->c->next_sequence, full->c->next_sequence);
    close_reader(rest);
  }
  CHECK_INT(all->length, full->length);
  close_reader(all);
  close_reader(full);
}

static void resumes_from_every_position(void) {
  char line[300];
  int i;
  for (i = 0; i < 60; i++) {
    snprintf(line, sizeof line, "%d %.*s\n", i, i % 80, "--------------------------------------------------------------------------------");
    append("a", line);
    if (i % 2 == 0) append("b", line);
  }
  append("b", "no newline at the end");
  append("c", "");
  resume_everywhere("a", 1, 1);
  resume_everywhere("a b c", 1, 1);
  resume_everywhere("a b c", 7, 1);
}

static void resumes_in_the_middle_of_turns(void) {
  char *text = (char *)malloc(3 << 20);
  size_t length = 0;
  int i, file;
  for (file = 0; file < 3; file++) {
    char name[2] = {(char)('a' + file), 0};
    length = 0;
    for (i = 0; length < (2u << 20) + (unsigned)file * 300000; i++)
      length += (size_t)sprintf(text + length, "%s %d %.*s\n", name, i, i % 200, "................................................................................"
                                "........................................................................................................................");
    write_file(name, text, length, 0);
  }
  free(text);
  resume_everywhere("a b c", 1000, 7);
}

static void resumes_inside_a_cut_line(void) {
  char position[64];
  reader_t *r;
  append("a", "0123456789abc");
  r = started("a", ",\"max_line\":10");
  EXPECT(r, "!0123456789\n");
  memcpy(position, r->position, r->position_length);
  append("a", "def\nnext\n");
  {
    reader_t *again = reader_of("a", ",\"max_line\":10", 1 << 16, 10);
    again->c->next_sequence = 2;
    CHECK_STATUS(test_create(again->c), BUSBAR_OK);
    again->c->context.position.data = r->position;
    again->c->context.position.length = r->position_length;
    CHECK_STATUS(test_start(again->c), BUSBAR_OK);
    EXPECT(again, "next\n");
    close_reader(again);
  }
  close_reader(r);
}

static void goes_on_after_stop(void) {
  reader_t *r;
  append("a", "1\n2\n3\n");
  r = reader_of("a", QUICK, 1 << 16, 2);
  CHECK_STATUS(test_create(r->c), BUSBAR_OK);
  CHECK_STATUS(test_start(r->c), BUSBAR_OK);
  CHECK_STATUS(poll_once(r), BUSBAR_OK);
  CHECK_TEXT(r->text, r->length, "1\n2\n");
  CHECK_STATUS(test_stop(r->c), BUSBAR_OK);
  append("a", "4\n");
  move("a", "a.1");
  append("a", "5\n");
  CHECK_STATUS(test_start(r->c), BUSBAR_OK);
  EXPECT(r, "1\n2\n3\n4\n5\n");
  CHECK_STATUS(test_stop(r->c), BUSBAR_OK);
  r->c->context.position.data = r->position; /* where it is anyway */
  r->c->context.position.length = r->position_length;
  CHECK_STATUS(test_start(r->c), BUSBAR_OK);
  append("a", "6\n");
  EXPECT(r, "1\n2\n3\n4\n5\n6\n");
  close_reader(r);
}

static void stop_leaves_nothing_behind(void) {
  int descriptors = entries_of("/proc/self/fd"), threads = entries_of("/proc/self/task"), i;
  reader_t *r;
  append("a", "1\n");
  r = reader_of("a", "", 1 << 16, 2);
  CHECK_STATUS(test_create(r->c), BUSBAR_OK);
  CHECK_INT(entries_of("/proc/self/fd"), descriptors);
  for (i = 0; i < 20; i++) {
    CHECK_STATUS(test_start(r->c), BUSBAR_OK);
    CHECK_INT(test_metric(r->c, "files_open"), 1);
    drain(r);
    CHECK_STATUS(test_stop(r->c), BUSBAR_OK);
    CHECK_INT(entries_of("/proc/self/fd"), descriptors);
    while (entries_of("/proc/self/task") > threads) sched_yield(); /* a thread that was joined is listed a little longer */
    CHECK_INT(test_metric(r->c, "files_open"), 0);
  }
  close_reader(r);
}

static void a_renamed_file_is_found_again(void) {
  reader_t *first, *r;
  append("a", "1\n2\n");
  first = started("a", "");
  EXPECT(first, "1\n2\n");
  close_reader(first);

  first = started("a", "");
  EXPECT(first, "1\n2\n");
  append("a", "3\n");
  move("a", "a.1");
  append("a", "4\n");
  move("a", "a.2"); /* nobody has seen this one */
  append("a", "5\n");
  r = reader_of("a", ",\"once\":true,\"from\":\"end\"", 1 << 16, 10);
  r->c->next_sequence = 3;
  CHECK_STATUS(test_create(r->c), BUSBAR_OK);
  r->c->context.position.data = first->position;
  r->c->context.position.length = first->position_length;
  CHECK_STATUS(test_start(r->c), BUSBAR_OK);
  CHECK_STATUS(drain(r), BUSBAR_DONE);
  CHECK_TEXT(r->text, r->length, "3\n5\n");
  close_reader(r);
  close_reader(first);
}

static void resumes_in_the_middle_of_a_successor(void) {
  reader_t *first, *r;
  append("a", "1\n");
  first = reader_of("a", QUICK, 1 << 16, 1);
  CHECK_STATUS(test_create(first->c), BUSBAR_OK);
  CHECK_STATUS(test_start(first->c), BUSBAR_OK);
  EXPECT(first, "1\n");
  move("a", "a.1");
  append("a", "2\n3\n");
  for (;;) {
    uint64_t wakes = test_wakes(first->c);
    while (first->length < 4 && poll_once(first) == BUSBAR_OK) {
    }
    if (first->length == 4) break;
    CHECK(test_wait_wake(first->c, wakes, TEST_DEADLINE_S * 500));
  }
  r = reader_of("a", ",\"once\":true", 1 << 16, 10);
  r->c->next_sequence = 3;
  CHECK_STATUS(test_create(r->c), BUSBAR_OK);
  r->c->context.position.data = first->position;
  r->c->context.position.length = first->position_length;
  CHECK_STATUS(test_start(r->c), BUSBAR_OK);
  CHECK_STATUS(drain(r), BUSBAR_DONE);
  CHECK_TEXT(r->text, r->length, "3\n"); /* it was its turn, though a.1 comes before it */
  close_reader(r);
  close_reader(first);
}

static void a_replaced_file_is_not_mistaken(void) {
  reader_t *first, *r;
  append("a", "old 1\nold 2\nold 3\n");
  first = started("a", "");
  EXPECT(first, "old 1\nold 2\nold 3\n");
  write_file("a", "new 1\nnew 2\nnew 3\nnew 4\n", 24, O_TRUNC); /* the same inode, longer than before */
  r = reader_of("a", ",\"once\":true", 1 << 16, 10);
  r->c->next_sequence = 4;
  CHECK_STATUS(test_create(r->c), BUSBAR_OK);
  r->c->context.position.data = first->position;
  r->c->context.position.length = first->position_length;
  CHECK_STATUS(test_start(r->c), BUSBAR_OK);
  CHECK_STATUS(drain(r), BUSBAR_DONE);
  CHECK_TEXT(r->text, r->length, "new 1\nnew 2\nnew 3\nnew 4\n");
  close_reader(r);
  close_reader(first);
}

static void damaged_positions_are_refused(void) {
  reader_t *first, *r;
  uint8_t bytes[64];
  uint32_t i, round;
  append("a", "1\n");
  append("b", "2\n");
  first = started("a b", "");
  EXPECT(first, "1\n2\n");
  CHECK(first->position_length < sizeof bytes);
  for (round = 0; round < 3000; round++) {
    uint8_t *exact;
    uint32_t length = first->position_length;
    memcpy(bytes, first->position, length);
    if (round < length) length = round + (round == 0);
    else for (i = 0; i < 3; i++) bytes[next_random() % length] = (uint8_t)next_random();
    exact = (uint8_t *)malloc(length);
    memcpy(exact, bytes, length);
    r = reader_of("a b", ",\"once\":true", 1 << 16, 10);
    CHECK_STATUS(test_create(r->c), BUSBAR_OK);
    r->c->context.position.data = exact;
    r->c->context.position.length = length;
    if (test_start(r->c) == BUSBAR_OK) CHECK_STATUS(drain(r), BUSBAR_DONE);
    else CHECK(strncmp(r->c->error, "Cannot resume: ", 15) == 0);
    if (round > 0 && round < first->position_length) CHECK(!r->c->started);
    close_reader(r);
    free(exact);
  }
  close_reader(first);
}

static void from_the_end(void) {
  reader_t *r;
  append("a", "old\nhalf of a li");
  append("b", "old\n");
  r = started("a b c", ",\"from\":\"end\"" PATIENT);
  CHECK_STATUS(drain(r), BUSBAR_AGAIN);
  append("a", "ne\n1\n");
  EXPECT(r, "1\n");
  append("b", "2\n");
  EXPECT(r, "1\n2\n");
  append("c", "3\n"); /* was not there at the start: all of it is new */
  EXPECT(r, "1\n2\n3\n");
  close_reader(r);
}

/* ---- Rotation ---- */

static void survives_rename(void) {
  reader_t *r;
  int fd, i;
  append("a", "1\n");
  r = started("a", QUICK);
  EXPECT(r, "1\n");
  fd = open(path_of("a"), O_WRONLY | O_APPEND);
  append("a", "2\n");
  move("a", "a.1");
  CHECK_INT(write(fd, "3\npart", 6), 6); /* the writer has not noticed yet */
  EXPECT(r, "1\n2\n3\n");
  CHECK_INT(write(fd, "ial\n", 4), 4);
  append("a", "5\n");
  EXPECT(r, "1\n2\n3\npartial\n5\n");
  close(fd);
  UNTIL(r, test_metric(r->c, "files_open") == 1);
  for (i = 0; i < 3; i++) { /* again and again */
    move("a", "a.2");
    append("a", "x\n");
    follow(r, 16 + 2 * (size_t)(i + 1));
  }
  CHECK_TEXT(r->text, r->length, "1\n2\n3\npartial\n5\nx\nx\nx\n");
  close_reader(r);
}

static void a_successor_waits_for_its_predecessor(void) {
  reader_t *r;
  append("a", "1\n");
  append("b", "b\n");
  r = started("a b", ",\"rescan\":\"5ms\",\"grace\":\"1h\"");
  EXPECT(r, "1\nb\n");
  move("a", "a.1");
  append("a", "3\n");
  append("b", "bb\n"); /* other files go on */
  append("a.1", "2\n");
  follow(r, 9);
  CHECK(strstr(r->text, "bb\n") != NULL && strstr(r->text, "2\n") != NULL);
  drain(r);
  CHECK_INT(r->length, 9); /* silent for less than the grace period: 3 is not read yet */
  close_reader(r);
}

static void rotated_files_may_match_as_well(void) {
  reader_t *r;
  append("a.log", "1\n");
  append("a.log.1", "0\n");
  r = started("a.log*", QUICK);
  EXPECT(r, "1\n0\n");
  move("a.log.1", "a.log.2");
  move("a.log", "a.log.1");
  append("a.log", "2\n");
  EXPECT(r, "1\n0\n2\n");
  append("a.log.1", "late\n");
  EXPECT(r, "1\n0\n2\nlate\n");
  UNTIL(r, test_logged(r->c, BUSBAR_LOG_INFO, "read to its end") >= 2);
  CHECK_INT(test_metric(r->c, "files_open"), 3);
  close_reader(r);
}

/* Nobody polls for a while, as when the pipeline is held back: what was rotated meanwhile is all there, in order. */
static void survives_rotations_that_nobody_saw(const char *pattern) {
  reader_t *r;
  append("a", "1\n");
  r = started(pattern, QUICK);
  EXPECT(r, "1\n");
  append("a", "2\n");
  move("a", "a.1");
  append("a", "3\n");
  move("a.1", "a.2");
  move("a", "a.1");
  append("a", "4\n");
  move("a.2", "a.3");
  move("a.1", "a.2");
  move("a", "a.1");
  append("a", "5\n");
  EXPECT(r, "1\n2\n3\n4\n5\n");
  close_reader(r);
}

static void unseen_rotations(void) { survives_rotations_that_nobody_saw("a"); }
static void unseen_rotations_of_matching_files(void) { survives_rotations_that_nobody_saw("a*"); }

static void survives_truncation(void) {
  reader_t *r;
  append("a", "1\n2\n3\n");
  r = started("a", PATIENT);
  EXPECT(r, "1\n2\n3\n");
  cut("a", 0);
  append("a", "4\n");
  EXPECT(r, "1\n2\n3\n4\n");
  write_file("a", "longer than what was there before\n", 34, O_TRUNC);
  EXPECT(r, "1\n2\n3\n4\nlonger than what was there before\n");
  append("a", "unfinished");
  drain(r);
  cut("a", 0);
  append("a", "new\n");
  EXPECT(r, "1\n2\n3\n4\nlonger than what was there before\nnew\n");
  CHECK(test_logged(r->c, BUSBAR_LOG_INFO, "truncated") >= 3);
  close_reader(r);
}

static void survives_replacement_and_deletion(void) {
  reader_t *r;
  append("a", "1\n");
  r = started("a", QUICK);
  EXPECT(r, "1\n");
  append("new", "2\n");
  move("new", "a");
  EXPECT(r, "1\n2\n");
  append("a", "no end");
  drain(r);
  erase("a");
  EXPECT(r, "1\n2\nno end\n"); /* nothing can follow it: it is not lost */
  UNTIL(r, test_metric(r->c, "files_open") == 0);
  append("a", "3\n");
  EXPECT(r, "1\n2\nno end\n3\n");
  move("a", "away");
  move("away", "a");
  append("a", "4\n");
  EXPECT(r, "1\n2\nno end\n3\n4\n");
  close_reader(r);
}

/* A process writes numbered lines and rotates its file as logrotate has it: rename, a few more lines into the old one, reopen. */
static void loses_nothing_while_rotating(void) {
  enum { LINES = 30000 };
  char name[32], line[64];
  reader_t *r;
  pid_t writer;
  int status, i;
  char *at, *end;
  append("a", "");
  r = started("a", ",\"rescan\":\"50ms\",\"grace\":\"200ms\"");
  writer = fork();
  if (writer == 0) {
    int fd = open(path_of("a"), O_WRONLY | O_APPEND), rotation = 0;
    for (i = 0; i < LINES; i++) {
      int length = snprintf(line, sizeof line, "line %d%.*s\n", i, i % 40, "........................................");
      if (i % 5000 == 4000) {
        snprintf(name, sizeof name, "a.%d", ++rotation);
        move("a", name);
      }
      if (i % 5000 == 4100) {
        close(fd);
        fd = open(path_of("a"), O_WRONLY | O_APPEND | O_CREAT, 0644);
      }
      if (write(fd, line, (size_t)length / 2) < 0 || write(fd, line + length / 2, (size_t)(length - length / 2)) < 0) _exit(1);
    }
    _exit(0);
  }
  snprintf(line, sizeof line, "line %d", LINES - 1);
  UNTIL(r, strstr(r->text + (r->length > 200 ? r->length - 200 : 0), line) != NULL);
  waitpid(writer, &status, 0);
  CHECK_INT(status, 0);
  for (at = r->text, i = 0; *at != 0; at = end + 1, i++) {
    end = strchr(at, '\n');
    snprintf(line, sizeof line, "line %d%.*s", i, i % 40, "........................................");
    CHECK_TEXT(at, (uint64_t)(end - at), line);
  }
  CHECK_INT(i, LINES);
  close_reader(r);
}

/* ---- Finding files ---- */

static void finds_what_appears_later(void) {
  reader_t *r;
  char path[600];
  r = started("x.log *.txt sub*/deep/*.log", PATIENT);
  CHECK_STATUS(drain(r), BUSBAR_AGAIN);
  CHECK(strstr(test_health(r->c, NULL), "x.log") != NULL);
  append("x.log", "1\n");
  EXPECT(r, "1\n");
  append("b.txt", "2\n");
  EXPECT(r, "1\n2\n");
  snprintf(path, sizeof path, "%s/sub1", folder);
  mkdir(path, 0755);
  UNTIL(r, 1);
  strcat(path, "/deep");
  mkdir(path, 0755);
  close_reader(r);
  r = started("sub*/deep/*.log", ",\"rescan\":\"5ms\"");
  append("sub1/deep/z.log", "3\n");
  EXPECT(r, "3\n");
  snprintf(path, sizeof path, "%s/sub2", folder);
  mkdir(path, 0755);
  strcat(path, "/deep");
  mkdir(path, 0755);
  append("sub2/deep/z.log", "4\n");
  EXPECT(r, "3\n4\n");
  CHECK_TEXT(test_health(r->c, NULL), 0, "");
  close_reader(r);
}

static void one_file_by_two_names_is_read_once(void) {
  reader_t *r;
  append("a", "1\n");
  CHECK_INT(symlink(path_of("a"), path_of("b")), 0);
  CHECK_INT(link(path_of("a"), path_of("c")), 0);
  r = started("a b c *", QUICK);
  EXPECT(r, "1\n");
  append("c", "2\n");
  EXPECT(r, "1\n2\n");
  close_reader(r);
}

static void follows_links(void) {
  char other[] = "/tmp/file_tail_XXXXXX", target[64];
  reader_t *r;
  int fd;
  CHECK(mkdtemp(other) != NULL);
  snprintf(target, sizeof target, "%s/t", other);
  fd = open(target, O_WRONLY | O_CREAT | O_APPEND, 0644);
  CHECK_INT(symlink(target, path_of("a")), 0);
  r = started("a", PATIENT);
  drain(r);
  CHECK_INT(write(fd, "1\n", 2), 2); /* in a folder that is not watched */
  EXPECT(r, "1\n");
  close(fd);
  close_reader(r);
  remove_tree(other);
}

static void odd_files_do_no_harm(void) {
  reader_t *r;
  CHECK_INT(mkfifo(path_of("fifo"), 0644), 0);
  CHECK_INT(mkdir(path_of("dir"), 0755), 0);
  CHECK_INT(symlink("nowhere", path_of("dangling")), 0);
  append("[a]", "bracket\n");
  append("a", "1\n");
  r = started("fifo dir dangling * [a]", ",\"once\":true");
  CHECK_STATUS(drain(r), BUSBAR_DONE);
  CHECK(strcmp(r->text, "1\nbracket\n") == 0 || strcmp(r->text, "bracket\n1\n") == 0);
  CHECK(strstr(test_health(r->c, NULL), "not a regular file") != NULL);
  close_reader(r);
}

static void an_unreadable_file_is_retried(void) {
  reader_t *r;
  int32_t status;
  append("a", "1\n");
  append("b", "2\n");
  CHECK_INT(chmod(path_of("a"), 0), 0);
  if (geteuid() == 0) { /* root may read everything */
    CHECK_INT(chown(folder, 65534, 65534) | chown(path_of("a"), 65534, 65534), 0);
    CHECK_INT(setegid(65534) | seteuid(65534), 0);
  }
  r = started("a b", QUICK);
  EXPECT(r, "2\n");
  CHECK(strstr(test_health(r->c, &status), "Permission denied") != NULL);
  CHECK_STATUS(status, BUSBAR_FAILED);
  {
    uint64_t wakes = test_wakes(r->c);
    while (test_wakes(r->c) < wakes + 3) test_wait_wake(r->c, test_wakes(r->c), 1000), drain(r);
  }
  CHECK_INT(test_logged(r->c, BUSBAR_LOG_WARNING, "Permission denied"), 1);
  CHECK_INT(chmod(path_of("a"), 0644), 0);
  EXPECT(r, "2\n1\n");
  CHECK_TEXT(test_health(r->c, &status), 0, "");
  CHECK_STATUS(status, BUSBAR_OK);
  close_reader(r);
  if (getuid() == 0) { /* the leak sanitizer needs a process that may be looked into */
    CHECK_INT(seteuid(0) | setegid(0), 0);
    prctl(PR_SET_DUMPABLE, 1);
  }
}

static void many_files_need_few_descriptors(void) {
  enum { FILES = 700 };
  char name[32], line[32];
  reader_t *r;
  size_t length = 0;
  int i, seen = 0;
  for (i = 0; i < FILES; i++) {
    snprintf(name, sizeof name, "%03d.log", i);
    snprintf(line, sizeof line, "first %03d\n", i);
    append(name, line);
    length += strlen(line);
  }
  r = started("*.log", QUICK);
  follow(r, length);
  CHECK(test_metric(r->c, "files_open") <= 256);
  for (i = 0; i < FILES; i++) {
    snprintf(name, sizeof name, "%03d.log", i);
    snprintf(line, sizeof line, "again %03d\n", i);
    append(name, line);
    length += strlen(line);
  }
  move("650.log", "650.old"); /* closed just now */
  follow(r, length);
  CHECK_INT(r->length, length);
  for (i = 0; i < FILES; i++) {
    snprintf(line, sizeof line, "again %03d\n", i);
    seen += strstr(r->text, line) != NULL;
  }
  CHECK_INT(seen, FILES);
  CHECK(test_metric(r->c, "files_open") <= 257);
  close_reader(r);
}

/* ---- Waking ---- */

static void wakes_only_when_something_happens(void) {
  reader_t *r;
  uint64_t wakes;
  append("a", "1\n");
  r = started("a", PATIENT);
  drain(r);
  UNTIL(r, !test_wait_wake(r->c, test_wakes(r->c), 100)); /* what the start itself caused is over */
  wakes = test_wakes(r->c);
  append("a", "2\n");
  CHECK(test_wait_wake(r->c, wakes, 10000));
  append("a", "3\n");
  EXPECT(r, "1\n2\n3\n");
  close_reader(r);
  r = started("a", ",\"rescan\":\"20ms\""); /* the timer, where nothing happens */
  drain(r);
  wakes = test_wakes(r->c);
  CHECK(test_wait_wake(r->c, wakes, 10000));
  close_reader(r);
}

static void bad_settings_are_refused(void) {
  static const char *const settings[][2] = {
      {"\"paths\":[]", "paths"},       {"\"paths\":\"a\"", "paths"},          {"\"paths\":[1]", "paths"},           {"\"paths\":[\"\"]", "paths"},
      {"\"paths\":[\"a\\u0000b\"]", "paths"}, {"", "paths"},                 {"\"paths\":[\"a\"],\"once\":1", "once"}, {"\"paths\":[\"a\"],\"from\":\"x\"", "from"},
      {"\"paths\":[\"a\"],\"max_line\":0", "max_line"}, {"\"paths\":[\"a\"],\"max_line\":\"1 EB\"", "max_line"},
      {"\"paths\":[\"a\"],\"rescan\":\"1\"", "rescan"}, {"\"paths\":[\"a\"],\"rescan\":\"0s\"", "rescan"},
      {"\"paths\":[\"a\"],\"grace\":true", "grace"},    {"\"paths\":[\"a\"],\"attributes\":null", "attributes"}, {"\"paths\":", "config"}};
  size_t i;
  for (i = 0; i < sizeof settings / sizeof *settings; i++) {
    reader_t *r = open_reader(settings[i][0], 4096, 1);
    CHECK_STATUS(test_create(r->c), BUSBAR_FAILED);
    if (strstr(r->c->error, settings[i][1]) == NULL) FAIL("%s: %s", settings[i][0], r->c->error);
    close_reader(r);
  }
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

int main(int argc, char **argv) {
  test_main(argc, argv);
  library = argv[1];
  TEST(cuts_lines);
  TEST(a_partial_line_waits);
  TEST(once_ends);
  TEST(long_lines_are_cut);
  TEST(what_is_to_be_skipped_does_not_block);
  TEST(any_arena_will_do);
  TEST(a_line_too_large_asks_for_room);
  TEST(attributes_name_the_path);
  TEST(files_take_turns);
  TEST(resumes_from_every_position);
  TEST(resumes_in_the_middle_of_turns);
  TEST(resumes_inside_a_cut_line);
  TEST(goes_on_after_stop);
  TEST(stop_leaves_nothing_behind);
  TEST(a_renamed_file_is_found_again);
  TEST(resumes_in_the_middle_of_a_successor);
  TEST(a_replaced_file_is_not_mistaken);
  TEST(damaged_positions_are_refused);
  TEST(from_the_end);
  TEST(survives_rename);
  TEST(a_successor_waits_for_its_predecessor);
  TEST(rotated_files_may_match_as_well);
  TEST(unseen_rotations);
  TEST(unseen_rotations_of_matching_files);
  TEST(survives_truncation);
  TEST(survives_replacement_and_deletion);
  TEST(loses_nothing_while_rotating);
  TEST(finds_what_appears_later);
  TEST(one_file_by_two_names_is_read_once);
  TEST(follows_links);
  TEST(odd_files_do_no_harm);
  TEST(an_unreadable_file_is_retried);
  TEST(many_files_need_few_descriptors);
  TEST(wakes_only_when_something_happens);
  TEST(bad_settings_are_refused);
  return test_end();
}
