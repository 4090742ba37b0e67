/* Reactions: AGAIN, PENDING, flush, replay, ticks. */
#include "conformance.h"

#define REACTION KIND(BUSBAR_REACTION)
#define BATCHES 64

typedef struct offered {
  arena_t *arenas[BATCHES];
  uint64_t ids[BATCHES];
  uint32_t count, pending;
} offered_t;

/* Offers small batches one after the other without waiting, at most `count`, until one is not taken. The last status. */
static int32_t offer_many(instance_t *i, offered_t *to, uint32_t count) {
  int32_t status = BUSBAR_OK;
  while (to->count < count && (status == BUSBAR_OK || status == BUSBAR_PENDING)) {
    arena_t *input = input_batch(to->count * 4 % input_count(), 4);
    to->arenas[to->count] = input;
    to->ids[to->count++] = input->batch.id = i->next_batch++;
    status = invoke(i, OP_WRITE, &input->batch);
    to->pending += status == BUSBAR_PENDING;
    if (status != BUSBAR_PENDING) to->ids[to->count - 1] = 0;
  }
  return status;
}

static void wait_for_all(instance_t *i, const offered_t *offered) {
  completion_t completion;
  for (uint32_t n = 0; n < offered->count; n++)
    if (offered->ids[n] != 0 && !wait_completion(i, offered->ids[n], (int)run.plan.patience_ms, &completion))
      fail("A PENDING batch was not completed within %lld ms", (long long)run.plan.patience_ms);
}

static void free_offered(offered_t *offered) {
  for (uint32_t n = 0; n < offered->count; n++) arena_free(offered->arenas[n]);
  offered->count = 0;
}

/* ---- again -------------------------------------------------------------------------------------------------------- */

static void check_again(void) {
  instance_t *i = instance_running(world_new());
  offered_t offered = {.count = 0};
  drive_t how = DRIVE;
  int32_t status = offer_many(i, &offered, BATCHES);
  if (status != BUSBAR_AGAIN) not_applicable("It took %u batches in a row without answering AGAIN", offered.count);
  status = drive_write(i, &how, offered.arenas[offered.count - 1], 0);
  if (status == BUSBAR_AGAIN) fail("It answered AGAIN for %lld ms", (long long)run.plan.patience_ms);
  wait_for_all(i, &offered);
  instance_stop(i);
  instance_free(i);
  free_offered(&offered);
}

/* ---- pending ------------------------------------------------------------------------------------------------------ */

static void check_completions(instance_t *i, const offered_t *offered) {
  for (uint32_t c = 0; c < i->completion_count; c++) {
    const completion_t *completion = &i->completions[c];
    uint32_t n = 0;
    while (n < offered->count && offered->ids[n] != completion->id) n++;
    if (n == offered->count) fail("Batch %llu was completed, which was not pending", (unsigned long long)completion->id);
    if (completion->times != 1) fail("Batch %llu was completed %u times", (unsigned long long)completion->id, completion->times);
    if (completion->done > offered->arenas[n]->batch.count)
      fail("A completion says done %u of a batch of %u", completion->done, offered->arenas[n]->batch.count);
  }
}

static void check_pending(void) {
  instance_t *i = instance_running(world_new());
  offered_t offered = {.count = 0};
  offer_many(i, &offered, 12);
  if (offered.pending == 0) not_applicable("It never answered PENDING");
  wait_for_all(i, &offered);
  nap(20);
  instance_stop(i);
  check_completions(i, &offered);
  fail_on(FAULT_COMPLETE);
  instance_free(i);
  note("%u of %u batches pending", offered.pending, offered.count);
  free_offered(&offered);
}

static void check_pending_stop(void) {
  instance_t *i = instance_running(world_new());
  offered_t offered = {.count = 0};
  offer_many(i, &offered, 12);
  if (offered.pending == 0) not_applicable("It never answered PENDING");
  instance_stop(i);
  for (uint32_t n = 0; n < offered.count; n++)
    if (offered.ids[n] != 0 && completion_of(i, offered.ids[n], NULL) == 0) fail("stop returned with a batch still pending");
  nap(30);
  if (i->late_completions > 0) fail("%llu completions came after stop had returned", (unsigned long long)i->late_completions);
  instance_free(i);
  free_offered(&offered);
}

