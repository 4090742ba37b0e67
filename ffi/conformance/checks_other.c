/* Bootstraps, services and hooks. */
#include "conformance.h"

/* ---- Bootstraps --------------------------------------------------------------------------------------------------- */

static void check_fetch_arenas(void) {
  static const uint64_t CAPACITIES[] = {1, 48, 100, 333, 4099};
  drive_t reference = DRIVE;
  live(&reference);
  for (uint32_t n = 0; n < sizeof CAPACITIES / sizeof *CAPACITIES; n++) {
    drive_t how = DRIVE;
    int64_t difference;
    how.capacity = CAPACITIES[n];
    how.limit = n % 2 == 0 ? 1 : 16;
    live(&how);
    difference = stream_difference(&reference.out[0], 0, &how.out[0]);
    if (difference >= 0)
      fail("In arenas of %llu bytes, %u elements came, not %u, and element %lld is another one", (unsigned long long)CAPACITIES[n],
           how.accepted, reference.accepted, (long long)difference + 1);
    drive_free(&how);
  }
}

static void check_elements(void) {
  drive_t how = DRIVE;
  busbar_batch_t batch = {.size = sizeof batch};
  busbar_iterator_t it;
  const busbar_record_t *record;
  live(&how);
  batch.data = how.out[0].data;
  batch.length = how.out[0].length;
  for (it = busbar_iterate(&batch); (record = busbar_next(&it)) != NULL;) {
    if (record->operation != BUSBAR_OP_INSERT) fail("Element %u has operation %u, not INSERT", it.index, record->operation);
    if (record->key_length == 0) fail("Element %u has no key", it.index);
  }
}

/* ---- Services and hooks ------------------------------------------------------------------------------------------- */

#define CALLS (KIND(BUSBAR_SERVICE) | KIND(BUSBAR_HOOK))

static void call_all(instance_t *i, busbar_call_t *call, const char *what) {
  enum op first = run.plan.kind == BUSBAR_SERVICE ? OP_EXECUTE : OP_BEFORE,
          last = run.plan.kind == BUSBAR_SERVICE ? OP_EXECUTE : OP_AFTER;
  for (enum op op = first; op <= last; op++) {
    volatile uint8_t sum = 0;
    int32_t status;
    if (!offers(op)) continue;
    status = invoke(i, op, call);
    if (status == BUSBAR_FATAL) fail("%s answered FATAL to %s: %s", op_name(op), what, call->error);
    if (call->answer.length > 0 && call->answer.data == NULL)
      fail("%s answered %s with %llu bytes at null", op_name(op), what, (unsigned long long)call->answer.length);
    for (uint64_t at = 0; at < call->answer.length; at += 64) sum = (uint8_t)(sum + call->answer.data[at]);
    for (uint32_t n = 0; n < call->answer_header_count; n++)
      if (call->answer_headers[n].name.length > 0) sum = (uint8_t)(sum + (uint8_t)call->answer_headers[n].name.data[0]);
    if (call->answer_status != 0 && (call->answer_status < 100 || call->answer_status > 599))
      fail("%s answered %s with HTTP status %u", op_name(op), what, call->answer_status);
  }
}

static void check_bodies(void) {
  static const uint64_t LENGTHS[] = {0, 1, 7, 4096, 65537, 3 << 20};
  instance_t *i = instance_running(world_new());
  uint8_t *bytes = malloc(3 << 20);
  drive_t how = DRIVE;
  for (int n = 0; n < 12; n++) {
    busbar_call_t call = {
        .size = sizeof call, .id = (uint64_t)n + 1, .method = {"POST", 4}, .path = {"/", 1}, .body = {bytes, LENGTHS[n % 6]}};
    for (uint64_t at = 0; at < call.body.length; at++) bytes[at] = n < 6 ? 'a' : (uint8_t)next_random();
    if (call.body.length == 0) call.body.data = NULL;
    call_all(i, &call, "an odd body");
  }
  drive(i, &how);
  instance_stop(i);
  instance_free(i);
  free(bytes);
}

