/* The shim: what a cell cannot do from TypeScript. It calls entries of a component's table at the cost of a C call, holds the
 * host services that plugins call from any thread, and writes down who crashed. Nothing here ever calls into JavaScript.
 * docs/decisions/the-shim.md says why it exists. SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#endif

#define EXPORT __attribute__((visibility("default")))
#define LOAD(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

static struct bb_header *page;
static struct bb_log *logs;
static struct bb_metric *metrics;
static struct bb_library *libraries;
static struct bb_shared shared = {.log_level = BUSBAR_LOG_INFO};
static int wake_fd = -1;
static struct sigaction previous[65];
static __thread struct bb_slot *current __attribute__((tls_model("initial-exec"))); /* whose call this thread is in */

/* ---- Calling plugins ---------------------------------------------------------------------------------------------- */

static inline void enter(struct bb_slot *slot, uint32_t call, uint64_t sequence) {
  struct bb_component *record = slot->record;
  record->call = call;
  record->sequence = sequence;
  current = slot;
  STORE(&record->calls, record->calls + 1);
}

static inline int32_t leave(struct bb_slot *slot, int32_t status) {
  struct bb_component *record = slot->record;
  record->status = status;
  record->errors += status < 0;
  current = NULL;
  STORE(&record->calls, record->calls + 1);
  return status;
}

/* Enters a call that is given `batch`: its first event is what a crash is blamed on. */
static inline void enter_with(struct bb_slot *slot, uint32_t call, const busbar_batch_t *batch) {
  const busbar_record_t *first = (const busbar_record_t *)(const void *)batch->data;
  if (batch->length < sizeof *first) return enter(slot, call, 0);
  enter(slot, call | (uint32_t)first->source << 16, first->sequence);
}

EXPORT int32_t bb_poll(struct bb_slot *slot, busbar_batch_t *batch) {
  struct bb_component *record = slot->record;
  uint32_t count = batch->count;
  uint64_t length = batch->length;
  int32_t status;
  enter(slot, BB_CALL_POLL, batch->next_sequence);
  status = ((const busbar_source_t *)slot->table)->poll(slot->self, batch);
  record->events_out += batch->count - count;
  record->bytes_out += batch->length - length;
  return leave(slot, status);
}

/* `call` is BB_CALL_PROCESS or BB_CALL_TICK. */
EXPORT int32_t bb_process(struct bb_slot *slot, busbar_batch_t *batch, uint32_t call) {
  struct bb_component *record = slot->record;
  const busbar_processor_t *table = slot->table;
  int32_t status;
  enter_with(slot, call, batch);
  status = (call == BB_CALL_TICK ? table->tick : table->process)(slot->self, batch);
  for (uint32_t i = 0; i < batch->out_count; i++) {
    record->events_out += batch->out[i]->count;
    record->bytes_out += batch->out[i]->length;
  }
  if (status == BUSBAR_OK) {
    record->events_in += batch->count;
    record->bytes_in += batch->length;
  }
  return leave(slot, status);
}

EXPORT int32_t bb_write(struct bb_slot *slot, busbar_batch_t *batch) {
  struct bb_component *record = slot->record;
  uint32_t count = batch->count; /* read before: a batch may be completed, and gone, when write returns PENDING */
  uint64_t length = batch->length;
  int32_t status;
  batch->id = slot->next_id = (slot->next_id + 1) & 0x7fffffff;
  enter_with(slot, BB_CALL_WRITE, batch);
  status = ((const busbar_reaction_t *)slot->table)->write(slot->self, batch);
  if (status == BUSBAR_OK) {
    record->events_in += count;
    record->bytes_in += length;
  }
  return leave(slot, status);
}

/* Whether a batch can be handed on without a closer look: src/event/batch.ts has the same. */
static inline int is_plain(const busbar_batch_t *batch, const uint8_t *data) {
  return batch->data == data && batch->position_length <= batch->position_capacity && batch->length <= batch->capacity && (batch->length & 7) == 0 && batch->required == 0 && batch->loan == NULL &&
         (uint64_t)batch->count * sizeof(busbar_record_t) <= batch->length && (batch->count != 0 || batch->length == 0);
}

