/* Tests of {{name}}, without busbar: make test */
#include "busbar_test.h"

const busbar_plugin_t *busbar_plugin(const busbar_host_t *host);

static test_component_t *open_greet(const char *config) {
  test_component_t *c = test_open_plugin(busbar_plugin, BUSBAR_SOURCE, "greet", config);
  CHECK_STATUS(test_create(c), BUSBAR_OK);
  return c;
}

static void gives_as_many_as_asked_for(void) {
  test_component_t *c = open_greet("{\"count\":2,\"text\":\"hi\"}");
  test_batch_t *b = test_batch(4096, 64);
  const busbar_record_t *record;
  CHECK_STATUS(test_start(c), BUSBAR_OK);
  CHECK_STATUS(test_poll(c, b), BUSBAR_DONE);
  CHECK_INT(b->batch.count, 2);
  record = test_record(b, 1);
  CHECK_TEXT(busbar_payload(record), record->payload_length, "hi 2");
  test_close(c);
  test_batch_free(b);
}

static void resumes_after_its_position(void) {
  test_component_t *c = open_greet("{\"count\":5}");
  test_batch_t *b = test_batch(4096, 64);
  int64_t position = 3;
  const busbar_record_t *record;
  test_resume(c, &position, sizeof position, 4);
  CHECK_STATUS(test_start(c), BUSBAR_OK);
  CHECK_STATUS(test_poll(c, b), BUSBAR_DONE);
  CHECK_INT(b->batch.count, 2);
  record = test_record(b, 0);
  CHECK_TEXT(busbar_payload(record), record->payload_length, "hello 4");
  test_close(c);
  test_batch_free(b);
}

int main(int argc, char **argv) {
  test_main_static(argc, argv);
  TEST(gives_as_many_as_asked_for);
  TEST(resumes_after_its_position);
  return test_end();
}
