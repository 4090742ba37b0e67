/* busbar_test_batch.h: the part of busbar_test.h that makes batches, offers them to components, and checks what comes back.
 * Included by busbar_test.h only.                                    SPDX-License-Identifier: Apache-2.0 */
#ifndef BUSBAR_TEST_BATCH_H
#define BUSBAR_TEST_BATCH_H

/* ---- Batches ---------------------------------------------------------------------------------------------------------- */

typedef struct test_batch {
  busbar_batch_t batch; /* first: a test_batch_t * may be passed as a busbar_batch_t * */
  uint8_t *region;
  size_t region_size;
  uint64_t capacity;
  uint8_t *memory; /* the batch's own; batch.data is the source's while it lends */
  uint8_t *position_region;
  int read_only;
} test_batch_t;

/* Maps `capacity` bytes, 64-byte aligned, right before a page that cannot be touched; up to 63 bytes between are checked. */
static uint8_t *test_map(uint64_t capacity, uint8_t **region, size_t *region_size) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t padded = ((size_t)capacity + 63) & ~(size_t)63;
  size_t body = (padded + page - 1) / page * page;
  uint8_t *data;
  *region_size = body + 2 * page;
  *region = (uint8_t *)mmap(NULL, *region_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (*region == MAP_FAILED || mprotect(*region + page, body, PROT_READ | PROT_WRITE) != 0) FAIL("mmap: %s", strerror(errno));
  data = *region + page + body - padded;
  memset(data + capacity, 0xa5, padded - (size_t)capacity);
  return data;
}

/* An empty batch. `capacity` may be any number; offered arenas are aligned to 64 bytes and end before a guard page. */
static TEST_UNUSED test_batch_t *test_batch(uint64_t capacity, uint32_t limit) {
  test_batch_t *b = (test_batch_t *)calloc(1, sizeof *b);
  size_t unused;
  b->batch.size = (uint32_t)sizeof b->batch;
  b->batch.data = b->memory = test_map(capacity, &b->region, &b->region_size);
  b->batch.capacity = b->capacity = capacity;
  b->batch.limit = limit;
  b->batch.next_sequence = 1;
  b->batch.position_capacity = BUSBAR_POSITION_MAX;
  b->batch.position = test_map(BUSBAR_POSITION_MAX, &b->position_region, &unused);
  return b;
}

static TEST_UNUSED void test_batch_free(test_batch_t *b) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  munmap(b->region, b->region_size);
  munmap(b->position_region, (BUSBAR_POSITION_MAX + page - 1) / page * page + 2 * page);
  free(b);
}

/* Makes the batch what a reader gets: its memory cannot be written. */
static TEST_UNUSED void test_batch_seal(test_batch_t *b) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  mprotect(b->region + page, b->region_size - 2 * page, PROT_READ);
  b->batch.capacity = 0;
  b->batch.done = 0;
  b->batch.cursor = 0;
  b->read_only = 1;
}

/* Empties the batch for writing. A loan must have been given back: test_release(). */
static TEST_UNUSED void test_batch_reset(test_batch_t *b) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  if (b->read_only) mprotect(b->region + page, b->region_size - 2 * page, PROT_READ | PROT_WRITE);
  b->read_only = 0;
  b->batch.data = b->memory;
  b->batch.loan = NULL;
  b->batch.capacity = b->capacity;
  b->batch.length = b->batch.cursor = b->batch.required = 0;
  b->batch.count = b->batch.done = b->batch.position_length = b->batch.flags = 0;
}

/* Appends an event of text as a source would, with the batch's next sequence. */
static TEST_UNUSED void test_append_text(test_batch_t *b, const char *payload) {
  busbar_event_t event;
  memset(&event, 0, sizeof event);
  event.payload = payload;
  event.payload_length = (uint32_t)strlen(payload);
  event.content_type = BUSBAR_CONTENT_TEXT;
  if (!busbar_append(&b->batch, &event)) FAIL("the test's batch is full");
}

/* Fails unless a batch that was written to keeps every bound of the contract. */
static TEST_UNUSED void test_batch_check(test_batch_t *b) {
  uint64_t i, padded = (b->capacity + 63) & ~(uint64_t)63;
  busbar_iterator_t it = busbar_iterate(&b->batch);
  if (b->batch.length > b->capacity) FAIL("batch of %llu bytes in %llu", (unsigned long long)b->batch.length, (unsigned long long)b->capacity);
  for (i = b->capacity; i < padded; i++)
    if (b->batch.data[i] != 0xa5) FAIL("byte %llu behind the arena was written", (unsigned long long)(i - b->capacity));
  if (b->batch.count > b->batch.limit) FAIL("%u records where %u are allowed", b->batch.count, b->batch.limit);
  while (busbar_next(&it) != NULL) {
  }
  if (it.malformed) FAIL("record %u is malformed", it.index);
  if (it.index != b->batch.count) FAIL("count is %u, but there are %u records", b->batch.count, it.index);
  if (b->batch.position_length > b->batch.position_capacity) FAIL("position of %u bytes", b->batch.position_length);
}

/* Fails unless lent memory keeps the bounds. */
static TEST_UNUSED void test_loan_check(const test_batch_t *b) {
  busbar_iterator_t it = busbar_iterate(&b->batch);
  if (((uintptr_t)b->batch.data & 7) != 0) FAIL("lent memory is not 8-byte aligned");
  if (b->batch.data == b->memory) FAIL("the batch's own memory was lent");
  while (busbar_next(&it) != NULL) {
  }
  if (it.malformed) FAIL("record %u is malformed", it.index);
  if (it.index != b->batch.count) FAIL("count is %u, but there are %u records", b->batch.count, it.index);
}

