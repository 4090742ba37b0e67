/*
 * host.c: what busbar is measured against. The same plugins, driven by a C program through the same header, as tightly as
 * a sensible C program would: one arena for each step, used again for every batch.
 *
 *   host COUNT PAYLOAD BATCH MAX_BYTES RESULT_FILE SOURCE.so SINK.so [PASS.so]
 *   host_static COUNT PAYLOAD BATCH MAX_BYTES RESULT_FILE        with source and sink linked in (-DBENCH_STATIC)
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

#include "busbar_sdk.h"

#define ARENA_ALIGN 64u

typedef struct instance {
  const char *name;
  const void *table;
  void *self;
  busbar_context_t context;
  char error[BUSBAR_ERROR_CAPACITY];
} instance_t;

static volatile int32_t log_level = BUSBAR_LOG_WARNING;

static void host_log(const busbar_context_t *context, const busbar_log_record_t *record) {
  (void)context;
  fprintf(stderr, "%.*s\n", (int)record->message.length, record->message.data);
}
static void host_counter(const busbar_context_t *context, busbar_string_t name, uint64_t add) {
  (void)context, (void)name, (void)add;
}
static void host_value(const busbar_context_t *context, busbar_string_t name, double value) {
  (void)context, (void)name, (void)value;
}
static void host_wake(const busbar_context_t *context) { (void)context; }
static void host_complete(const busbar_context_t *context, uint64_t batch_id, int32_t status, uint32_t done,
                          busbar_string_t message) {
  (void)context, (void)batch_id, (void)status, (void)done, (void)message;
}
static const void *host_extension(const char *id) {
  (void)id;
  return NULL;
}

static const busbar_host_t host = {
    .size = sizeof(busbar_host_t),
    .abi_major = BUSBAR_ABI_MAJOR,
    .abi_minor = BUSBAR_ABI_MINOR,
    .log_level = &log_level,
    .log = host_log,
    .counter = host_counter,
    .gauge = host_value,
    .histogram = host_value,
    .wake = host_wake,
    .complete = host_complete,
    .extension = host_extension,
};

static void fail(const char *what, const char *why) {
  fprintf(stderr, "Cannot %s: %s\n", what, why);
  exit(1);
}

static void check(const instance_t *instance, const char *call, int32_t status) {
  if (status == BUSBAR_OK) return;
  fprintf(stderr, "Cannot go on: %s of \"%s\" answered %d: %s\n", call, instance->name, status, instance->error);
  exit(1);
}

#ifdef BENCH_STATIC
const busbar_plugin_t *bench_source_plugin(const busbar_host_t *host);
const busbar_plugin_t *bench_sink_plugin(const busbar_host_t *host);
#else
static busbar_plugin_function load(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  void *symbol;
  busbar_plugin_function function;
  if (library == NULL) fail("load a plugin", dlerror());
  symbol = dlsym(library, "busbar_plugin");
  if (symbol == NULL) fail("load a plugin", dlerror());
  memcpy(&function, &symbol, sizeof function);
  return function;
}
#endif

static void open_instance(instance_t *instance, const char *name, busbar_plugin_function function, const char *config) {
  const busbar_plugin_t *plugin = function(&host);
  const busbar_lifecycle_t *lifecycle;
  if (plugin == NULL || plugin->component_count != 1) fail("use a plugin", "it does not hold one component");
  memset(instance, 0, sizeof *instance);
  instance->name = name;
  instance->table = plugin->components[0]->table;
  instance->context.size = sizeof instance->context;
  instance->context.host = &host;
  instance->context.pipeline_id = busbar_string("bench");
  instance->context.component_id = busbar_string(name);
  instance->context.config = busbar_string(config);
  instance->context.error = instance->error;
  instance->context.error_capacity = sizeof instance->error;
  instance->context.partition_count = 1;
  lifecycle = instance->table;
  check(instance, "create", lifecycle->create(&instance->context, &instance->self));
  if (lifecycle->start != NULL) check(instance, "start", lifecycle->start(instance->self));
}

static void close_instance(instance_t *instance) {
  const busbar_lifecycle_t *lifecycle = instance->table;
  if (lifecycle->stop != NULL) check(instance, "stop", lifecycle->stop(instance->self));
  lifecycle->destroy(instance->self);
}

static void make_batch(busbar_batch_t *batch, uint64_t max_bytes, uint32_t limit) {
  memset(batch, 0, sizeof *batch);
  batch->size = sizeof *batch;
  batch->capacity = max_bytes & ~(uint64_t)(ARENA_ALIGN - 1);
  batch->limit = limit;
  batch->next_sequence = 1;
  batch->position_capacity = BUSBAR_POSITION_MAX;
  batch->data = aligned_alloc(ARENA_ALIGN, batch->capacity);
  batch->position = malloc(batch->position_capacity);
  if (batch->data == NULL || batch->position == NULL) fail("make a batch", strerror(errno));
}

static void free_batch(busbar_batch_t *batch) {
  free(batch->data);
  free(batch->position);
}

static void empty(busbar_batch_t *batch) {
  batch->length = 0;
  batch->count = 0;
  batch->required = 0;
}

static void write_batch(const instance_t *sink, busbar_batch_t *batch) {
  const busbar_reaction_t *reaction = sink->table;
  batch->done = 0;
  batch->id += 1;
  check(sink, "write", reaction->write(sink->self, batch));
}

static void pass_batch(const instance_t *pass, const instance_t *sink, busbar_batch_t *batch) {
  const busbar_processor_t *processor = pass->table;
  int32_t status;
  batch->cursor = 0;
  do {
    busbar_batch_t *out = batch->out[0];
    empty(out);
    batch->done = 0;
    status = processor->process(pass->self, batch);
    if (status != BUSBAR_MORE) check(pass, "process", status);
    if (out->count > 0) write_batch(sink, out);
  } while (status == BUSBAR_MORE);
}

/* Moves everything; `pass` may be null. */
static void run(const instance_t *source, const instance_t *pass, const instance_t *sink, busbar_batch_t *batch) {
  const busbar_source_t *table = source->table;
  for (;;) {
    int32_t status;
    empty(batch);
    batch->position_length = 0;
    status = table->poll(source->self, batch);
    if (status == BUSBAR_DONE) return;
    check(source, "poll", status);
    if (batch->count == 0) fail("go on", "the source appended nothing, its payload is larger than MAX_BYTES");
    if (pass != NULL) {
      pass_batch(pass, sink, batch);
    } else {
      write_batch(sink, batch);
    }
  }
}

