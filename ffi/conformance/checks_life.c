/* Lifecycle: every order, and stopping in the middle. */
#include "conformance.h"

/* ---- lifecycle ---------------------------------------------------------------------------------------------------- */

#define ORDERS_MS 3000

static void visit(instance_t *i, unsigned which) {
  static const enum op FIRST[VISITS] = {OPS, OP_SAVE, OP_HEALTH, OP_SAVE, OP_HEALTH},
                       SECOND[VISITS] = {OPS, OPS, OPS, OP_HEALTH, OP_SAVE};
  const enum op steps[] = {FIRST[which], SECOND[which]};
  for (int n = 0; n < 2; n++) {
    busbar_health_t health = {.size = sizeof health};
    uint32_t version;
    uint64_t length;
    if (steps[n] == OP_SAVE) free(instance_save(i, &version, &length));
    if (steps[n] != OP_HEALTH || !offers(OP_HEALTH)) continue;
    invoke(i, OP_HEALTH, &health);
    if (health.message.length > 0 && health.message.data == NULL && !run.lenient)
      fail("health gave a message of %llu bytes at null", (unsigned long long)health.message.length);
  }
}

static void work(instance_t *i) {
  drive_t how = SHORT_DRIVE;
  drive(i, &how);
  if (how.position != NULL) instance_position(i, how.position, how.position_length);
  drive_free(&how);
}

void try_order(world_t *world, const kept_state_t *state, unsigned order) {
  instance_t *i = instance_new(world, NULL, 0);
  unsigned created = order / 2 % VISITS, rest = order / 2 / VISITS;
  instance_create(i);
  if (order % 2 == 1 && state->data != NULL && offers(OP_RESTORE)) {
    int32_t status = instance_restore(i, state->data, state->length, state->version);
    if (status != BUSBAR_OK) fail("restore answered %s to a state that was just saved: %s", status_name(status), i->error);
  }
  visit(i, created);
  if (rest > 0) {
    unsigned started = (rest - 1) % VISITS, stopped = (rest - 1) / VISITS % VISITS, again = (rest - 1) / VISITS / VISITS;
    instance_start(i);
    if (order % 3 == 0) work(i);
    visit(i, started);
    instance_stop(i);
    visit(i, stopped);
    if (again) {
      instance_start(i);
      if (order % 3 == 1) work(i);
      instance_stop(i);
    }
  }
  instance_free(i);
}

static void check_lifecycle(void) {
  world_t *world = world_new();
  kept_state_t state = {NULL, 0, 0};
  uint64_t begun;
  unsigned step, tried = 0;
  if (offers(OP_SAVE)) state = state_of(world, 0);
  world_free(world);
  world = world_new();
  begun = nanoseconds();
  /* All of them, in an order of the seed's: 7 and the number of orders have no common divisor but 1. */
  for (step = (unsigned)(next_random() % ORDERS); tried < ORDERS && nanoseconds() - begun < ORDERS_MS * UINT64_C(1000000);
       tried++) {
    try_order(world, &state, step);
    step = (step + 7) % ORDERS;
  }
  note("%u of %d orders", tried, ORDERS);
}

/* ---- early -------------------------------------------------------------------------------------------------------- */

static void call_early(instance_t *i) {
  busbar_call_t call = {.size = sizeof call, .id = 1, .method = {"GET", 3}, .path = {"/", 1}};
  busbar_batch_t *outputs[OUTPUTS_MAX];
  arena_t *own[OUTPUTS_MAX], *input = input_batch(0, 4), *arena = arena_new(65536, 16);
  int32_t status = BUSBAR_OK;
  for (uint32_t n = 0; n < run.plan.outputs; n++) {
    own[n] = arena_new(65536, 16);
    outputs[n] = &own[n]->batch;
  }
  arena->batch.next_sequence = 1;
  input->batch.out = outputs;
  input->batch.out_count = run.plan.outputs;
  input->batch.id = i->next_batch++;
  switch (run.plan.kind) {
    case BUSBAR_SOURCE:
      status = invoke(i, OP_POLL, &arena->batch);
      if (arena->batch.loan != NULL) invoke(i, OP_RELEASE, arena->batch.loan);
      break;
    case BUSBAR_PROCESSOR:
      status = invoke(i, OP_PROCESS, &input->batch);
      break;
    case BUSBAR_REACTION:
      status = invoke(i, OP_WRITE, &input->batch);
      if (offers(OP_FLUSH)) invoke(i, OP_FLUSH, NULL);
      break;
    case BUSBAR_BOOTSTRAP:
      status = invoke(i, OP_FETCH, &arena->batch);
      break;
    default:
      for (enum op op = OP_EXECUTE; op <= OP_AFTER; op++)
        if ((op == OP_EXECUTE) == (run.plan.kind == BUSBAR_SERVICE) && offers(op)) status = invoke(i, op, &call);
  }
  note("Answered %s", status_name(status));
  if (status == BUSBAR_PENDING) fail("write kept a batch before start");
  for (uint32_t n = 0; n < run.plan.outputs; n++) arena_free(own[n]);
  arena_free(input);
  arena_free(arena);
}

