/* Tests of file-tail with real files: positions and rotation. Run by tests/plugins/file_tail_test.ts. */
#include "test_reader.h"

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
  int descriptors = entries_of("/proc/self/fd"), threads = 0, i;
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
    if (i == 0) threads = entries_of("/proc/self/task"); /* a sanitizer's own may have come with the first one */
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
  for (round = 0; round < 600; round++) {
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

int main(int argc, char **argv) {
  test_main(argc, argv);
  library = argv[1];
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
  return test_end();
}
