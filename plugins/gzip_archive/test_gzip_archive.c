/* Tests of gzip-archive where nothing crashes; tests/plugins/gzip_archive_test.ts compiles and runs them. */
#include "test_support.h"

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

static void flush_syncs_the_segment_and_then_the_journal(void) {
  test_component_t *c;
  int segment, journal;
  use_folder("");
  c = start_archive();
  write_all(c, 0, 1, 10);
  CHECK_STATUS(test_flush(c), BUSBAR_OK);
  write_all(c, 0, 11, 20);
  trace[0] = 0;
  CHECK_STATUS(test_flush(c), BUSBAR_OK);
  if (sscanf(trace, "w%ds%*dw%ds%*d", &segment, &journal) != 2 || segment == journal) FAIL("%s", trace);
  snprintf(config, sizeof config, "w%ds%dw%ds%d", segment, segment, journal, journal);
  CHECK_TEXT(trace, strlen(trace), config);
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

static void old_segment_is_finished_when_idle(void) {
  const busbar_reaction_t *table;
  test_component_t *c;
  test_batch_t *b = test_batch(0, 0);
  use_folder(",\"max_segment_age\":\"20ms\"");
  c = start_archive();
  table = c->table;
  write_all(c, 0, 1, 3);
  while (files_named(".gz", NULL) < 1) CHECK_STATUS(table->tick(c->self, &b->batch), BUSBAR_OK);
  check_one_source("*.gz", 3);
  CHECK_STATUS(table->tick(c->self, &b->batch), BUSBAR_OK);
  CHECK_INT(files_named(".gz", NULL), 1);
  CHECK_STATUS(test_stop(c), BUSBAR_OK);
  test_close(c);
  test_batch_free(b);
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
  CHECK(all > 40);
  for (at = 1; at < all; at++) {
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

int main(int argc, char **argv) {
  test_main(argc, argv);
  library = argv[1];
  TEST(archive_gunzips_to_every_event_once);
  TEST(counters_count_bytes);
  TEST(create_takes_nothing);
  TEST(nothing_written_leaves_no_segment);
  TEST(what_was_flushed_is_readable_while_open);
  TEST(flush_syncs_the_segment_and_then_the_journal);
  TEST(start_after_stop_goes_on);
  TEST(segments_keep_below_their_size);
  TEST(event_above_the_size_gets_a_segment_of_its_own);
  TEST(old_segment_is_finished);
  TEST(old_segment_is_finished_when_idle);
  TEST(memory_is_bounded_without_flush);
  TEST(malformed_record_is_invalid);
  TEST(bad_config_is_refused);
  TEST(two_pipelines_cannot_share_a_prefix);
  TEST(prefixes_and_partitions_are_apart);
  TEST(start_says_why_a_folder_cannot_be_used);
  TEST(full_disk_fails_and_leaves_whole_members);
  TEST(refused_calls_lose_and_double_nothing);
  return test_end();
}