int main(int argc, char **argv) {
  static instance_t source, sink, pass;
  char source_config[256], sink_config[4608];
  busbar_batch_t batch, passed;
  busbar_batch_t *out[1] = {&passed};
  busbar_plugin_function make_source, make_sink, make_pass = NULL;
#ifdef BENCH_STATIC
  if (argc != 6) fail("run", "use host_static COUNT PAYLOAD BATCH MAX_BYTES RESULT_FILE");
  make_source = bench_source_plugin;
  make_sink = bench_sink_plugin;
#else
  if (argc != 8 && argc != 9) {
    fail("run", "use host COUNT PAYLOAD BATCH MAX_BYTES RESULT_FILE SOURCE.so SINK.so [PASS.so]");
  }
  make_source = load(argv[6]);
  make_sink = load(argv[7]);
  if (argc == 9) make_pass = load(argv[8]);
#endif
  snprintf(source_config, sizeof source_config, "{\"count\":%s,\"payload\":%s,\"seed\":1}", argv[1], argv[2]);
  snprintf(sink_config, sizeof sink_config, "{\"count\":%s,\"result_file\":\"%s\"}", argv[1], argv[5]);
  make_batch(&batch, strtoull(argv[4], NULL, 10), (uint32_t)strtoul(argv[3], NULL, 10));
  make_batch(&passed, batch.capacity, batch.limit);
  batch.out = out;
  batch.out_count = 1;
  open_instance(&sink, "sink", make_sink, sink_config);
  if (make_pass != NULL) open_instance(&pass, "pass", make_pass, "{}");
  open_instance(&source, "source", make_source, source_config);
  run(&source, make_pass == NULL ? NULL : &pass, &sink, &batch);
  close_instance(&source);
  if (make_pass != NULL) close_instance(&pass);
  close_instance(&sink);
  free_batch(&passed);
  free_batch(&batch);
  return 0;
}