static void check_early(void) {
  world_t *world = world_new();
  instance_t *i = instance_new(world, NULL, 0);
  instance_create(i);
  call_early(i);
  instance_free(i);
  i = instance_running(world);
  work(i);
  instance_stop(i);
  call_early(i);
  instance_free(i);
}

/* ---- shutdown ----------------------------------------------------------------------------------------------------- */

#define HELD 24

typedef struct held {
  void *loans[HELD];
  arena_t *arenas[HELD];
  uint32_t count;
} held_t;

static void hold_loan(instance_t *i, drive_t *how, busbar_batch_t *batch) {
  held_t *held = how->data;
  (void)i;
  if (batch->loan == NULL || held->count > 0) return;
  held->loans[held->count++] = batch->loan;
  batch->loan = NULL;
}

static void stop_source(instance_t *i) {
  held_t held = {.count = 0};
  drive_t how = SHORT_DRIVE;
  how.batch = hold_loan;
  how.data = &held;
  drive(i, &how);
  instance_stop(i);
  if (held.count > 0) invoke(i, OP_RELEASE, held.loans[0]);
  if (how.position != NULL && offers(OP_COMMIT)) {
    busbar_bytes_t position = {how.position, how.position_length};
    invoke(i, OP_COMMIT, &position);
  }
  if (how.position != NULL) instance_position(i, how.position, how.position_length);
  drive_free(&how);
}

/* Stops after a MORE, if it comes to one. */
static void stop_processor(instance_t *i) {
  arena_t *input = input_batch(0, 64), *outputs[OUTPUTS_MAX];
  busbar_batch_t *batches[OUTPUTS_MAX];
  for (uint32_t n = 0; n < run.plan.outputs; n++) {
    outputs[n] = arena_new(16384, 2);
    batches[n] = &outputs[n]->batch;
  }
  input->batch.out = batches;
  input->batch.out_count = run.plan.outputs;
  if (invoke(i, OP_PROCESS, &input->batch) == BUSBAR_MORE) note("Stopped after MORE");
  instance_stop(i);
  for (uint32_t n = 0; n < run.plan.outputs; n++) arena_free(outputs[n]);
  arena_free(input);
}

static void stop_reaction(instance_t *i) {
  held_t held = {.count = 0};
  int32_t status = BUSBAR_OK;
  for (uint32_t at = 0; held.count < 8 && status != BUSBAR_AGAIN && status >= 0; at += 4) {
    arena_t *input = input_batch(at % input_count(), 4);
    held.arenas[held.count++] = input;
    input->batch.id = i->next_batch++;
    status = invoke(i, OP_WRITE, &input->batch);
  }
  note("Stopped after %s", status_name(status));
  instance_stop(i);
  for (uint32_t n = 0; n < held.count; n++) arena_free(held.arenas[n]);
}

static void stop_bootstrap(instance_t *i) {
  drive_t how = {.limit = 1, .events = 2};
  drive(i, &how);
  instance_stop(i);
  drive_free(&how);
}

static void check_shutdown(void) {
  world_t *world = world_new();
  instance_t *i = instance_running(world);
  instance_stop(i);
  for (int round = 0; round < 3; round++) {
    instance_start(i);
    switch (run.plan.kind) {
      case BUSBAR_SOURCE:
        stop_source(i);
        break;
      case BUSBAR_PROCESSOR:
        stop_processor(i);
        break;
      case BUSBAR_REACTION:
        stop_reaction(i);
        break;
      case BUSBAR_BOOTSTRAP:
        stop_bootstrap(i);
        break;
      default:
        work(i);
        instance_stop(i);
    }
  }
  instance_start(i);
  work(i);
  instance_stop(i);
  instance_free(i);
}

extern const check_t life_checks[];
const check_t life_checks[] = {
    {"lifecycle", ALL_KINDS, "error", "",
     "Every legal order of lifecycle calls is answered as it must be: restore, save and health in each state, stop and start "
     "again, destroy at once.",
     check_lifecycle},
    {"early", ALL_KINDS, "warning", "",
     "poll, process, write and the like before start or after stop, which no good host does, are answered with a status.",
     check_early},
    {"shutdown", ALL_KINDS, "error", "",
     "Stopping in the middle of MORE, AGAIN, PENDING or a loan works, and so does starting again.", check_shutdown},
    {0},
};