/* Empties the batch and polls a source into it. Checks bounds, status, that sequences go on without a gap, and that a
 * position comes with records. */
static TEST_UNUSED int32_t test_poll(test_component_t *c, test_batch_t *b) {
  const busbar_source_t *source = (const busbar_source_t *)c->table;
  busbar_iterator_t it;
  const busbar_record_t *record;
  int32_t status;
  test_batch_reset(b);
  b->batch.next_sequence = c->next_sequence;
  c->error[0] = 0;
  status = source->poll(c->self, &b->batch);
  test_check_error(c, status);
  if (status != BUSBAR_OK && status != BUSBAR_AGAIN && status != BUSBAR_DONE && status != BUSBAR_FAILED && status != BUSBAR_FATAL)
    FAIL("poll returned %s", test_status(status));
  if (b->batch.loan == NULL) test_batch_check(b);
  else test_loan_check(b);
  if (status == BUSBAR_OK && b->batch.count == 0 && b->batch.required == 0) FAIL("poll returned OK without a record");
  if (b->batch.count > 0 && b->batch.position_length == 0) FAIL("poll gave records without a position");
  for (it = busbar_iterate(&b->batch); (record = busbar_next(&it)) != NULL; c->next_sequence++) {
    if (record->sequence != c->next_sequence)
      FAIL("sequence %llu after %llu", (unsigned long long)record->sequence, (unsigned long long)c->next_sequence - 1);
    if (record->source != b->batch.source) FAIL("source %u, not %u", record->source, b->batch.source);
  }
  if (b->batch.next_sequence != c->next_sequence) FAIL("next_sequence does not follow the last record");
  return status;
}

/* Offers a sealed batch to a processor from where its cursor is, after emptying the `out_count` outputs; checks them. */
static TEST_UNUSED int32_t test_process(test_component_t *c, test_batch_t *b, test_batch_t **out, uint32_t out_count) {
  const busbar_processor_t *processor = (const busbar_processor_t *)c->table;
  busbar_batch_t *outputs[64];
  busbar_iterator_t it = busbar_iterate(&b->batch);
  uint64_t cursor = b->batch.cursor;
  int32_t status;
  uint32_t i;
  if (!b->read_only) FAIL("the batch is not sealed: call test_batch_seal()");
  while (busbar_offset(&it) < cursor && busbar_next(&it) != NULL) {
  }
  for (i = 0; i < out_count; i++) {
    test_batch_reset(out[i]);
    outputs[i] = &out[i]->batch;
  }
  b->batch.out = outputs;
  b->batch.out_count = out_count;
  c->error[0] = 0;
  status = processor->process(c->self, &b->batch);
  b->batch.out = NULL;
  b->batch.out_count = 0;
  test_check_error(c, status);
  if (status != BUSBAR_OK && status != BUSBAR_MORE && status != BUSBAR_FAILED && status != BUSBAR_INVALID && status != BUSBAR_FATAL)
    FAIL("process returned %s", test_status(status));
  for (i = 0; i < out_count; i++) test_batch_check(out[i]);
  if (b->batch.cursor > b->batch.length) FAIL("cursor is past the batch");
  if ((status == BUSBAR_FAILED || status == BUSBAR_INVALID) && b->batch.done >= b->batch.count - it.index)
    FAIL("done is %u, but only %u records were offered: it counts from the cursor", b->batch.done, b->batch.count - it.index);
  if (status == BUSBAR_MORE && b->batch.cursor <= cursor) {
    uint32_t written = 0;
    for (i = 0; i < out_count; i++) written += out[i]->batch.count + (out[i]->batch.required > 0);
    if (written == 0) FAIL("process returned MORE without having done anything");
  }
  return status;
}

/* Offers a sealed batch to a reaction. Set `b->batch.id` and `flags` before. */
static TEST_UNUSED int32_t test_write(test_component_t *c, test_batch_t *b) {
  const busbar_reaction_t *reaction = (const busbar_reaction_t *)c->table;
  int32_t status;
  if (!b->read_only) FAIL("the batch is not sealed: call test_batch_seal()");
  b->batch.done = 0;
  c->error[0] = 0;
  status = reaction->write(c->self, &b->batch);
  test_check_error(c, status);
  if (status == BUSBAR_MORE || status == BUSBAR_DONE || status < BUSBAR_FATAL || status > BUSBAR_PENDING)
    FAIL("write returned %s", test_status(status));
  if (b->batch.done > b->batch.count) FAIL("done is past the batch");
  return status;
}

static TEST_UNUSED int32_t test_flush(test_component_t *c) {
  const busbar_reaction_t *reaction = (const busbar_reaction_t *)c->table;
  int32_t status = BUSBAR_OK;
  c->error[0] = 0;
  if (reaction->flush != NULL) status = reaction->flush(c->self);
  test_check_error(c, status);
  if (status != BUSBAR_OK && status != BUSBAR_AGAIN && status != BUSBAR_FAILED && status != BUSBAR_FATAL)
    FAIL("flush returned %s", test_status(status));
  return status;
}

/* The record at `index`; fails the test when there is none. */
static TEST_UNUSED const busbar_record_t *test_record(const test_batch_t *b, uint32_t index) {
  busbar_iterator_t it = busbar_iterate(&b->batch);
  const busbar_record_t *record = busbar_next(&it);
  while (record != NULL && index-- > 0) record = busbar_next(&it);
  if (record == NULL) FAIL("the batch has only %u records", b->batch.count);
  return record;
}

#endif
