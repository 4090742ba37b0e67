/* Instances of the component, and every call into the plugin. */
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conformance.h"

#define S(status) (1u << ((status) + 3))
#define LIFECYCLE (S(BUSBAR_OK) | S(BUSBAR_FAILED) | S(BUSBAR_FATAL))
#define CALL (S(BUSBAR_OK) | S(BUSBAR_INVALID) | S(BUSBAR_FAILED) | S(BUSBAR_FATAL))

/* Where a function stands in its table, and what it may answer. */
static const struct {
  const char *name;
  size_t offset;
  uint32_t statuses;
} OPERATIONS[OPS] = {
    [OP_LOAD] = {"dlopen", 0, 0},
    [OP_ROOT] = {"busbar_plugin", 0, 0},
    [OP_CREATE] = {"create", offsetof(busbar_lifecycle_t, create), LIFECYCLE},
    [OP_RESTORE] = {"restore", offsetof(busbar_lifecycle_t, restore), S(BUSBAR_OK) | S(BUSBAR_INVALID) | S(BUSBAR_FATAL)},
    [OP_START] = {"start", offsetof(busbar_lifecycle_t, start), LIFECYCLE},
    [OP_STOP] = {"stop", offsetof(busbar_lifecycle_t, stop), S(BUSBAR_OK) | S(BUSBAR_FAILED)},
    [OP_SAVE] = {"save", offsetof(busbar_lifecycle_t, save), LIFECYCLE},
    [OP_DESTROY] = {"destroy", offsetof(busbar_lifecycle_t, destroy), S(BUSBAR_OK)},
    [OP_HEALTH] = {"health", offsetof(busbar_lifecycle_t, health), S(BUSBAR_OK) | S(BUSBAR_FAILED)},
    [OP_POLL] = {"poll", offsetof(busbar_source_t, poll), LIFECYCLE | S(BUSBAR_AGAIN) | S(BUSBAR_DONE)},
    [OP_COMMIT] = {"commit", offsetof(busbar_source_t, commit), S(BUSBAR_OK) | S(BUSBAR_FAILED)},
    [OP_RELEASE] = {"release", offsetof(busbar_source_t, release), S(BUSBAR_OK)},
    [OP_PROCESS] = {"process", offsetof(busbar_processor_t, process), CALL | S(BUSBAR_MORE)},
    [OP_TICK] = {"tick", offsetof(busbar_processor_t, tick), LIFECYCLE | S(BUSBAR_MORE)},
    [OP_WRITE] = {"write", offsetof(busbar_reaction_t, write), CALL | S(BUSBAR_AGAIN) | S(BUSBAR_PENDING)},
    [OP_FLUSH] = {"flush", offsetof(busbar_reaction_t, flush), LIFECYCLE | S(BUSBAR_AGAIN)},
    [OP_FETCH] = {"fetch", offsetof(busbar_bootstrap_t, fetch), LIFECYCLE | S(BUSBAR_MORE) | S(BUSBAR_DONE) | S(BUSBAR_AGAIN)},
    [OP_EXECUTE] = {"execute", offsetof(busbar_service_t, execute), CALL},
    [OP_BEFORE] = {"before_request", offsetof(busbar_hook_t, before_request), CALL | S(BUSBAR_DONE)},
    [OP_HANDLE] = {"handle", offsetof(busbar_hook_t, handle), CALL | S(BUSBAR_DONE)},
    [OP_AFTER] = {"after_response", offsetof(busbar_hook_t, after_response), CALL | S(BUSBAR_DONE)},
};

const char *op_name(enum op op) { return OPERATIONS[op].name; }

const char *status_name(int32_t status) {
  static _Thread_local char text[40];
  static const char *const NAMES[] = {"FATAL", "INVALID", "FAILED", "OK", "AGAIN", "MORE", "DONE", "PENDING"};
  if (status >= BUSBAR_FATAL && status <= BUSBAR_PENDING) return NAMES[status + 3];
  snprintf(text, sizeof text, "%d, which is no status", status);
  return text;
}

/* ---- Loading ------------------------------------------------------------------------------------------------------ */