static inline void empty(busbar_batch_t *batch) {
  batch->length = batch->cursor = 0;
  batch->count = batch->done = 0;
}

/* Moves one full batch down the line. BB_LINE_DONE when it was accepted at the end or nothing was left of it; then all batches
 * are empty again. */
static int32_t run_once(struct bb_line *line) {
  busbar_batch_t *batch = line->batch;
  const uint8_t *data = batch->data;
  int32_t status = bb_poll(line->source, batch);
  if (status != BUSBAR_OK || batch->count != batch->limit || !is_plain(batch, data)) return status & 255;
  for (uint32_t i = 0; i < line->stage_count && batch->count > 0; i++) {
    busbar_batch_t *out = line->stages[i].out;
    data = out == NULL ? NULL : out->data;
    status = out == NULL ? bb_write(line->stages[i].slot, batch) : bb_process(line->stages[i].slot, batch, BB_CALL_PROCESS);
    if (status != BUSBAR_OK || (out != NULL && !is_plain(out, data))) return (int32_t)(i + 1) * 256 + (status & 255);
    if (out != NULL) batch = out;
  }
  empty(line->batch);
  for (uint32_t i = 0; i < line->stage_count; i++)
    if (line->stages[i].out != NULL) empty(line->stages[i].out);
  return BB_LINE_DONE;
}

/* Moves up to BB_LINE_TURNS full batches down a straight line of components. BB_LINE_DONE when all was accepted; the last one's
 * position is in the source's batch. Otherwise 256 * stage + the status (its low byte) that this stage returned for the last
 * batch, 0 being the source; `moved` and `position` are those of the batch before. src/pipeline/line.ts goes on from there. */
EXPORT int32_t bb_run(struct bb_line *line) {
  busbar_batch_t *batch = line->batch;
  line->moved = 0;
  for (int turn = 0; turn < BB_LINE_TURNS; turn++) {
    int32_t result = run_once(line);
    if (result != BB_LINE_DONE || batch->position_length > sizeof line->position) return result;
    line->moved = batch->next_sequence - 1;
    line->position_length = batch->position_length;
    memcpy(line->position, batch->position, batch->position_length);
  }
  return BB_LINE_DONE;
}

/* Every other function: `offset` bytes into the component's table. */
EXPORT int32_t bb_call(struct bb_slot *slot, uint32_t call, uint32_t offset, void *argument) {
  void (*function)(void);
  int32_t status = BUSBAR_OK;
  memcpy(&function, (const uint8_t *)slot->table + offset, sizeof function);
  enter(slot, call, 0);
  switch (call) {
    case BB_CALL_CREATE:
      status = ((int32_t(*)(const busbar_context_t *, void **))function)(&slot->context, &slot->self);
      break;
    case BB_CALL_START:
    case BB_CALL_STOP:
    case BB_CALL_FLUSH:
      status = ((int32_t(*)(void *))function)(slot->self);
      break;
    case BB_CALL_DESTROY:
      ((void (*)(void *))function)(slot->self);
      break;
    case BB_CALL_RELEASE:
      ((void (*)(void *, void *))function)(slot->self, argument);
      break;
    default:
      status = ((int32_t(*)(void *, void *))function)(slot->self, argument);
  }
  return leave(slot, status);
}

/* ---- Host services ------------------------------------------------------------------------------------------------ */

static uint32_t index_of(const busbar_context_t *context) {
  return context == NULL || context->internal == NULL ? 0 : 1 + ((struct bb_slot *)context->internal)->index;
}

/* Ends bb_wait() if there is one. */
EXPORT void bb_interrupt(void) {
  uint64_t one = 1;
  if (__atomic_exchange_n(&shared.sleeping, 0, __ATOMIC_SEQ_CST) != 0 && write(wake_fd, &one, sizeof one) < 0) errno = 0;
}

static void wake(const busbar_context_t *context) {
  struct bb_slot *slot = context->internal;
  if (__atomic_exchange_n(&slot->woken, 1, __ATOMIC_SEQ_CST) == 0) bb_interrupt();
}

