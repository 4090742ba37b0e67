/* Pushes batches through a component, and through one that does the least, and says how long that took. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance.h"

#define SAMPLES_MAX (1u << 20)
#define WARM_UP 20
#define BASELINE_BATCHES 2000

typedef struct bench {
  int64_t payload, batch, seconds, batches;
  arena_t *input, *output;
  busbar_batch_t *outputs[OUTPUTS_MAX];
  arena_t *arenas[OUTPUTS_MAX];
  uint64_t events, bytes, calls, elapsed;
  uint64_t *samples;
} bench_t;

typedef int (*step_t)(bench_t *bench, instance_t *i);

static void make_input(bench_t *bench) {
  uint64_t size = busbar_record_size(0, (uint64_t)bench->payload, 0);
  uint8_t *payload = malloc((size_t)bench->payload + 1);
  arena_t *arena = arena_new(size * (uint64_t)bench->batch, (uint32_t)bench->batch);
  busbar_event_t event = {
      .payload = payload, .payload_length = (uint32_t)bench->payload, .content_type = BUSBAR_CONTENT_TEXT, .timestamp = NOW};
  for (int64_t at = 0; at < bench->payload; at++) payload[at] = (char)('a' + at % 26);
  while (busbar_append(&arena->batch, &event)) {
  }
  arena_seal(arena);
  bench->input = arena;
  for (uint32_t n = 0; n < run.plan.outputs; n++) {
    bench->arenas[n] = arena_new((size + 64) * (uint64_t)bench->batch + 65536, (uint32_t)bench->batch * 4);
    bench->outputs[n] = &bench->arenas[n]->batch;
  }
  free(payload);
}

static void rewind_input(bench_t *bench) {
  bench->input->batch.cursor = 0;
  bench->input->batch.done = 0;
  bench->input->batch.id += 1;
}

/* One step: a call, or as many as one batch needs. 0 ends. */
static int step_process(bench_t *bench, instance_t *i) {
  const busbar_processor_t *processor = run.table;
  busbar_batch_t *batch = &bench->input->batch;
  int32_t status;
  rewind_input(bench);
  batch->out = bench->outputs;
  batch->out_count = run.plan.outputs;
  do {
    for (uint32_t n = 0; n < run.plan.outputs; n++) arena_reset(bench->arenas[n]);
    status = processor->process(i->self, batch);
  } while (status == BUSBAR_MORE);
  if (status != BUSBAR_OK) fail("process answered %s: %s", status_name(status), i->error);
  bench->events += batch->count;
  bench->bytes += batch->length;
  return 1;
}

static int step_write(bench_t *bench, instance_t *i) {
  const busbar_reaction_t *reaction = run.table;
  busbar_batch_t *batch = &bench->input->batch;
  completion_t completion = {.status = BUSBAR_OK};
  int32_t status;
  rewind_input(bench);
  i->completion_count = 0;
  while ((status = reaction->write(i->self, batch)) == BUSBAR_AGAIN) wait_wake(i, wakes_of(i), 1);
  if (status == BUSBAR_PENDING && wait_completion(i, batch->id, 5000, &completion)) status = completion.status;
  if (status != BUSBAR_OK) fail("write answered %s: %s", status_name(status), i->error);
  bench->events += batch->count;
  bench->bytes += batch->length;
  return 1;
}

static int step_append(bench_t *bench, instance_t *i) {
  const busbar_source_t *source = run.table;
  const busbar_bootstrap_t *bootstrap = run.table;
  busbar_batch_t *batch = &bench->output->batch;
  uint64_t seen = wakes_of(i);
  int32_t status;
  arena_reset(bench->output);
  batch->next_sequence = bench->events + 1;
  status = run.plan.kind == BUSBAR_SOURCE ? source->poll(i->self, batch) : bootstrap->fetch(i->self, batch);
  if (status < 0) fail("%s answered %s: %s", run.plan.kind == BUSBAR_SOURCE ? "poll" : "fetch", status_name(status), i->error);
  bench->events += batch->count;
  bench->bytes += batch->length;
  if (batch->loan != NULL) source->release(i->self, batch->loan);
  if (batch->count == 0 && batch->required > 0 && arena_grow(&bench->output)) return 1;
  if (status == BUSBAR_AGAIN && !world_feed(i->world)) return wait_wake(i, seen, 1000);
  return status != BUSBAR_DONE;
}

static int step_call(bench_t *bench, instance_t *i) {
  const busbar_service_t *service = run.table;
  const busbar_hook_t *hook = run.table;
  busbar_call_t call = {.size = sizeof call, .id = bench->events + 1, .method = {"POST", 4}, .path = {"/", 1}};
  int32_t status = BUSBAR_OK;
  call.error = i->error;
  call.error_capacity = BUSBAR_ERROR_CAPACITY;
  call.body = (busbar_bytes_t){bench->input->batch.data + sizeof(busbar_record_t), (uint64_t)bench->payload};
  if (run.plan.kind == BUSBAR_SERVICE) status = service->execute(i->self, &call);
  else if (offers(OP_HANDLE)) status = hook->handle(i->self, &call);
  if (status < 0) fail("The call answered %s: %s", status_name(status), i->error);
  bench->events += 1;
  bench->bytes += (uint64_t)bench->payload;
  return 1;
}

/* The least that a processor could do: looks at every record. */
static int step_nothing(bench_t *bench, instance_t *i) {
  busbar_iterator_t it = busbar_iterate(&bench->input->batch);
  (void)i;
  rewind_input(bench);
  while (busbar_next(&it) != NULL) {
  }
  bench->events += it.index;
  return 1;
}

