/* Tests of {{name}}, without busbar: make test */
#include "busbar_test.h"

const busbar_plugin_t *busbar_plugin(const busbar_host_t *host);

static test_component_t *open_shout(void) {
  test_component_t *c = test_open_plugin(busbar_plugin, BUSBAR_SERVICE, "shout", "{}");
  CHECK_STATUS(test_create(c), BUSBAR_OK);
  CHECK_STATUS(test_start(c), BUSBAR_OK);
  return c;
}

static void answers_in_capitals(void) {
  test_component_t *c = open_shout();
  busbar_call_t call = test_call("POST", "/", "hello");
  CHECK_STATUS(test_execute(c, &call), BUSBAR_OK);
  CHECK_TEXT(call.answer.data, call.answer.length, "HELLO");
  test_close(c);
}

static void refuses_an_empty_input(void) {
  test_component_t *c = open_shout();
  busbar_call_t call = test_call("POST", "/", "");
  CHECK_STATUS(test_execute(c, &call), BUSBAR_INVALID);
  CHECK_TEXT(call.error, strlen(call.error), "Cannot shout: the input is empty");
  test_close(c);
}

int main(int argc, char **argv) {
  test_main_static(argc, argv);
  TEST(answers_in_capitals);
  TEST(refuses_an_empty_input);
  return test_end();
}