/* Claims the next slot of a queue whose slots start with a turn; null when it is full. */
static uint64_t *claim(uint64_t *head, uint8_t *slots, uint32_t slot_size, uint32_t slot_count, uint64_t *turn) {
  for (;;) {
    uint64_t ticket = LOAD(head), lap = ticket - ticket % slot_count;
    uint64_t *slot = (uint64_t *)(void *)(slots + (ticket % slot_count) * slot_size);
    uint64_t seen = LOAD(slot);
    if (seen != lap && LOAD(head) == ticket) return NULL;
    if (seen == lap && __atomic_compare_exchange_n(head, &ticket, ticket + 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
      *turn = lap + 1;
      return slot;
    }
  }
}

static uint32_t append(struct bb_log *slot, uint32_t used, const void *data, uint64_t length) {
  uint64_t room = sizeof slot->data - used;
  slot->truncated |= length > room;
  length = length > room ? room : length;
  if (length > 0) memcpy(slot->data + used, data, (size_t)length);
  return used + (uint32_t)length;
}

static void log_record(const busbar_context_t *context, const busbar_log_record_t *record) {
  uint64_t turn;
  struct timespec now;
  struct bb_log *slot;
  uint32_t used, end;
  if (record->level < shared.log_level) return;
  slot = (struct bb_log *)(void *)claim(&page->log_head, (uint8_t *)logs, sizeof *logs, BB_LOG_SLOTS, &turn);
  if (slot == NULL) {
    __atomic_fetch_add(&page->log_dropped, 1, __ATOMIC_RELAXED);
    return;
  }
  clock_gettime(CLOCK_REALTIME, &now);
  slot->timestamp = record->timestamp != 0 ? record->timestamp : (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
  slot->span_id = record->span_id;
  slot->parent_span_id = record->parent_span_id;
  slot->level = record->level;
  slot->component = index_of(context);
  slot->thread = (uint32_t)syscall(SYS_gettid);
  slot->truncated = 0;
  slot->field_count = 0;
  slot->target_length = used = append(slot, 0, record->target.data, record->target.length);
  end = append(slot, used, record->message.data, record->message.length);
  slot->message_length = end - used;
  for (uint32_t i = 0; i < record->field_count; i++) {
    const busbar_field_t *field = &record->fields[i];
    uint32_t sizes[3] = {(uint32_t)field->name.length, (uint32_t)field->value.length, field->type};
    if (field->name.length + field->value.length + sizeof sizes > sizeof slot->data - end) {
      slot->truncated = 1;
      continue;
    }
    end = append(slot, end, sizes, sizeof sizes);
    end = append(slot, end, field->name.data, field->name.length);
    end = append(slot, end, field->value.data, field->value.length);
    slot->field_count++;
  }
  STORE(&slot->turn, turn);
}

static struct bb_metric *find_metric(const busbar_context_t *context, busbar_string_t name, uint32_t kind) {
  uint32_t component = index_of(context), hash = 2166136261u + component * 31u + kind;
  if (name.length >= sizeof metrics->name) name.length = sizeof metrics->name - 1;
  for (uint64_t i = 0; i < name.length; i++) hash = (hash ^ (uint8_t)name.data[i]) * 16777619u;
  for (uint32_t probe = 0; probe < BB_METRIC_MAX; probe++) {
    struct bb_metric *metric = &metrics[(hash + probe) % BB_METRIC_MAX];
    uint32_t expected = 0;
    if (__atomic_compare_exchange_n(&metric->state, &expected, 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
      metric->kind = kind;
      metric->component = component;
      metric->name_length = (uint32_t)name.length;
      memcpy(metric->name, name.data, (size_t)name.length);
      STORE(&metric->state, 2);
      return metric;
    }
    while (LOAD(&metric->state) != 2) continue;
    if (metric->kind == kind && metric->component == component && metric->name_length == name.length &&
        memcmp(metric->name, name.data, (size_t)name.length) == 0)
      return metric;
  }
  __atomic_fetch_add(&page->metric_dropped, 1, __ATOMIC_RELAXED);
  return NULL;
}

static void observe(const busbar_context_t *context, busbar_string_t name, uint32_t kind, uint64_t add, double value) {
  struct bb_metric *metric = find_metric(context, name, kind);
  uint64_t seen, bits;
  double sum;
  if (metric == NULL) return;
  __atomic_fetch_add(&metric->count, add, __ATOMIC_RELAXED);
  if (kind == BB_HISTOGRAM) {
    memcpy(&bits, &value, sizeof bits);
    int bucket = value > 0 ? (int)(bits >> 52) - 990 : 0; /* from the biased exponent: bucket 33 begins at 1 */
    bucket = bucket < 0 ? 0 : bucket >= BB_METRIC_BUCKETS ? BB_METRIC_BUCKETS - 1 : bucket;
    __atomic_fetch_add(&metric->buckets[bucket], 1, __ATOMIC_RELAXED);
  }
  seen = __atomic_load_n(&metric->value, __ATOMIC_RELAXED);
  do {
    memcpy(&sum, &seen, sizeof sum);
    sum = kind == BB_GAUGE ? value : sum + value;
    memcpy(&bits, &sum, sizeof bits);
  } while (!__atomic_compare_exchange_n(&metric->value, &seen, bits, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

static void counter(const busbar_context_t *c, busbar_string_t name, uint64_t add) { observe(c, name, BB_COUNTER, add, 0); }
static void gauge(const busbar_context_t *c, busbar_string_t name, double value) { observe(c, name, BB_GAUGE, 0, value); }
static void histogram(const busbar_context_t *c, busbar_string_t name, double v) { observe(c, name, BB_HISTOGRAM, 1, v); }

static void complete(const busbar_context_t *context, uint64_t batch_id, int32_t status, uint32_t done, busbar_string_t message) {
  uint64_t turn;
  struct bb_completion *slot = (struct bb_completion *)(void *)claim(
      &shared.completion_head, (uint8_t *)shared.completions, sizeof *shared.completions, BB_COMPLETIONS, &turn);
  if (slot == NULL) return; /* only a plugin that completes what it was not given fills it: see BB_COMPLETIONS */
  slot->batch_id = batch_id;
  slot->component = index_of(context);
  slot->status = status;
  slot->done = done;
  slot->message_length = (uint32_t)(message.length < sizeof slot->message ? message.length : sizeof slot->message);
  if (slot->message_length > 0) memcpy(slot->message, message.data, slot->message_length);
  STORE(&slot->turn, turn);
  bb_interrupt();
}

static const void *extension(const char *id) {
  (void)id;
  return NULL;
}

static const busbar_host_t host = {
    .size = sizeof(busbar_host_t), .abi_major = BUSBAR_ABI_MAJOR, .abi_minor = BUSBAR_ABI_MINOR, .log_level = &shared.log_level,
    .log = log_record, .counter = counter, .gauge = gauge, .histogram = histogram, .wake = wake, .complete = complete,
    .extension = extension};

/* ---- Crashes ------------------------------------------------------------------------------------------------------ */

static uint32_t library_at(uint64_t address) {
  for (uint32_t i = 0; i < page->library_count && i < BB_LIBRARY_MAX; i++)
    if (address >= libraries[i].start && address < libraries[i].end) return i + 1;
  return 0;
}

/* The nearest plugin code on the stack above `top`; read through the kernel, since the stack may end anywhere. */
static uint32_t library_on_stack(uint64_t top) {
  uint64_t words[512];
  for (uint64_t at = top & ~(uint64_t)7, end = at + 65536; at < end;) {
    struct iovec to = {words, sizeof words}, from = {(void *)(uintptr_t)at, 4096 - (at & 4095)};
    ssize_t got = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
    if (got <= 0) return 0;
    for (ssize_t i = 0; i < got / 8; i++) {
      uint32_t library = library_at(words[i]);
      if (library != 0) return library;
    }
    at += (uint64_t)got;
  }
  return 0;
}

static void note_crash(uint32_t state, uint64_t pc, uint64_t stack) {
  page->crash_pc = pc;
  page->crash_thread = (uint32_t)syscall(SYS_gettid);
  page->crash_component = current == NULL ? 0 : current->index + 1;
  page->crash_library = library_at(pc);
  if (page->crash_library == 0 && page->crash_code > 0) {
    page->crash_library = library_on_stack(stack);
    page->crash_by_stack = page->crash_library != 0;
  }
  STORE(&page->crash_state, state);
}

static void on_signal(int signal, siginfo_t *info, void *context) {
  uint32_t none = BB_CRASH_NONE;
  uint64_t pc = 0, stack = (uint64_t)(uintptr_t)__builtin_frame_address(0);
  int sent = info->si_code <= 0;
#if defined(__x86_64__)
  pc = (uint64_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
  stack = (uint64_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__) && defined(__linux__)
  pc = ((ucontext_t *)context)->uc_mcontext.pc;
  stack = ((ucontext_t *)context)->uc_mcontext.sp;
#endif
  if (__atomic_compare_exchange_n(&page->crash_state, &none, BB_CRASH_WRITING, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
    int own = info->si_code <= 0 && info->si_pid == getpid(); /* abort() and raise() */
    page->crash_signal = signal;
    page->crash_code = own ? 1 : info->si_code;
    page->crash_sender = info->si_code <= 0 && !own ? (uint32_t)info->si_pid : 0;
    page->crash_address = info->si_code > 0 ? (uint64_t)(uintptr_t)info->si_addr : 0;
    note_crash(BB_CRASH_SIGNAL, pc, stack);
  }
  sigaction(signal, &previous[signal], NULL);
  /* Returning repeats a fault and hands it to the handler before; a signal that was sent must be sent again. */
  if (sent) {
    struct sigaction fatal = {.sa_handler = SIG_DFL};
    sigaction(signal, &fatal, NULL);
    raise(signal);
  }
}

static void on_exit_called(void) {
  uint32_t none = BB_CRASH_NONE;
  if (page->clean_exit != 0) return;
  if (!__atomic_compare_exchange_n(&page->crash_state, &none, BB_CRASH_WRITING, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return;
  page->crash_code = 1;
  note_crash(BB_CRASH_EXIT, 0, (uint64_t)(uintptr_t)__builtin_frame_address(0));
}

/* ---- For the cell ------------------------------------------------------------------------------------------------- */

/* Loads a library for all others to find its symbols. Null, or the loader's message. */
EXPORT const char *bb_preload(const char *path) { return dlopen(path, RTLD_NOW | RTLD_GLOBAL) == NULL ? dlerror() : NULL; }

/* Sleeps until bb_interrupt() or `timeout` ms. Called off the JavaScript thread, after shared.sleeping was set to 1. */
EXPORT int32_t bb_wait(int32_t timeout) {
  struct pollfd fd = {.fd = wake_fd, .events = POLLIN};
  uint64_t count;
  int ready = poll(&fd, 1, timeout);
  if (ready > 0 && read(wake_fd, &count, sizeof count) < 0) errno = 0;
  return ready;
}

EXPORT const busbar_host_t *bb_host(void) { return &host; }
EXPORT struct bb_shared *bb_shared(void) { return &shared; }
EXPORT void bb_log(const busbar_log_record_t *record) { log_record(NULL, record); }

/* Makes this process a cell: recorder, handlers, death with the host `parent`. 0, or an errno. */
EXPORT int32_t bb_init(struct bb_header *recorder, uint32_t parent, uint64_t descriptors) {
  static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  struct rlimit limit = {descriptors, descriptors};
  if (recorder->magic != BB_MAGIC) return EINVAL;
  page = recorder;
  logs = (struct bb_log *)(void *)((uint8_t *)recorder + recorder->log_at);
  metrics = (struct bb_metric *)(void *)((uint8_t *)recorder + recorder->metrics_at);
  libraries = (struct bb_library *)(void *)((uint8_t *)recorder + recorder->libraries_at);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (parent != 0 && (uint32_t)getppid() != parent) return ESRCH;
  wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd < 0) return errno;
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, &previous[signals[i]]);
  atexit(on_exit_called);
  setvbuf(stdout, NULL, _IONBF, 0); /* what a plugin prints right before a crash is not lost */
  return descriptors != 0 && setrlimit(RLIMIT_NOFILE, &limit) != 0 ? errno : 0;
}
