/* Bounds: what is read is not written, what is written stays within its arena, and what is malformed does no harm. */
#include <sys/mman.h>

#include "conformance.h"

#define READERS (KIND(BUSBAR_PROCESSOR) | KIND(BUSBAR_REACTION))
#define WRITERS (KIND(BUSBAR_SOURCE) | KIND(BUSBAR_PROCESSOR) | KIND(BUSBAR_BOOTSTRAP))

static void check_input_untouched(void) {
  drive_t how = DRIVE;
  run.seal = 1;
  run.shared->hint = ", where batches to read are write-protected";
  live(&how);
}

static void check_arena_bounds(void) {
  static const uint64_t CAPACITIES[] = {0, 1, 39, 40, 41, 63, 64, 100, 200, 1000, 4096, 5001};
  static const uint32_t LIMITS[] = {0, 1, 3, 16};
  run.guard = 1;
  run.shared->hint = ", where arenas end at a page that faults";
  for (uint32_t n = 0; n < sizeof CAPACITIES / sizeof *CAPACITIES; n++) {
    drive_t how = SHORT_DRIVE;
    how.capacity = CAPACITIES[n] > 0 ? CAPACITIES[n] : 1;
    how.events = 12;
    how.limit = run.plan.kind == BUSBAR_PROCESSOR ? 16 : LIMITS[n % 4] > 0 ? LIMITS[n % 4] : 1;
    how.out_limit = LIMITS[n % 4];
    live(&how);
    drive_free(&how);
    fail_on(FAULT_BOUNDS);
  }
}

/* ---- Records by hand ---------------------------------------------------------------------------------------------- */

/* A sealed batch that ends exactly where its memory does, when run.guard is set. */
static arena_t *batch_of(const void *records, uint64_t length, uint32_t count) {
  arena_t *arena = arena_new(length, count);
  if (run.guard) arena->batch.data = arena->own + ((length + 63) & ~(uint64_t)63) - length;
  memcpy(arena->batch.data, records, length);
  arena->batch.length = length;
  arena->batch.count = count;
  arena->batch.capacity = 0;
  return arena;
}

/* Offers it once, whatever it is, and goes on while the plugin answers MORE. */
static int32_t offer(instance_t *i, arena_t *input) {
  int guard = run.guard;
  arena_t *outputs[OUTPUTS_MAX];
  busbar_batch_t *batches[OUTPUTS_MAX];
  int32_t status = BUSBAR_OK;
  input->batch.id = i->next_batch++;
  if (run.plan.kind == BUSBAR_REACTION) {
    completion_t completion;
    while ((status = invoke(i, OP_WRITE, &input->batch)) == BUSBAR_AGAIN) nap(1);
    if (status != BUSBAR_PENDING) return status;
    if (!wait_completion(i, input->batch.id, (int)run.plan.patience_ms, &completion)) fail("A PENDING batch was not completed");
    return completion.status;
  }
  run.guard = 0; /* it is about what is read */
  for (uint32_t n = 0; n < run.plan.outputs; n++) {
    outputs[n] = arena_new(4 << 20, 65536);
    batches[n] = &outputs[n]->batch;
  }
  input->batch.out = batches;
  input->batch.out_count = run.plan.outputs;
  for (int round = 0; round < 100; round++) {
    for (uint32_t n = 0; n < run.plan.outputs; n++) arena_reset(outputs[n]);
    status = invoke(i, OP_PROCESS, &input->batch);
    for (uint32_t n = 0; n < run.plan.outputs; n++) arena_check(outputs[n]);
    if (status != BUSBAR_MORE) break;
  }
  for (uint32_t n = 0; n < run.plan.outputs; n++) arena_free(outputs[n]);
  run.guard = guard;
  return status;
}

static void go_on(instance_t *i) {
  drive_t how = SHORT_DRIVE;
  drive(i, &how);
  drive_free(&how);
}

/* ---- record-edges ------------------------------------------------------------------------------------------------- */

static void offer_event(instance_t *i, busbar_event_t event, const char *what) {
  static uint8_t bytes[1 << 20];
  uint64_t size = busbar_record_size(event.key_length, event.payload_length, event.attributes_length);
  busbar_batch_t batch = {.data = malloc(size), .capacity = size, .limit = 1, .next_sequence = i->next_sequence++};
  arena_t *input;
  int32_t status;
  memset(bytes, 'x', sizeof bytes);
  if (event.payload == NULL) event.payload = bytes;
  if (event.key == NULL) event.key = bytes;
  if (batch.data == NULL || !busbar_append(&batch, &event)) fail("Cannot check: out of memory");
  input = batch_of(batch.data, batch.length, 1);
  status = offer(i, input);
  if (status == BUSBAR_FATAL) fail("%s was answered with FATAL: %s", what, i->error);
  arena_free(input);
  free(batch.data);
}

