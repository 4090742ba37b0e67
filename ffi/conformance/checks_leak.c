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

/* Lives in all orders of calls, again and again: a hundred times each, or as many as fit into the plan's time. Given how many lives
 * there were the time before, it makes as many again. */
static unsigned all_orders(world_t *world, kept_state_t *state, unsigned lives) {
  uint64_t begun = nanoseconds();
  unsigned n;
  run.lenient = 1;
  for (n = 0; lives > 0 ? n < lives : n < 50 * ORDERS; n++) {
    if (lives == 0 && n >= 20 && nanoseconds() - begun > (uint64_t)run.plan.orders_ms * 1000000) break;
    try_order(world, state, n * 7 % ORDERS); /* 7 and ORDERS have no common divisor but 1 */
  }
  return n;
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
  unsigned *lives; /* null: lives that work; else lives in all orders, how many, which is set when it is 0 */
} cycles_t;

static void *run_in_thread(void *data) {
  const cycles_t *cycles = data;
  if (cycles->lives != NULL) *cycles->lives = all_orders(cycles->world, cycles->state, *cycles->lives);
  for (unsigned n = 0; n < cycles->count; n++) cycle(cycles->world, cycles->state, n);
  return NULL;
}

/* In a thread of its own: what malloc keeps for a thread counts as allocated until the thread ends. */
static measures_t measure(cycles_t cycles) {
  measures_t now;
  pthread_t thread;
  if (pthread_create(&thread, NULL, run_in_thread, &cycles) != 0) fail("Cannot check: no more threads");
  pthread_join(thread, NULL);
  now.allocated = allocated_bytes();
  now.resident = resident_bytes();
  return now;
}

static measures_t run_cycles(world_t *world, kept_state_t *state, unsigned count) {
  return measure((cycles_t){world, state, count, NULL});
}

static measures_t run_orders(world_t *world, kept_state_t *state, unsigned *lives) {
  return measure((cycles_t){world, state, 0, lives});
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
  unsigned lives = 0;
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
  a = run_orders(world, &state, &lives);
  b = run_orders(world, &state, &lives);
  allocated = growth(c.allocated, a.allocated, b.allocated);
  /* Go's runtime starts threads when it likes to, and each has some memory of the C library's. */
  if (allocated >= (is_go ? 16384 : 1024))
    fail("%u lives in all orders of calls leave %lld bytes allocated", lives, (long long)allocated);
  note("twice %u lives in %d orders", lives, ORDERS);
}

/* Counts before and after 100 lives, with time for a thread that was joined to be gone. */
static void check_leak(uint32_t (*count)(void), const char *what) {
  world_t *world = world_new();
  kept_state_t state = {NULL, 0, 0};
  uint64_t begun;
  uint32_t before, after;
  unsigned lives = 0, cycles = CYCLES_WARM + 2 * CYCLES_MEASURED,
           tolerated = run.plan.language != NULL && strcmp(run.plan.language, "go") == 0 ? 16 : 0;
  run_cycles(world, &state, 2);
  before = count();
  run_cycles(world, &state, cycles);
  run_orders(world, &state, &lives);
  begun = nanoseconds();
  while ((after = count()) > before + tolerated && nanoseconds() - begun < 500000000) nap(1);
  if (after > before + tolerated) fail("%u %s are left over after %u lives", after - before, what, cycles + lives);
  note("%u lives, and %u in %d orders", cycles, lives, ORDERS);
}

static void check_leak_threads(void) { check_leak(count_threads, "threads"); }
static void check_leak_descriptors(void) { check_leak(count_descriptors, "descriptors"); }

extern const check_t leak_checks[];
const check_t leak_checks[] = {
    {"leak-memory", ALL_KINDS, "error", "", "A hundred lives, and those in every legal order of calls, leave no more memory behind than the first few.", check_leak_memory},
    {"leak-threads", ALL_KINDS, "error", "", "A hundred lives, and those in every legal order of calls, leave no thread behind.", check_leak_threads},
    {"leak-descriptors", ALL_KINDS, "error", "", "A hundred lives, and those in every legal order of calls, leave no descriptor open.", check_leak_descriptors},
    {0},
};
