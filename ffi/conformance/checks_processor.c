/* Processors: outputs of any size, origins, ticks. */
#include "conformance.h"

#define PROCESSOR KIND(BUSBAR_PROCESSOR)

typedef struct sizes {
  uint64_t capacity;
  uint32_t out_limit, limit;
} sizes_t;

static const sizes_t SIZES[] = {{1, 1, 64}, {48, 2, 64}, {100, 0, 16}, {256, 7, 64}, {1000, 0, 64}, {4099, 3, 16}};

/* All input through process with outputs of `in_process`, then all ticks with outputs of `in_tick`. */
static void run_through(drive_t *how, const sizes_t *in_process, const sizes_t *in_tick) {
  instance_t *i = instance_running(world_new());
  arena_t *input;
  for (uint32_t at = 0; (input = input_batch(at, 16)) != NULL; at += 16) {
    how->capacity = in_process->capacity;
    how->out_limit = in_process->out_limit;
    drive_input(i, how, input);
    arena_free(input);
  }
  how->capacity = in_tick->capacity;
  how->out_limit = in_tick->out_limit;
  drive_tick(i, how, NOW, 0);
  drive_tick(i, how, NOW + INT64_C(60000000000), BUSBAR_BATCH_DRAIN);
  instance_stop(i);
  instance_free(i);
}

static void compare_sizes(int ticks) {
  static const sizes_t ROOMY = {0, 0, 0};
  drive_t reference = DRIVE;
  run_through(&reference, &ROOMY, &ROOMY);
  for (uint32_t s = 0; s < sizeof SIZES / sizeof *SIZES; s++) {
    drive_t how = DRIVE;
    run_through(&how, ticks ? &ROOMY : &SIZES[s], ticks ? &SIZES[s] : &ROOMY);
    for (uint32_t n = 0; n < run.plan.outputs; n++) {
      int64_t difference = stream_difference(&reference.out[n], 0, &how.out[n]);
      if (difference >= 0)
        fail("With outputs of %llu bytes, %u records came on output %u where %u came with room for all; record %lld is the first "
             "that differs",
             (unsigned long long)SIZES[s].capacity, how.out[n].count, n, reference.out[n].count, (long long)difference);
    }
    drive_free(&how);
  }
}

static void check_processor_arenas(void) { compare_sizes(0); }

/* ---- origins ------------------------------------------------------------------------------------------------------ */

static void check_origins(void) {
  drive_t how = DRIVE;
  live(&how);
  for (uint32_t n = 0; n < run.plan.outputs; n++) {
    busbar_batch_t batch = {.data = how.out[n].data, .length = how.out[n].length};
    busbar_iterator_t it = busbar_iterate(&batch);
    const busbar_record_t *record;
    while ((record = busbar_next(&it)) != NULL) {
      if (record->sequence == 0) continue;
      if (record->sequence > input_count() || record->source != 0)
        fail("Record %u of output %u says it stems from event %llu of source %u, which was never given", it.index - 1, n,
             (unsigned long long)record->sequence, record->source);
    }
  }
}

/* ---- ticks -------------------------------------------------------------------------------------------------------- */

static void check_tick(void) {
  instance_t *i;
  drive_t how = DRIVE;
  if (!offers(OP_TICK)) not_applicable("It does not offer tick");
  i = instance_running(world_new());
  drive_tick(i, &how, NOW, 0);
  drive_tick(i, &how, NOW, BUSBAR_BATCH_DRAIN);
  drive_tick(i, &how, NOW - 1, 0);
  drive_tick(i, &how, NOW + INT64_C(86400000000000) * 400, 0);
  instance_stop(i);
  instance_free(i);
  compare_sizes(1);
}

extern const check_t processor_checks[];
const check_t processor_checks[] = {
    {"processor-arenas", PROCESSOR, "error", "",
     "Whatever the outputs' sizes, MORE and the cursor lose nothing and repeat nothing.", check_processor_arenas},
    {"origins", PROCESSOR, "error", "", "What it emits keeps source and sequence of an event that was given, or has sequence 0.",
     check_origins},
    {"processor-tick", PROCESSOR, "error", "",
     "tick works before any input, with DRAIN, when time jumps, and loses nothing when an output is full.", check_tick},
    {0},
};
