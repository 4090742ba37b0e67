/* Tests of {{name}}, without busbar: make test */
#include "busbar_test.h"

const busbar_plugin_t *busbar_plugin(const busbar_host_t *host);

static test_component_t *open_upper(const char *config) {
  test_component_t *c = test_open_plugin(busbar_plugin, BUSBAR_PROCESSOR, "upper", config);
  CHECK_STATUS(test_create(c), BUSBAR_OK);
  CHECK_STATUS(test_start(c), BUSBAR_OK);
  return c;
}

static void makes_capitals(void) {
  test_component_t *c = open_upper("{\"skip_empty\":true}");
  test_batch_t *in = test_batch(4096, 64), *out = test_batch(4096, 64);
  const busbar_record_t *record;
  test_append_text(in, "hello 1");
  test_append_text(in, "");
  test_batch_seal(in);
  CHECK_STATUS(test_process(c, in, &out, 1), BUSBAR_OK);
  CHECK_INT(out->batch.count, 1);
  record = test_record(out, 0);
  CHECK_TEXT(busbar_payload(record), record->payload_length, "HELLO 1");
  CHECK_INT(record->sequence, 1);
  test_close(c);
  test_batch_free(in);
  test_batch_free(out);
}

static void goes_on_where_the_output_was_full(void) {
  test_component_t *c = open_upper("{}");
  test_batch_t *in = test_batch(4096, 64), *out = test_batch(4096, 1);
  test_append_text(in, "a");
  test_append_text(in, "b");
  test_batch_seal(in);
  CHECK_STATUS(test_process(c, in, &out, 1), BUSBAR_MORE);
  CHECK_STATUS(test_process(c, in, &out, 1), BUSBAR_OK);
  CHECK_TEXT(busbar_payload(test_record(out, 0)), 1, "B");
  test_close(c);
  test_batch_free(in);
  test_batch_free(out);
}

int main(int argc, char **argv) {
  test_main_static(argc, argv);
  TEST(makes_capitals);
  TEST(goes_on_where_the_output_was_full);
  return test_end();
}
