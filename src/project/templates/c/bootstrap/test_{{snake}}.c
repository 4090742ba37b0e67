/* Tests of {{name}}, without busbar: make test */
#include "busbar_test.h"

const busbar_plugin_t *busbar_plugin(const busbar_host_t *host);

static void gives_every_element_once(void) {
  test_component_t *c = test_open_plugin(busbar_plugin, BUSBAR_BOOTSTRAP, "elements", "{\"count\":3}");
  test_batch_t *b = test_batch(4096, 2);
  const busbar_record_t *record;
  CHECK_STATUS(test_create(c), BUSBAR_OK);
  CHECK_STATUS(test_start(c), BUSBAR_OK);
  CHECK_STATUS(test_fetch(c, b), BUSBAR_MORE);
  CHECK_INT(b->batch.count, 2);
  CHECK_STATUS(test_fetch(c, b), BUSBAR_DONE);
  CHECK_INT(b->batch.count, 1);
  record = test_record(b, 0);
  CHECK_TEXT(busbar_key(record), record->key_length, "element-3");
  CHECK_TEXT(busbar_payload(record), record->payload_length, "{\"number\":3}");
  test_close(c);
  test_batch_free(b);
}

int main(int argc, char **argv) {
  test_main_static(argc, argv);
  TEST(gives_every_element_once);
  return test_end();
}
