/* Tests of {{name}}, without busbar: make test */
#include "busbar_test.h"

const busbar_plugin_t *busbar_plugin(const busbar_host_t *host);

static int32_t ask(const char *token, uint32_t *answered) {
  test_component_t *c = test_open_plugin(busbar_plugin, BUSBAR_HOOK, "guard", "{\"token\":\"secret\"}");
  busbar_header_t header = {busbar_string("x-token"), busbar_string(token)};
  busbar_call_t call = test_call("GET", "/", NULL);
  int32_t status;
  call.headers = &header;
  call.header_count = 1;
  CHECK_STATUS(test_create(c), BUSBAR_OK);
  CHECK_STATUS(test_start(c), BUSBAR_OK);
  status = test_before_request(c, &call);
  *answered = call.answer_status;
  test_close(c);
  return status;
}

static void lets_the_right_token_pass(void) {
  uint32_t answered;
  CHECK_STATUS(ask("secret", &answered), BUSBAR_OK);
}

static void refuses_others(void) {
  uint32_t answered;
  CHECK_STATUS(ask("secreT", &answered), BUSBAR_DONE);
  CHECK_INT(answered, 401);
  CHECK_STATUS(ask("", &answered), BUSBAR_DONE);
}

int main(int argc, char **argv) {
  test_main_static(argc, argv);
  TEST(lets_the_right_token_pass);
  TEST(refuses_others);
  return test_end();
}
