/*
 * sdk_host.c: what an SDK costs. Offers one batch to a pass-through processor again and again, with nothing else in between.
 *
 *   sdk_host LIBRARY PAYLOAD BATCH MILLISECONDS
 *
 * Prints the nanoseconds of processor time for an event, after as long a warm-up. Fails unless the output is the input, byte for byte, and a
 * batch that does not fit is passed on in parts without loss.
 */
#include "busbar_test.h"

#define ROOM_BYTES 64 /* of a record, besides its payload */

static uint32_t batch_size;

/* Processor time of all threads: what other programs take on a busy machine is left out, what a runtime does aside is not. */
static uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Fills a batch with events whose keys and payloads differ. */
static test_batch_t *filled(uint32_t payload) {
  test_batch_t *in = test_batch((uint64_t)batch_size * (payload + ROOM_BYTES), batch_size);
  char *text = (char *)malloc(payload + 1);
  uint32_t i;
  for (i = 0; i < batch_size; i++) {
    busbar_event_t event;
    memset(&event, 0, sizeof event);
    memset(text, (int)('a' + i % 26), payload);
    event.payload = text;
    event.payload_length = payload;
    event.content_type = BUSBAR_CONTENT_TEXT;
    event.timestamp = (int64_t)i;
    CHECK(busbar_append(&in->batch, &event));
  }
  free(text);
  test_batch_seal(in);
  return in;
}

/* Passes all of `in` to `out`, and whatever does not fit in another turn; compares it with what was put in. */
static void check_copy(test_component_t *pass, test_batch_t *in, test_batch_t *out) {
  uint64_t compared = 0;
  int32_t status;
  in->batch.cursor = 0;
  do {
    in->batch.done = 0;
    status = test_process(pass, in, &out, 1);
    CHECK(status == BUSBAR_OK || status == BUSBAR_MORE);
    CHECK(compared + out->batch.length <= in->batch.length);
    CHECK(memcmp(out->batch.data, in->batch.data + compared, out->batch.length) == 0);
    compared += out->batch.length;
  } while (status == BUSBAR_MORE);
  CHECK_INT(compared, in->batch.length);
}

/* The time for an event while `in` is passed on for `duration` nanoseconds. */
static double measure(test_component_t *pass, test_batch_t *in, test_batch_t *out, uint64_t duration) {
  const busbar_processor_t *processor = (const busbar_processor_t *)pass->table;
  busbar_batch_t *outputs[1] = {&out->batch};
  uint64_t begin = now_ns(), end = begin, batches = 0;
  test_batch_reset(out);
  in->batch.out = outputs;
  in->batch.out_count = 1;
  while (end - begin < duration) {
    int turn;
    for (turn = 0; turn < 16; turn++, batches++) {
      out->batch.length = 0;
      out->batch.count = 0;
      in->batch.cursor = 0;
      in->batch.done = 0;
      CHECK_STATUS(processor->process(pass->self, &in->batch), BUSBAR_OK);
    }
    end = now_ns();
  }
  in->batch.out = NULL;
  in->batch.out_count = 0;
  return (double)(end - begin) / (double)(batches * batch_size);
}

int main(int argc, char **argv) {
  test_component_t *pass;
  test_batch_t *in, *out, *small;
  uint64_t duration;
  double ns;
  if (argc != 5) {
    fprintf(stderr, "Usage: sdk_host LIBRARY PAYLOAD BATCH MILLISECONDS\n");
    return 2;
  }
  test_name = "sdk_host";
  test_log_level = BUSBAR_LOG_WARNING;
  batch_size = (uint32_t)strtoul(argv[3], NULL, 10);
  duration = strtoull(argv[4], NULL, 10) * 1000000u;
  in = filled((uint32_t)strtoul(argv[2], NULL, 10));
  out = test_batch(in->capacity, batch_size);
  small = test_batch(in->capacity / (batch_size < 3 ? 1 : 3), batch_size); /* with room for one at least */
  pass = test_open(argv[1], BUSBAR_PROCESSOR, "pass", "{}");
  CHECK_STATUS(test_create(pass), BUSBAR_OK);
  CHECK_STATUS(test_start(pass), BUSBAR_OK);
  check_copy(pass, in, out);
  check_copy(pass, in, small);
  measure(pass, in, out, duration);
  ns = measure(pass, in, out, duration);
  check_copy(pass, in, out);
  printf("%.3f\n", ns);
  test_close(pass);
  test_batch_free(small);
  test_batch_free(out);
  test_batch_free(in);
  return 0;
}
