// Tests of {{name}}, without busbar: make test
#include "busbar/test.hpp"
#include "{{snake}}.hpp"

namespace {

int32_t ask(const char *token, uint32_t *answered) {
  busbar::test::Host<Guard> host(R"({"token":"secret"})");
  busbar_header_t header = {busbar_string("x-token"), busbar_string(token)};
  busbar_call_t call = test_call("GET", "/", nullptr);
  call.headers = &header;
  call.header_count = 1;
  CHECK_STATUS(host.start(), BUSBAR_OK);
  const int32_t status = test_before_request(host.raw(), &call);
  *answered = call.answer_status;
  return status;
}

void lets_the_right_token_pass() {
  uint32_t answered;
  CHECK_STATUS(ask("secret", &answered), BUSBAR_OK);
}

void refuses_others() {
  uint32_t answered;
  CHECK_STATUS(ask("secreT", &answered), BUSBAR_DONE);
  CHECK_INT(answered, 401);
  CHECK_STATUS(ask("", &answered), BUSBAR_DONE);
}

}  // namespace

int main(int argc, char **argv) {
  test_main_static(argc, argv);
  TEST(lets_the_right_token_pass);
  TEST(refuses_others);
  return test_end();
}
