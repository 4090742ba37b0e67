/* Sources: positions, arenas, loans, wakes. */
#include "conformance.h"

#define SOURCE KIND(BUSBAR_SOURCE)

static void need_replayable(void) {
  if (!run.plan.replayable) not_applicable("It does not say that it is replayable");
}

/* ---- sequences ---------------------------------------------------------------------------------------------------- */

static void check_sequences_of(void) {
  drive_t how = DRIVE;
  instance_t *i = instance_running(world_new());
  how.source = 7;
  how.limit = 5;
  i->next_sequence = 1000001;
  drive(i, &how);
  fail_on(FAULT_SEQUENCE);
  if (how.accepted == 0) fail("It gave no event, so there is nothing to see: give it a config or fixtures with some");
  instance_stop(i);
  instance_free(i);
}

/* ---- positions ---------------------------------------------------------------------------------------------------- */

static void check_positions(void) {
  drive_t how = DRIVE;
  need_replayable();
  how.limit = 3;
  live(&how);
  fail_on(FAULT_POSITION);
}

/* ---- resume ------------------------------------------------------------------------------------------------------- */

#define POSITIONS 12

typedef struct mark {
  uint8_t *position;
  uint32_t length, events;
} mark_t;

typedef struct marks {
  mark_t at[1024];
  uint32_t count;
} marks_t;

static void add_mark(instance_t *i, drive_t *how, busbar_batch_t *batch) {
  marks_t *marks = how->data;
  mark_t *mark = &marks->at[marks->count];
  (void)i;
  if (marks->count == 1024 || batch->position_length == 0 || batch->position_length > BUSBAR_POSITION_MAX) return;
  mark->position = malloc(batch->position_length);
  if (mark->position == NULL) fail("Cannot check: out of memory");
  memcpy(mark->position, batch->position, batch->position_length);
  mark->length = batch->position_length;
  mark->events = how->accepted;
  marks->count += 1;
}

static void resume_at(world_t *world, const mark_t *mark, const drive_t *all) {
  instance_t *i = instance_new(world, NULL, 0);
  drive_t rest = DRIVE;
  int64_t difference;
  rest.expected = all->accepted - mark->events;
  rest.quiet_ms = 20;
  i->next_sequence = mark->events + 1;
  instance_create(i);
  instance_position(i, mark->position, mark->length);
  instance_start(i);
  drive(i, &rest);
  difference = stream_difference(&all->out[0], mark->events, &rest.out[0]);
  if (difference >= 0) {
    if (rest.accepted != rest.expected)
      fail("After the position behind event %u, %u events came, not %lld", mark->events, rest.accepted, (long long)rest.expected);
    fail("After the position behind event %u, event %lld is another one than before", mark->events,
         (long long)(mark->events + difference + 1));
  }
  instance_stop(i);
  instance_free(i);
  drive_free(&rest);
}

static void check_resume(void) {
  static marks_t marks;
  world_t *world;
  instance_t *i;
  drive_t how = DRIVE;
  uint32_t step;
  need_replayable();
  world = world_new();
  i = instance_running(world);
  how.limit = 3;
  how.batch = add_mark;
  how.data = &marks;
  drive(i, &how);
  instance_stop(i);
  instance_free(i);
  if (marks.count == 0)
    fail("It gave no event with a position, so there is nothing to resume: give it a config or fixtures with some");
  step = marks.count > POSITIONS ? marks.count / POSITIONS : 1;
  for (uint32_t n = 0; n < marks.count; n += step) resume_at(world, &marks.at[n], &how);
  resume_at(world, &marks.at[marks.count - 1], &how);
  note("%u events, %u positions", how.accepted, marks.count);
}

/* ---- restart ------------------------------------------------------------------------------------------------------ */

