/* Tests of file-tail with real files: lines, settings, finding files, waking. Run by tests/plugins/file_tail_test.ts. */
#include "test_reader.h"

#include <sys/prctl.h>

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
  reader_t *r;
  append("a", "xxxx");
  cut("a", 40 << 20); /* a line of 40 MiB, sparse */
  append("a", "\nlast\n");
  r = started("a", ",\"max_line\":4");
  EXPECT(r, "!xxxx\nlast\n");
  CHECK(test_wakes(r->c) > 0); /* it stopped on the way and asked to be called again */
  close_reader(r);
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