static void check_record_edges(void) {
  uint8_t attributes[50 * 16];
  instance_t *i = instance_running(world_new());
  arena_t *empty = batch_of("", 0, 0);
  int32_t status = offer(i, empty);
  if (status != BUSBAR_OK) fail("A batch without records was answered with %s", status_name(status));
  for (uint32_t n = 0; n < 50; n++) {
    uint32_t lengths[2] = {4, 4};
    memcpy(attributes + n * 16, lengths, 8);
    snprintf((char *)attributes + n * 16 + 8, 5, "n%03u", n);
    memcpy(attributes + n * 16 + 12, "good", 4);
  }
  offer_event(i, (busbar_event_t){.operation = 0}, "A record of nothing but its header");
  offer_event(i, (busbar_event_t){.key_length = 65536, .operation = BUSBAR_OP_INSERT}, "A record with a key of 64 KiB");
  offer_event(i, (busbar_event_t){.payload_length = 1 << 20, .content_type = BUSBAR_CONTENT_TEXT},
              "A record with a payload of 1 MiB");
  offer_event(i, (busbar_event_t){.attributes = attributes, .attributes_length = sizeof attributes}, "A record with 50 attributes");
  for (uint32_t n = 0; n < 256; n += n < 8 ? 1 : 31)
    offer_event(
        i,
        (busbar_event_t){
            .operation = (uint8_t)(n % 4), .content_type = (uint8_t)n, .key_length = 1, .payload_length = 3, .flags = n % 8},
        "A record of a rare type");
  offer_event(i, (busbar_event_t){.timestamp = INT64_MAX, .payload_length = 1}, "A record with the last timestamp");
  offer_event(i, (busbar_event_t){.timestamp = INT64_MIN, .payload_length = 1}, "A record with the first timestamp");
  go_on(i);
  arena_free(empty);
  instance_stop(i);
  instance_free(i);
}

/* ---- record-fuzz -------------------------------------------------------------------------------------------------- */

#define ROUNDS 96

static void damage(uint8_t *records, uint64_t length, int round) {
  static const uint32_t NUMBERS[] = {0, 1, 7, 8, 39, 40, 41, 48, 0x7fffffff, 0x80000000u, 0xfffffff8u, 0xffffffffu};
  static const uint32_t OFFSETS[] = {0, 24, 28, 32};
  busbar_batch_t batch = {.data = records, .length = length};
  busbar_iterator_t it = busbar_iterate(&batch);
  uint64_t at = 0, wanted = next_random() % 4;
  for (uint64_t n = 0; n < wanted && busbar_next(&it) != NULL; n++) at = busbar_offset(&it);
  if (at + sizeof(busbar_record_t) > length) at = 0;
  if (round % 4 == 3) {
    for (int n = 0; n < 4; n++) records[at + next_random() % sizeof(busbar_record_t)] = (uint8_t)next_random();
  } else {
    memcpy(records + at + OFFSETS[next_random() % 4], &NUMBERS[next_random() % 12], 4);
  }
}

static void check_record_fuzz(void) {
  instance_t *i = instance_running(world_new());
  arena_t *good = input_batch(0, 4);
  uint8_t *records = malloc(good->batch.length);
  run.guard = 1;
  run.shared->hint = ", with a malformed batch";
  for (int round = 0; round < ROUNDS; round++) {
    uint64_t length = good->batch.length;
    uint32_t count = good->batch.count;
    arena_t *bad;
    int32_t status;
    memcpy(records, good->batch.data, length);
    damage(records, length, round);
    if (round % 8 == 5) length = length / 2 & ~(uint64_t)7;
    if (round % 16 == 6) count = (uint32_t)next_random();
    bad = batch_of(records, length, good->batch.count);
    bad->batch.count = count;
    status = offer(i, bad);
    if (status == BUSBAR_FATAL) fail("A malformed batch was answered with FATAL, not INVALID: %s", i->error);
    if (bad->batch.done > count) fail("A malformed batch of %u records was answered with done %u", count, bad->batch.done);
    arena_free(bad);
  }
  go_on(i);
  instance_stop(i);
  instance_free(i);
  arena_free(good);
  free(records);
}

extern const check_t data_checks[];
const check_t data_checks[] = {
    {"input-untouched", READERS, "error", "", "Batches that it reads are never written to, since others read the same memory.",
     check_input_untouched},
    {"arena-bounds", WRITERS, "error", "",
     "Nothing is written behind an arena or beyond the limit of records, however small or odd they are.", check_arena_bounds},
    {"record-edges", READERS, "error", "",
     "Empty batches, bare and huge records, and every operation, type, flag and attribute are taken.", check_record_edges},
    {"record-fuzz", READERS, "error", "",
     "Records whose lengths do not fit are answered with a status, and nothing is read past the batch.", check_record_fuzz},
    {0},
};
