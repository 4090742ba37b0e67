/* busbar_test_calls.h: the part of busbar_test.h for the calls that need no batch of input: commit, release, tick, fetch, save, restore,
 * execute and those of hooks. Included by busbar_test.h only.         SPDX-License-Identifier: Apache-2.0 */
#ifndef BUSBAR_TEST_CALLS_H
#define BUSBAR_TEST_CALLS_H

/* Whether the component's table reaches as far as `function` and has it. */
#define TEST_HAS(type, c, function)                                                                                     \
  ((c)->lifecycle->size >= offsetof(type, function) + sizeof(((const type *)(c)->table)->function) &&                   \
   ((const type *)(c)->table)->function != NULL)

/* ---- Sources ---------------------------------------------------------------------------------------------------------- */

/* Where a source goes on; before test_start(). `position` must outlive the component; it may be a batch's, copied. `next_sequence` is
 * what the next event should have. */
static TEST_UNUSED void test_resume(test_component_t *c, const void *position, uint64_t length, uint64_t next_sequence) {
  c->context.position.data = (const uint8_t *)position;
  c->context.position.length = length;
  c->next_sequence = next_sequence;
}

/* Says that everything up to the position is finished. OK where the source does not offer commit. */
static TEST_UNUSED int32_t test_commit(test_component_t *c, const void *position, uint64_t length) {
  busbar_bytes_t bytes = {(const uint8_t *)position, length};
  int32_t status = BUSBAR_OK;
  c->error[0] = 0;
  if (TEST_HAS(busbar_source_t, c, commit)) status = ((const busbar_source_t *)c->table)->commit(c->self, &bytes);
  test_check_error(c, status);
  if (status != BUSBAR_OK && status != BUSBAR_FAILED) FAIL("commit returned %s", test_status(status));
  return status;
}

/* Gives the loan of a polled batch back, if it has one; the batch is then empty. */
static TEST_UNUSED void test_release(test_component_t *c, test_batch_t *b) {
  void *loan = b->batch.loan;
  if (loan == NULL) return;
  if (!TEST_HAS(busbar_source_t, c, release)) FAIL("a source that lends has no release");
  test_batch_reset(b);
  ((const busbar_source_t *)c->table)->release(c->self, loan);
}

/* ---- Processors and reactions ----------------------------------------------------------------------------------------- */

/* Calls tick at `now` nanoseconds with `flags` (BUSBAR_BATCH_DRAIN) after emptying the outputs, which are checked; a reaction has none.
 * OK where the component does not offer tick. */
static TEST_UNUSED int32_t test_tick(test_component_t *c, int64_t now, uint32_t flags, test_batch_t **out, uint32_t out_count) {
  busbar_batch_t batch, *outputs[64];
  int32_t status = BUSBAR_OK;
  uint32_t i, written = 0;
  memset(&batch, 0, sizeof batch);
  batch.size = (uint32_t)sizeof batch;
  batch.flags = flags;
  batch.now = now;
  for (i = 0; i < out_count; i++) {
    test_batch_reset(out[i]);
    outputs[i] = &out[i]->batch;
  }
  batch.out = out_count > 0 ? outputs : NULL;
  batch.out_count = out_count;
  c->error[0] = 0;
  if (c->kind == BUSBAR_PROCESSOR) {
    if (TEST_HAS(busbar_processor_t, c, tick)) status = ((const busbar_processor_t *)c->table)->tick(c->self, &batch);
  } else if (TEST_HAS(busbar_reaction_t, c, tick)) {
    status = ((const busbar_reaction_t *)c->table)->tick(c->self, &batch);
  }
  test_check_error(c, status);
  if (status != BUSBAR_OK && status != BUSBAR_FAILED && status != BUSBAR_FATAL && !(status == BUSBAR_MORE && out_count > 0))
    FAIL("tick returned %s", test_status(status));
  for (i = 0; i < out_count; i++) {
    test_batch_check(out[i]);
    written += out[i]->batch.count + (out[i]->batch.required > 0);
  }
  if (status == BUSBAR_MORE && written == 0) FAIL("tick returned MORE without having done anything");
  return status;
}

/* ---- States ----------------------------------------------------------------------------------------------------------- */

typedef struct test_state {
  int32_t status; /* what save returned */
  uint32_t version;
  uint8_t *data; /* a copy; test_state_free() */
  uint64_t length;
} test_state_t;

/* Calls save and copies what it gave. Fails the test where the component does not offer it. */
static TEST_UNUSED test_state_t test_save(test_component_t *c) {
  busbar_state_t state;
  test_state_t saved;
  memset(&state, 0, sizeof state);
  memset(&saved, 0, sizeof saved);
  state.size = (uint32_t)sizeof state;
  if (c->lifecycle->save == NULL) FAIL("the component has no save");
  c->error[0] = 0;
  saved.status = c->lifecycle->save(c->self, &state);
  test_check_error(c, saved.status);
  if (saved.status != BUSBAR_OK && saved.status != BUSBAR_FAILED && saved.status != BUSBAR_FATAL)
    FAIL("save returned %s", test_status(saved.status));
  if (saved.status != BUSBAR_OK) return saved;
  saved.version = state.version;
  saved.length = state.data.length;
  saved.data = (uint8_t *)malloc((size_t)state.data.length + 1);
  if (state.data.length > 0) memcpy(saved.data, state.data.data, (size_t)state.data.length);
  return saved;
}

static TEST_UNUSED void test_state_free(test_state_t *state) {
  free(state->data);
  state->data = NULL;
}