/* ---- flush -------------------------------------------------------------------------------------------------------- */

static void flush_at_last(instance_t *i, const char *when) {
  uint64_t begun = nanoseconds();
  int32_t status;
  while ((status = invoke(i, OP_FLUSH, NULL)) == BUSBAR_AGAIN && nanoseconds() - begun < (uint64_t)run.plan.patience_ms * 1000000)
    wait_wake(i, wakes_of(i), 1);
  if (status != BUSBAR_OK) fail("flush answered %s %s: %s", status_name(status), when, i->error);
}

static void check_flush(void) {
  instance_t *i;
  drive_t how = DRIVE;
  arena_t *input;
  if (!offers(OP_FLUSH)) not_applicable("It does not offer flush");
  i = instance_running(world_new());
  flush_at_last(i, "before any write");
  for (uint32_t at = 0; (input = input_batch(at, 8)) != NULL; at += 8) {
    drive_write(i, &how, input, 0);
    arena_free(input);
    flush_at_last(i, "after a write");
  }
  flush_at_last(i, "a second time");
  instance_stop(i);
  instance_free(i);
}

/* ---- replay ------------------------------------------------------------------------------------------------------- */

static void write_all(instance_t *i, uint32_t flags) {
  arena_t *input;
  drive_t how = DRIVE;
  for (uint32_t at = 0; (input = input_batch(at, 8)) != NULL; at += 8) {
    if (drive_write(i, &how, input, flags) == BUSBAR_AGAIN)
      fail("write answered AGAIN for %lld ms", (long long)run.plan.patience_ms);
    arena_free(input);
  }
}

static void check_replay(void) {
  world_t *world = world_new();
  instance_t *i = instance_running(world);
  write_all(i, 0);
  instance_stop(i);
  instance_free(i);
  /* As after a crash: half of it is known to be finished, all of it comes again. */
  i = instance_new(world, NULL, 0);
  i->acknowledged.sequence = input_count() / 2;
  instance_create(i);
  instance_start(i);
  write_all(i, BUSBAR_BATCH_REPLAY);
  write_all(i, BUSBAR_BATCH_REPLAY);
  instance_stop(i);
  instance_free(i);
}

/* ---- ticks -------------------------------------------------------------------------------------------------------- */

static void check_tick(void) {
  instance_t *i;
  drive_t how = DRIVE;
  if (!offers(OP_TICK)) not_applicable("It does not offer tick");
  i = instance_running(world_new());
  drive_tick(i, &how, NOW, 0);
  write_all(i, 0);
  drive_tick(i, &how, NOW + INT64_C(1000000000), 0);
  drive_tick(i, &how, NOW - 1, 0);
  drive_tick(i, &how, NOW + INT64_C(86400000000000) * 400, 0);
  drive_tick(i, &how, NOW, BUSBAR_BATCH_DRAIN);
  instance_stop(i);
  instance_free(i);
}

extern const check_t reaction_checks[];
const check_t reaction_checks[] = {
    {"again", REACTION, "error", "", "What it answered AGAIN to is taken soon, after a wake or a backoff.", check_again},
    {"pending", REACTION, "error", "", "Each PENDING batch is completed exactly once, with a status and done that are allowed.",
     check_pending},
    {"pending-stop", REACTION, "error", "", "When stop returns nothing is pending any more, and no completion comes after it.",
     check_pending_stop},
    {"flush", REACTION, "error", "", "flush gets to OK: at the beginning, after writes, and a second time.", check_flush},
    {"replay", REACTION, "error", "", "Batches that come again, as after a crash, are taken.", check_replay},
    {"reaction-tick", REACTION, "error", "", "tick works before any write, between writes, and when time jumps.", check_tick},
    {0},
};