static void check_restart(void) {
  world_t *world;
  instance_t *i;
  drive_t all = DRIVE, first = DRIVE, rest = DRIVE;
  int64_t difference;
  need_replayable();
  world = world_new();
  i = instance_running(world);
  drive(i, &all);
  instance_stop(i);
  instance_free(i);
  if (all.accepted < 2) not_applicable("It gave %u events, too few to stop between", all.accepted);
  i = instance_running(world);
  first.events = all.accepted / 2;
  first.limit = 1;
  drive(i, &first);
  instance_stop(i);
  if (first.position == NULL) not_applicable("It gave no position");
  instance_position(i, first.position, first.position_length);
  rest.expected = all.accepted - first.accepted;
  rest.quiet_ms = 20;
  instance_start(i);
  drive(i, &rest);
  difference = stream_difference(&all.out[0], first.accepted, &rest.out[0]);
  if (difference >= 0)
    fail("Stopped after event %u and started again with its position, it gave %u events, not %lld, and event %lld is another one",
         first.accepted, rest.accepted, (long long)rest.expected, (long long)difference + 1);
  instance_stop(i);
  instance_free(i);
}

/* ---- commit-foreign ----------------------------------------------------------------------------------------------- */

static void commit_foreign(instance_t *i, drive_t *how, busbar_batch_t *batch) {
  static const uint32_t LENGTHS[] = {0, 1, 8, 40, BUSBAR_POSITION_MAX};
  uint8_t *bytes = malloc(BUSBAR_POSITION_MAX);
  busbar_bytes_t position = {bytes, LENGTHS[how->polls % 5]};
  (void)batch;
  if (bytes == NULL) fail("Cannot check: out of memory");
  for (uint64_t at = 0; at < position.length; at++) bytes[at] = (uint8_t)next_random();
  invoke(i, OP_COMMIT, &position);
  free(bytes);
}

static void check_commit_foreign(void) {
  drive_t usual = DRIVE, disturbed = DRIVE;
  if (!offers(OP_COMMIT)) not_applicable("It does not offer commit");
  live(&usual);
  disturbed.batch = commit_foreign;
  disturbed.limit = 4;
  live(&disturbed);
  if (usual.accepted != disturbed.accepted)
    fail("%u events came, but %u when positions were committed that it never gave", usual.accepted, disturbed.accepted);
}

/* ---- source-arenas ------------------------------------------------------------------------------------------------ */

static void check_source_arenas(void) {
  static const uint64_t CAPACITIES[] = {1, 48, 64, 100, 333, 1000, 4099};
  world_t *world = world_new();
  drive_t reference = DRIVE;
  instance_t *i;
  int same_world = run.plan.replayable && run.plan.feed.at == NULL;
  i = instance_running(world);
  drive(i, &reference);
  instance_stop(i);
  instance_free(i);
  for (uint32_t n = 0; n < sizeof CAPACITIES / sizeof *CAPACITIES; n++) {
    drive_t how = DRIVE;
    int64_t difference;
    how.capacity = CAPACITIES[n];
    how.limit = n % 3 == 0 ? 1 : 64;
    how.expected = reference.accepted;
    if (!same_world) {
      live(&how);
    } else {
      i = instance_running(world);
      drive(i, &how);
      instance_stop(i);
      instance_free(i);
    }
    if (how.accepted != reference.accepted)
      fail("In arenas of %llu bytes, %u events came, not %u", (unsigned long long)CAPACITIES[n], how.accepted, reference.accepted);
    difference = same_world ? stream_difference(&reference.out[0], 0, &how.out[0]) : -1;
    if (difference >= 0)
      fail("In arenas of %llu bytes, event %lld is another one", (unsigned long long)CAPACITIES[n], (long long)difference + 1);
    drive_free(&how);
  }
}

/* ---- loans -------------------------------------------------------------------------------------------------------- */

#define LOANS 4

typedef struct lent {
  void *loan;
  const uint8_t *data;
  uint64_t length;
  uint8_t *copy;
} lent_t;

typedef struct loans {
  lent_t at[LOANS];
  uint32_t count;
} loans_t;

static void give_back(instance_t *i, loans_t *loans, uint32_t n) {
  lent_t *lent = &loans->at[n];
  if (memcmp(lent->data, lent->copy, lent->length) != 0) fail("Lent memory was changed before it was released");
  invoke(i, OP_RELEASE, lent->loan);
  free(lent->copy);
  *lent = loans->at[--loans->count];
}

