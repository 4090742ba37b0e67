/* States: what save gives, restore takes. */
#include "conformance.h"

/* What an instance that has worked a little saves. */
kept_state_t state_of(world_t *world, int running) {
  kept_state_t state;
  instance_t *i = instance_running(world);
  drive_t how = DRIVE;
  how.quiet_ms = 5;
  drive(i, &how);
  if (!running) instance_stop(i);
  state.data = instance_save(i, &state.version, &state.length);
  if (running) instance_stop(i);
  instance_free(i);
  drive_free(&how);
  return state;
}

static instance_t *restored(world_t *world, const kept_state_t *state) {
  instance_t *i = instance_new(world, NULL, 0);
  int32_t status;
  instance_create(i);
  status = instance_restore(i, state->data, state->length, state->version);
  if (status != BUSBAR_OK) fail("restore answered %s to a state that was just saved: %s", status_name(status), i->error);
  return i;
}

static void need_states(void) {
  if (!offers(OP_SAVE) || !offers(OP_RESTORE)) not_applicable("It does not offer both save and restore");
}

/* What the one who saved and the one who restored emit from there on. */
static void compare_behaviour(instance_t *saver, instance_t *restorer) {
  drive_t by_saver = DRIVE, by_restorer = DRIVE;
  int64_t difference;
  drive(saver, &by_saver);
  instance_stop(saver);
  instance_start(restorer);
  drive(restorer, &by_restorer);
  instance_stop(restorer);
  for (uint32_t n = 0; n < run.plan.outputs; n++) {
    difference = stream_difference(&by_saver.out[n], 0, &by_restorer.out[n]);
    if (difference >= 0)
      fail("After restore it goes on otherwise than the one that saved, from record %lld of output %u on", (long long)difference,
           n);
  }
}

static void check_state_roundtrip(void) {
  world_t *world;
  kept_state_t first, second;
  instance_t *saver, *restorer;
  drive_t how = DRIVE;
  need_states();
  world = world_new();
  how.quiet_ms = 5;
  saver = instance_running(world);
  drive(saver, &how);
  first.data = instance_save(saver, &first.version, &first.length);
  if (first.data == NULL) not_applicable("save answered FAILED: %s", saver->error);
  restorer = restored(world_new(), &first);
  second.data = instance_save(restorer, &second.version, &second.length);
  if (second.data == NULL) fail("save after restore answered FAILED: %s", restorer->error);
  if (second.version != first.version)
    fail("save answered version %u, after restoring it version %u", first.version, second.version);
  if (second.length != first.length || memcmp(second.data, first.data, first.length) != 0) {
    if (run.plan.kind != BUSBAR_PROCESSOR)
      fail("Saved again after restore, the state differs: %llu bytes, then %llu", (unsigned long long)first.length,
           (unsigned long long)second.length);
    note("Saved again after restore, the bytes of the state differ");
  }
  if (run.plan.kind == BUSBAR_PROCESSOR) compare_behaviour(saver, restorer);
  else instance_stop(saver);
  instance_free(saver);
  instance_free(restorer);
}

static void try_state(world_t *world, const void *data, uint64_t length, uint32_t version, int foreign) {
  instance_t *i = instance_new(world, NULL, 0);
  drive_t how = SHORT_DRIVE;
  int32_t status;
  instance_create(i);
  status = instance_restore(i, data, length, version);
  if (status == BUSBAR_OK && foreign) fail("restore answered OK to version %u, which it never saved", version);
  if (status == BUSBAR_OK) {
    instance_start(i);
    drive(i, &how);
    instance_stop(i);
  }
  instance_free(i);
  drive_free(&how);
}

static void check_state_garbage(void) {
  world_t *world;
  kept_state_t state;
  uint8_t *bytes = calloc(1, 1 << 20);
  need_states();
  world = world_new();
  state = state_of(world, 0);
  if (state.data == NULL) not_applicable("save answered FAILED");
  try_state(world, state.data, state.length, 0xfffffff0u, 1);
  try_state(world, state.data, 0, state.version, 0);
  try_state(world, state.data, state.length / 2, state.version, 0);
  if (state.length > 0) try_state(world, state.data, state.length - 1, state.version, 0);
  memcpy(bytes, state.data, state.length < (1 << 20) - 8 ? state.length : (1 << 20) - 8);
  try_state(world, bytes, state.length + 8, state.version, 0);
  try_state(world, bytes, 1 << 20, state.version, 0);
  for (int round = 0; round < 16; round++) {
    uint64_t length = next_random() % 300;
    for (uint64_t at = 0; at < length; at++) bytes[at] = (uint8_t)next_random();
    try_state(world, bytes, length, state.version, 0);
  }
  memset(bytes, 0xff, 4096);
  try_state(world, bytes, 4096, state.version, 0);
  free(bytes);
  free(state.data);
}

extern const check_t state_checks[];
const check_t state_checks[] = {
    {"state-roundtrip", ALL_KINDS, "error", "", "What save gives, restore takes, and the new instance goes on like the old one.",
     check_state_roundtrip},
    {"state-garbage", ALL_KINDS, "error", "", "A state of an unknown version is refused, and damaged ones do no harm.",
     check_state_garbage},
    {0},
};