/* Calls restore with a copy of these bytes that is gone afterwards; between test_create() and test_start(). */
static TEST_UNUSED int32_t test_restore(test_component_t *c, uint32_t version, const void *data, uint64_t length) {
  uint8_t *copy = (uint8_t *)malloc(length == 0 ? 1 : (size_t)length); /* of its own size: sanitizers see who reads past it */
  busbar_state_t state;
  int32_t status;
  memset(&state, 0, sizeof state);
  state.size = (uint32_t)sizeof state;
  state.version = version;
  if (length > 0) memcpy(copy, data, (size_t)length);
  state.data.data = length > 0 ? copy : NULL;
  state.data.length = length;
  if (c->lifecycle->restore == NULL) FAIL("the component has no restore");
  c->error[0] = 0;
  status = c->lifecycle->restore(c->self, &state);
  free(copy);
  test_check_error(c, status);
  if (status != BUSBAR_OK && status != BUSBAR_INVALID && status != BUSBAR_FATAL) FAIL("restore returned %s", test_status(status));
  return status;
}

/* ---- Bootstraps ------------------------------------------------------------------------------------------------------- */

/* Empties the batch and fetches into it. Checks bounds, status, and that all are INSERTs with a key. */
static TEST_UNUSED int32_t test_fetch(test_component_t *c, test_batch_t *b) {
  busbar_iterator_t it;
  const busbar_record_t *record;
  int32_t status;
  test_batch_reset(b);
  c->error[0] = 0;
  status = ((const busbar_bootstrap_t *)c->table)->fetch(c->self, &b->batch);
  test_check_error(c, status);
  if (status != BUSBAR_MORE && status != BUSBAR_DONE && status != BUSBAR_AGAIN && status != BUSBAR_FAILED && status != BUSBAR_FATAL)
    FAIL("fetch returned %s", test_status(status));
  test_batch_check(b);
  if (status == BUSBAR_MORE && b->batch.count == 0 && b->batch.required == 0) FAIL("fetch returned MORE without a record");
  for (it = busbar_iterate(&b->batch); (record = busbar_next(&it)) != NULL;)
    if (record->operation != BUSBAR_OP_INSERT || record->key_length == 0) FAIL("record %u is no INSERT with a key", it.index - 1);
  return status;
}

/* ---- Services and hooks ----------------------------------------------------------------------------------------------- */

/* A request without headers or deadline, in slot 0. Everything that is given must outlive it. */
static TEST_UNUSED busbar_call_t test_call(const char *method, const char *path, const char *body) {
  busbar_call_t call;
  memset(&call, 0, sizeof call);
  call.size = (uint32_t)sizeof call;
  call.id = 1;
  call.deadline = INT64_MAX;
  call.method = busbar_string(method);
  call.path = busbar_string(path);
  call.body.data = (const uint8_t *)body;
  call.body.length = body == NULL ? 0 : strlen(body);
  return call;
}

/* Gives a call an error buffer of its own, which stays until test_close(). */
static void test_give_error(test_component_t *c, busbar_call_t *call) {
  test_message_t *message = (test_message_t *)malloc(sizeof *message);
  memset(message->text, 0x5a, sizeof message->text);
  call->error = message->text;
  call->error_capacity = BUSBAR_ERROR_CAPACITY;
  pthread_mutex_lock(&c->lock);
  message->next = c->messages;
  c->messages = message;
  pthread_mutex_unlock(&c->lock);
}

/* Makes a call to a service, or one of the three to a hook, where it is offered (else OK). The answer is in `call`, and so is the
 * message of a failure, `call->error`, until test_close(). Calls with different slots may be made by several threads at once. */
static TEST_UNUSED int32_t test_call_with(test_component_t *c, busbar_call_t *call, const char *name,
                                          int32_t (*function)(void *, busbar_call_t *)) {
  int32_t status = BUSBAR_OK;
  uint32_t i;
  if (call->error == NULL) test_give_error(c, call);
  call->error[0] = 0;
  if (function != NULL) status = function(c->self, call);
  test_check_message(call->error, status);
  if (status != BUSBAR_OK && status != BUSBAR_FAILED && status != BUSBAR_INVALID && status != BUSBAR_FATAL &&
      !(status == BUSBAR_DONE && c->kind == BUSBAR_HOOK))
    FAIL("%s returned %s", name, test_status(status));
  if (call->answer.length > 0 && call->answer.data == NULL) FAIL("an answer of %llu bytes at null", (unsigned long long)call->answer.length);
  if (call->answer_status != 0 && (call->answer_status < 100 || call->answer_status > 599)) FAIL("answer status %u", call->answer_status);
  for (i = 0; i < call->answer_header_count; i++)
    if (call->answer_headers[i].name.length == 0) FAIL("answer header %u has no name", i);
  return status;
}

static TEST_UNUSED int32_t test_execute(test_component_t *c, busbar_call_t *call) {
  return test_call_with(c, call, "execute", ((const busbar_service_t *)c->table)->execute);
}

static TEST_UNUSED int32_t test_before_request(test_component_t *c, busbar_call_t *call) {
  const busbar_hook_t *hook = (const busbar_hook_t *)c->table;
  return test_call_with(c, call, "before_request", TEST_HAS(busbar_hook_t, c, before_request) ? hook->before_request : NULL);
}

static TEST_UNUSED int32_t test_handle(test_component_t *c, busbar_call_t *call) {
  const busbar_hook_t *hook = (const busbar_hook_t *)c->table;
  return test_call_with(c, call, "handle", TEST_HAS(busbar_hook_t, c, handle) ? hook->handle : NULL);
}

static TEST_UNUSED int32_t test_after_response(test_component_t *c, busbar_call_t *call) {
  const busbar_hook_t *hook = (const busbar_hook_t *)c->table;
  return test_call_with(c, call, "after_response", TEST_HAS(busbar_hook_t, c, after_response) ? hook->after_response : NULL);
}

#endif
