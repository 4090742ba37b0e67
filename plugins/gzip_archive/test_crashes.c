/* Tests of gzip-archive where the process is killed; tests/plugins/gzip_archive_test.ts compiles and runs them. */
#include "test_support.h"

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
  static const uint64_t last[2] = {200, 220}, beyond[2] = {240, 230};
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
  if (at < 40) FAIL("only %d calls", at);
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
    CHECK_INT(files_named(".gz.cut", NULL), acknowledged[i] == 0);
    if (acknowledged[i] == 0) check_one_source("*.cut", 300);
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
  TEST(killed_at_any_call_each_event_is_there_once);
  TEST(killed_at_any_time_each_event_is_there_once);
  TEST(left_over_part_is_cut_to_its_last_whole_member);
  TEST(start_cuts_back_to_what_is_acknowledged);
  TEST(finished_segments_are_cut_too);
  TEST(sequences_of_another_store_mean_nothing);
  TEST(payloads_with_line_breaks_are_cut_whole);
  return test_end();
}