static void keep_loan(instance_t *i, drive_t *how, busbar_batch_t *batch) {
  loans_t *loans = how->data;
  lent_t *lent;
  if (batch->loan == NULL) return;
  if (loans->count == LOANS) give_back(i, loans, (uint32_t)(next_random() % LOANS));
  for (uint32_t n = 0; n < loans->count; n++)
    if (loans->at[n].loan == batch->loan) fail("The same loan was given twice, before it was released");
  lent = &loans->at[loans->count++];
  *lent = (lent_t){batch->loan, batch->data, batch->length, malloc(batch->length + 1)};
  if (lent->copy == NULL) fail("Cannot check: out of memory");
  memcpy(lent->copy, batch->data, batch->length);
  batch->loan = NULL;
}

static void check_loans(void) {
  instance_t *i = instance_running(world_new());
  loans_t loans = {.count = 0};
  drive_t how = DRIVE;
  how.limit = 3;
  how.batch = keep_loan;
  how.data = &loans;
  drive(i, &how);
  if (how.lent == 0) not_applicable("It did not lend memory");
  if (!offers(OP_RELEASE)) fail("It lends memory, but does not offer release");
  while (loans.count > LOANS / 2) give_back(i, &loans, (uint32_t)(next_random() % loans.count));
  instance_stop(i);
  while (loans.count > 0) give_back(i, &loans, (uint32_t)(next_random() % loans.count));
  instance_free(i);
  note("%u loans", how.lent);
}

/* ---- wakes -------------------------------------------------------------------------------------------------------- */

static void check_wake(void) {
  drive_t usual = DRIVE, woken = DRIVE;
  live(&usual);
  if (usual.agains == 0) not_applicable("It never answered AGAIN");
  woken.only_woken = 1;
  live(&woken);
  if (woken.accepted != usual.accepted)
    fail("%u events came when it was polled only after a wake, but %u when it was asked again and again", woken.accepted,
         usual.accepted);
}

static void check_wake_storm(void) {
  drive_t how = DRIVE;
  instance_t *i = instance_running(world_new());
  uint64_t wakes, bound;
  how.limit = 4;
  drive(i, &how);
  instance_stop(i);
  wakes = wakes_of(i);
  bound = 16 * ((uint64_t)how.accepted + how.polls) + 1000;
  if (wakes > bound) fail("%llu wakes for %u events and %u polls", (unsigned long long)wakes, how.accepted, how.polls);
  instance_free(i);
  note("%llu wakes, %u polls, %u events", (unsigned long long)wakes, how.polls, how.accepted);
}

extern const check_t source_checks[];
const check_t source_checks[] = {
    {"sequences", SOURCE, "error", "",
     "Each record has the number that follows and the index of its source, and next_sequence goes on.", check_sequences_of},
    {"positions", SOURCE, "error", "replayable", "A position comes with every batch, and fits.", check_positions},
    {"resume", SOURCE, "error", "replayable", "From each position a new instance gives exactly the rest, with the same sequences.",
     check_resume},
    {"restart", SOURCE, "error", "replayable",
     "Stopped and started again with its last position, the same instance gives exactly the rest.", check_restart},
    {"commit-foreign", SOURCE, "error", "", "A commit of positions that it never gave does no harm to what follows.",
     check_commit_foreign},
    {"source-arenas", SOURCE, "error", "",
     "The same events come in the same order, however small or odd the arenas are, and required is set when one does not fit.",
     check_source_arenas},
    {"loans", SOURCE, "error", "", "Lent memory stays as it is until it is released, in any order, also after stop.", check_loans},
    {"wake", SOURCE, "error", "", "After AGAIN it wakes the host when something has come, and one wake may stand for many events.",
     check_wake},
    {"wake-storm", SOURCE, "warning", "", "It does not wake the host far more often than there are events.", check_wake_storm},
    {0},
};