void plugin_load(void) {
  busbar_plugin_function function;
  void *library, *symbol;
  if (run.plugin != NULL) return;
  run.shared->call = op_name(OP_LOAD);
  library = dlopen(run.plan.library, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) fail("Cannot load it: %s", dlerror());
  run.shared->call = op_name(OP_ROOT);
  symbol = dlsym(library, "busbar_plugin");
  if (symbol == NULL) fail("Cannot load it: busbar_plugin is not exported");
  memcpy(&function, &symbol, sizeof function);
  run.plugin = function(&conformance_host);
  run.shared->call = NULL;
  if (run.plugin == NULL) fail("busbar_plugin refused to be loaded: it returned null");
  for (uint32_t n = 0; n < run.plugin->component_count; n++) {
    const busbar_component_t *component = run.plugin->components[n];
    if (component->kind == run.plan.kind && strcmp(component->name, run.plan.component) == 0) run.table = component->table;
  }
  if (run.table == NULL) fail("The root table has no %s \"%s\"", kind_name(run.plan.kind), run.plan.component);
}

static size_t offset_of(enum op op) {
  return op == OP_TICK && run.plan.kind == BUSBAR_REACTION ? offsetof(busbar_reaction_t, tick) : OPERATIONS[op].offset;
}

int offers(enum op op) {
  const busbar_lifecycle_t *lifecycle;
  void (*function)(void);
  plugin_load();
  lifecycle = run.table;
  if (lifecycle->size < offset_of(op) + sizeof function) return 0;
  memcpy(&function, (const uint8_t *)run.table + offset_of(op), sizeof function);
  return function != NULL;
}

/* ---- Calls -------------------------------------------------------------------------------------------------------- */

typedef struct call {
  instance_t *i;
  enum op op;
  void *argument;
  int32_t status;
} call_t;

static void *perform(void *data) {
  call_t *call = data;
  instance_t *i = call->i;
  const busbar_lifecycle_t *lifecycle = run.table;
  const busbar_source_t *source = run.table;
  union {
    int32_t (*one)(void *);
    int32_t (*two)(void *, void *);
  } function;
  call->status = BUSBAR_OK;
  switch (call->op) {
    case OP_CREATE:
      call->status = lifecycle->create(&i->context, &i->self);
      break;
    case OP_DESTROY:
      lifecycle->destroy(i->self);
      break;
    case OP_RELEASE:
      source->release(i->self, call->argument);
      break;
    case OP_START:
    case OP_STOP:
    case OP_FLUSH:
      memcpy(&function, (const uint8_t *)run.table + offset_of(call->op), sizeof function);
      call->status = function.one(i->self);
      break;
    default:
      memcpy(&function, (const uint8_t *)run.table + offset_of(call->op), sizeof function);
      call->status = function.two(i->self, call->argument);
  }
  return NULL;
}

static void check_answer(const char *error, enum op op, int32_t status) {
  size_t length = strnlen(error, BUSBAR_ERROR_CAPACITY);
  if (status < BUSBAR_FATAL || status > BUSBAR_PENDING || (OPERATIONS[op].statuses & S(status)) == 0)
    fault(FAULT_STATUS, "%s answered %s, which it must not", op_name(op), status_name(status));
  if (length == BUSBAR_ERROR_CAPACITY)
    fault(FAULT_MESSAGE, "The message of %s does not end within %u bytes", op_name(op), BUSBAR_ERROR_CAPACITY);
  if (status < 0 && length == 0 && op != OP_HEALTH)
    fault(FAULT_MESSAGE, "%s answered %s without a message", op_name(op), status_name(status));
}

/* Where the message of a call belongs, made empty: requests have a buffer of their own. */
static const char *error_of(instance_t *i, enum op op, void *argument) {
  static _Thread_local char own[BUSBAR_ERROR_CAPACITY + 64];
  busbar_call_t *request = argument;
  if (op < OP_EXECUTE) {
    i->error[0] = 0;
    return i->error;
  }
  own[0] = 0;
  request->error = own;
  request->error_capacity = BUSBAR_ERROR_CAPACITY;
  return own;
}

int32_t invoke(instance_t *i, enum op op, void *argument) {
  call_t call = {i, op, argument, BUSBAR_OK};
  const char *error = error_of(i, op, argument);
  uint64_t begun, took;
  pthread_t thread;
  run.shared->call = op_name(op);
  begun = nanoseconds();
  if (!run.new_thread) {
    perform(&call);
  } else {
    if (pthread_create(&thread, NULL, perform, &call) != 0) fail("Cannot check: no more threads");
    pthread_join(thread, NULL);
  }
  took = nanoseconds() - begun;
  run.shared->call = NULL;
  if (took > run.slowest[op]) run.slowest[op] = took;
  if (op != OP_DESTROY && op != OP_RELEASE) check_answer(error, op, call.status);
  return call.status;
}

/* ---- Instances ---------------------------------------------------------------------------------------------------- */