static void check_odd_requests(void) {
  static char path[65536];
  static busbar_header_t headers[1000];
  instance_t *i = instance_running(world_new());
  busbar_call_t bare = {.size = sizeof bare}, large = {.size = sizeof large, .method = {"GET", 3}},
                dirty = {.size = sizeof dirty, .method = {"\xff", 1}};
  memset(path, '/', sizeof path);
  for (int n = 0; n < 1000; n++) headers[n] = (busbar_header_t){busbar_string("x-many"), busbar_string("")};
  large.path = (busbar_string_t){path, sizeof path};
  large.headers = headers;
  large.header_count = 1000;
  large.deadline = INT64_MIN;
  dirty.path = (busbar_string_t){"/\0/%\xc3", 5};
  dirty.query = busbar_string("%%%&=&&=");
  dirty.deadline = INT64_MAX;
  call_all(i, &bare, "a request of nothing");
  call_all(i, &large, "a request with a long path and 1,000 headers");
  call_all(i, &dirty, "a request that is not UTF-8");
  instance_stop(i);
  instance_free(i);
}

/* ---- slots -------------------------------------------------------------------------------------------------------- */

#define CALLS_PER_SLOT 40

static instance_t *shared_instance;
static pthread_barrier_t together;

static void *use_slot(void *data) {
  uint32_t slot = (uint32_t)(uintptr_t)data;
  char body[64];
  for (uint32_t n = 0; n < CALLS_PER_SLOT; n++) {
    busbar_call_t call = {.size = sizeof call, .slot = slot, .id = (uint64_t)n + 1, .method = {"POST", 4}, .path = {"/", 1}};
    uint8_t *copy;
    call.body =
        (busbar_bytes_t){(const uint8_t *)body, (uint64_t)snprintf(body, sizeof body, "{\"slot\":%u,\"call\":%u}", slot, n)};
    call_all(shared_instance, &call, "a call in one of several slots");
    copy = malloc(call.answer.length + 1);
    if (copy == NULL) fail("Cannot check: out of memory");
    if (call.answer.length > 0) memcpy(copy, call.answer.data, call.answer.length);
    pthread_barrier_wait(&together); /* now all slots hold an answer */
    if (n % 2 == slot % 2) {
      busbar_call_t another = call;
      another.answer = (busbar_bytes_t){NULL, 0};
      another.body = (busbar_bytes_t){(const uint8_t *)"{}", 2};
      call_all(shared_instance, &another, "a call in one of several slots");
    }
    pthread_barrier_wait(&together);
    if (n % 2 != slot % 2 && call.answer.length > 0 && memcmp(copy, call.answer.data, call.answer.length) != 0)
      fail("The answer in slot %u changed when another slot was called", slot);
    free(copy);
  }
  return NULL;
}

static void check_slots(void) {
  pthread_t threads[64];
  uint32_t slots = run.plan.concurrency > 64 ? 64 : run.plan.concurrency;
  if (slots < 2) not_applicable("It says no concurrency of 2 or more");
  shared_instance = instance_running(world_new());
  pthread_barrier_init(&together, NULL, slots);
  for (uint32_t n = 0; n < slots; n++)
    if (pthread_create(&threads[n], NULL, use_slot, (void *)(uintptr_t)n) != 0) fail("Cannot check: no more threads");
  for (uint32_t n = 0; n < slots; n++) pthread_join(threads[n], NULL);
  instance_stop(shared_instance);
  instance_free(shared_instance);
}

extern const check_t other_checks[];
const check_t other_checks[] = {
    {"fetch-arenas", KIND(BUSBAR_BOOTSTRAP), "error", "",
     "The same elements come in the same order until DONE, however small or odd the arenas are.", check_fetch_arenas},
    {"elements", KIND(BUSBAR_BOOTSTRAP), "error", "", "Each element comes as INSERT with a key.", check_elements},
    {"bodies", CALLS, "error", "", "Empty, large and random bodies are answered with a status, and it goes on.", check_bodies},
    {"odd-requests", CALLS, "error", "",
     "Requests with nothing in them, far too much, or bytes that are no text are answered with a status.", check_odd_requests},
    {"slots", CALLS, "error", "concurrency", "Calls in several slots at once do not touch each other's answers.", check_slots},
    {0},
};
