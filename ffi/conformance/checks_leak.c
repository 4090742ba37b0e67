/* Leaks: what a hundred lives leave behind. */
#include <dlfcn.h>
#include <malloc.h>
#include <unistd.h>

#include "conformance.h"

#define CYCLES_WARM 20
#define CYCLES_MEASURED 40 /* twice */

static void cycle(world_t *world, kept_state_t *state, unsigned n) {
  instance_t *i = instance_new(world, NULL, 0);
  drive_t how = SHORT_DRIVE;
  instance_create(i);
  if (n % 2 == 1 && state->data != NULL && offers(OP_RESTORE)) instance_restore(i, state->data, state->length, state->version);
  instance_start(i);
  drive(i, &how);
  instance_stop(i);
  free(state->data);
  state->data = instance_save(i, &state->version, &state->length);
  instance_free(i);
  drive_free(&how);
}

static uint64_t resident_bytes(void) {
  unsigned long long total, resident = 0;
  FILE *file = fopen("/proc/self/statm", "re");
  if (file == NULL || fscanf(file, "%llu %llu", &total, &resident) != 2) resident = 0;
  if (file != NULL) fclose(file);
  return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t allocated_bytes(void) {
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

typedef struct measures {
  uint64_t allocated, resident;
} measures_t;

typedef struct cycles {
  world_t *world;
  kept_state_t *state;
  unsigned count;
} cycles_t;

static void *run_in_thread(void *data) {
  const cycles_t *cycles = data;
  for (unsigned n = 0; n < cycles->count; n++) cycle(cycles->world, cycles->state, n);
  return NULL;
}

/* In a thread of its own: what malloc keeps for a thread counts as allocated until the thread ends. */
static measures_t run_cycles(world_t *world, kept_state_t *state, unsigned count) {
  cycles_t cycles = {world, state, count};
  measures_t now;
  pthread_t thread;
  if (pthread_create(&thread, NULL, run_in_thread, &cycles) != 0) fail("Cannot check: no more threads");
  pthread_join(thread, NULL);
  now.allocated = allocated_bytes();
  now.resident = resident_bytes();
  return now;
}

/* By how much it grew in the part that grew less; a cache that fills up grows in one of them only. */
static int64_t growth(uint64_t a, uint64_t b, uint64_t c) {
  int64_t first = (int64_t)(b - a), second = (int64_t)(c - b);
  return first < second ? first : second;
}

static void check_leak_memory(void) {
  world_t *world = world_new();
  kept_state_t state = {NULL, 0, 0};
  int is_go = run.plan.language != NULL && strcmp(run.plan.language, "go") == 0;
  measures_t a, b, c;
  int64_t allocated, resident;
  if (dlsym(RTLD_DEFAULT, "__asan_init") != NULL) not_applicable("AddressSanitizer keeps what is freed");
  a = run_cycles(world, &state, CYCLES_WARM);
  b = run_cycles(world, &state, CYCLES_MEASURED);
  c = run_cycles(world, &state, CYCLES_MEASURED);
  allocated = growth(a.allocated, b.allocated, c.allocated);
  resident = growth(a.resident, b.resident, c.resident);
  if (allocated >= 16 * CYCLES_MEASURED) fail("Each life leaves %lld bytes allocated", (long long)allocated / CYCLES_MEASURED);
  if (resident >= (is_go ? 8 << 20 : 1 << 20))
    fail("Each life leaves %lld bytes more resident", (long long)resident / CYCLES_MEASURED);
  note("after warming up, %d lives: %lld bytes allocated, %lld resident", 2 * CYCLES_MEASURED,
       (long long)(c.allocated - a.allocated), (long long)(c.resident - a.resident));
}

/* Counts before and after 100 lives, with time for a thread that was joined to be gone. */
static void check_leak(uint32_t (*count)(void), const char *what) {
  world_t *world = world_new();
  kept_state_t state = {NULL, 0, 0};
  uint64_t begun;
  uint32_t before, after;
  unsigned cycles = CYCLES_WARM + 2 * CYCLES_MEASURED,
           tolerated = run.plan.language != NULL && strcmp(run.plan.language, "go") == 0 ? 16 : 0;
  run_cycles(world, &state, 2);
  before = count();
  run_cycles(world, &state, cycles);
  begun = nanoseconds();
  while ((after = count()) > before + tolerated && nanoseconds() - begun < 500000000) nap(1);
  if (after > before + tolerated) fail("%u %s are left over after %u lives", after - before, what, cycles);
}

static void check_leak_threads(void) { check_leak(count_threads, "threads"); }
static void check_leak_descriptors(void) { check_leak(count_descriptors, "descriptors"); }

extern const check_t leak_checks[];
const check_t leak_checks[] = {
    {"leak-memory", ALL_KINDS, "error", "", "A hundred lives leave no more memory behind than the first few.", check_leak_memory},
    {"leak-threads", ALL_KINDS, "error", "", "A hundred lives leave no thread behind.", check_leak_threads},
    {"leak-descriptors", ALL_KINDS, "error", "", "A hundred lives leave no descriptor open.", check_leak_descriptors},
    {0},
};