instance_t *instance_new(world_t *world, const char *config, size_t length) {
  instance_t *i = calloc(1, sizeof *i);
  pthread_condattr_t clock;
  plugin_load();
  if (i == NULL) fail("Cannot check: out of memory");
  if (config == NULL) config = run.plan.config, length = run.plan.config_length;
  i->world = world;
  i->config = world_text(world, config, &length);
  pthread_mutex_init(&i->lock, NULL);
  pthread_condattr_init(&clock);
  pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
  pthread_cond_init(&i->changed, &clock);
  i->next_sequence = i->next_batch = 1;
  i->acknowledged = (busbar_acknowledged_t){.source_id = {"input", 5}, .sequence = 0};
  i->context = (busbar_context_t){
      .size = sizeof i->context,
      .host = &conformance_host,
      .pipeline_id = {"conformance", 11},
      .component_id = busbar_string(run.plan.component),
      .component = busbar_string(run.plan.component),
      .config = {i->config, length},
      .plugin_directory = busbar_string(run.plan.folder),
      .data_directory = busbar_string(world->data),
      .error = i->error,
      .error_capacity = BUSBAR_ERROR_CAPACITY,
      .partition_count = 1,
  };
  return i;
}

void instance_create(instance_t *i) {
  int32_t status = invoke(i, OP_CREATE, NULL);
  if (status != BUSBAR_OK) fail("create answered %s to the working config: %s", status_name(status), i->error);
  if (i->self == NULL) fail("create answered OK without an instance");
  i->created = 1;
}

int32_t instance_try_start(instance_t *i) {
  int32_t status = BUSBAR_OK;
  i->context.acknowledged = &i->acknowledged;
  i->context.acknowledged_count = run.plan.kind == BUSBAR_SOURCE ? 0 : 1;
  i->started = 1;
  if (offers(OP_START)) status = invoke(i, OP_START, NULL);
  i->started = status == BUSBAR_OK;
  return status;
}

void instance_start(instance_t *i) {
  int32_t status = instance_try_start(i);
  if (status != BUSBAR_OK) fail("start answered %s: %s", status_name(status), i->error);
}

void instance_stop(instance_t *i) {
  int32_t status = BUSBAR_OK;
  if (offers(OP_STOP)) status = invoke(i, OP_STOP, NULL);
  pthread_mutex_lock(&i->lock);
  i->started = 0;
  pthread_mutex_unlock(&i->lock);
  if (status < 0) fail("stop answered %s: %s", status_name(status), i->error);
}

instance_t *instance_running(world_t *world) {
  instance_t *i = instance_new(world, NULL, 0);
  instance_create(i);
  instance_start(i);
  return i;
}

void instance_free(instance_t *i) {
  if (i->created) invoke(i, OP_DESTROY, NULL);
  pthread_mutex_destroy(&i->lock);
  pthread_cond_destroy(&i->changed);
  free(i->position);
  free(i->config);
  free(i);
}

uint8_t *instance_save(instance_t *i, uint32_t *version, uint64_t *length) {
  busbar_state_t state = {.size = sizeof state};
  uint8_t *copy;
  *length = 0;
  *version = 0;
  if (!offers(OP_SAVE) || invoke(i, OP_SAVE, &state) != BUSBAR_OK) return NULL;
  if (state.data.length > 0 && state.data.data == NULL) fail("save gave %llu bytes at null", (unsigned long long)state.data.length);
  copy = malloc(state.data.length + 1);
  if (copy == NULL) fail("save gave %llu bytes", (unsigned long long)state.data.length);
  if (state.data.length > 0) memcpy(copy, state.data.data, state.data.length);
  *version = state.version;
  *length = state.data.length;
  return copy;
}

int32_t instance_restore(instance_t *i, const void *data, uint64_t length, uint32_t version) {
  /* Of exactly this size, so that a memory checker sees reads behind it; gone after the call. */
  uint8_t *copy = malloc(length > 0 ? length : 1);
  busbar_state_t state = {.size = sizeof state, .version = version, .data = {length > 0 ? copy : NULL, length}};
  int32_t status;
  if (copy == NULL) fail("Cannot check: out of memory");
  if (length > 0) memcpy(copy, data, length);
  status = invoke(i, OP_RESTORE, &state);
  memset(copy, 0xdd, length > 0 ? length : 1);
  free(copy);
  return status;
}

void instance_position(instance_t *i, const void *position, uint64_t length) {
  uint8_t *copy = malloc(length > 0 ? length : 1);
  if (copy == NULL) fail("Cannot check: out of memory");
  if (length > 0) memcpy(copy, position, length);
  free(i->position);
  i->position = copy;
  i->context.position = (busbar_bytes_t){length > 0 ? copy : NULL, length};
}