static void measure(bench_t *bench, instance_t *i, step_t step) {
  uint64_t begun = nanoseconds(), now = begun, end = begun + (uint64_t)bench->seconds * 1000000000u;
  int more = 1;
  bench->events = bench->bytes = bench->calls = 0;
  while (more && (bench->batches > 0 ? bench->calls < (uint64_t)bench->batches : now < end)) {
    uint64_t before = now;
    more = step(bench, i);
    now = nanoseconds();
    bench->samples[bench->calls++ % SAMPLES_MAX] = now - before;
  }
  bench->elapsed = now - begun;
}

static int by_size(const void *a, const void *b) {
  uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
  return left < right ? -1 : left > right;
}

static double per_event(const bench_t *bench) { return bench->events == 0 ? 0 : (double)bench->elapsed / (double)bench->events; }

static void write_bench(FILE *file, const bench_t *bench, double baseline) {
  uint64_t count = bench->calls < SAMPLES_MAX ? bench->calls : SAMPLES_MAX;
  double seconds = (double)bench->elapsed / 1e9;
  static const struct {
    const char *name;
    double part;
  } PARTS[] = {{"p50", .5}, {"p90", .9}, {"p99", .99}, {"p999", .999}, {"max", 1}};
  qsort(bench->samples, count, sizeof *bench->samples, by_size);
  fprintf(file, "{\"status\":\"pass\",\"message\":\"\",\"events\":%llu,\"bytes\":%llu,\"calls\":%llu,\"seconds\":%.6f,",
          (unsigned long long)bench->events, (unsigned long long)bench->bytes, (unsigned long long)bench->calls, seconds);
  fprintf(file, "\"ns_per_event\":%.3f,\"events_per_second\":%.0f,\"bytes_per_second\":%.0f,\"call_ns\":{", per_event(bench),
          seconds > 0 ? (double)bench->events / seconds : 0, seconds > 0 ? (double)bench->bytes / seconds : 0);
  for (int n = 0; n < 5; n++) {
    uint64_t at = (uint64_t)((double)count * PARTS[n].part);
    fprintf(file, "%s\"%s\":%llu", n > 0 ? "," : "", PARTS[n].name,
            (unsigned long long)(count == 0 ? 0 : bench->samples[at < count ? at : count - 1]));
  }
  fprintf(file, "},\"baseline\":{\"ns_per_event\":%.3f,\"events_per_second\":%.0f}}\n", baseline,
          baseline > 0 ? 1e9 / baseline : 0);
}

/* In a process of its own, as the checks are: a crash of the plugin is a result. */
static _Noreturn void child(bench_t *bench, const char *result_path) {
  static const step_t STEPS[] = {NULL, step_append, step_process, step_write, step_append, step_call, step_call};
  step_t step = STEPS[run.plan.kind];
  int64_t batches = bench->batches;
  double baseline;
  instance_t *i;
  FILE *file;
  host_log_level = BUSBAR_LOG_INFO;
  bench->samples = calloc(SAMPLES_MAX, sizeof *bench->samples);
  if (bench->samples == NULL) fail("Out of memory");
  make_input(bench);
  bench->output =
      arena_new((uint64_t)bench->batch * (busbar_record_size(0, (uint64_t)bench->payload, 0) + 64) + 65536, (uint32_t)bench->batch);
  i = instance_running(world_new());
  for (int n = 0; n < WARM_UP && run.plan.kind != BUSBAR_SOURCE && run.plan.kind != BUSBAR_BOOTSTRAP; n++) step(bench, i);
  bench->batches = BASELINE_BATCHES;
  measure(bench, i, step_nothing);
  baseline = per_event(bench);
  bench->batches = batches;
  measure(bench, i, step);
  while (run.plan.kind == BUSBAR_REACTION && offers(OP_FLUSH) && invoke(i, OP_FLUSH, NULL) == BUSBAR_AGAIN) nap(1);
  instance_stop(i);
  instance_free(i);
  file = fopen(result_path, "we");
  if (file == NULL) fail("Cannot write \"%s\": %s", result_path, strerror(errno));
  write_bench(file, bench, baseline);
  if (fclose(file) != 0) fail("Cannot write \"%s\": %s", result_path, strerror(errno));
  run.shared->verdict = VERDICT_PASS;
  _exit(0);
}

static int64_t option(const char *name, int64_t otherwise) {
  busbar_json_integer(busbar_json_get(run.plan.bench, name), &otherwise);
  return otherwise;
}

int run_bench(const char *result_path) {
  bench_t bench = {.payload = option("payload", 100),
                   .batch = option("batch", 1024),
                   .seconds = option("seconds", 1),
                   .batches = option("batches", 0)};
  const char *signal;
  int status = 0;
  FILE *file;
  pid_t pid;
  if (bench.batch < 1 || bench.batch > UINT32_MAX / 4 || bench.payload < 0 || bench.payload > 1 << 30 || bench.seconds < 0) {
    fprintf(stderr, "Cannot read the plan: bench: out of range\n");
    return 2;
  }
  snprintf(run.root, sizeof run.root, "%s", run.plan.work);
  run.shared = mmap(NULL, sizeof *run.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (run.shared == MAP_FAILED) return 1;
  pid = fork();
  if (pid == 0) child(&bench, result_path);
  while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  judge(status, 0, &signal);
  if (run.shared->verdict == VERDICT_PASS) return 0;
  file = fopen(result_path, "we");
  if (file == NULL) {
    fprintf(stderr, "Cannot write \"%s\": %s\n", result_path, strerror(errno));
    return 1;
  }
  fputs("{\"status\":\"fail\",\"message\":", file);
  write_json_string(file, run.shared->message);
  fputs("}\n", file);
  return fclose(file) == 0 ? 0 : 1;
}
