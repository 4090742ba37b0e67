// Tests of {{name}}, without busbar: make test
#include "busbar/test.hpp"
#include "{{snake}}.hpp"

using Host = busbar::test::Host<Shout>;

namespace {

void answers_in_capitals() {
  Host host;
  busbar_call_t call = test_call("POST", "/", "hello");
  CHECK_STATUS(host.start(), BUSBAR_OK);
  CHECK_STATUS(test_execute(host.raw(), &call), BUSBAR_OK);
  CHECK_TEXT(call.answer.data, call.answer.length, "HELLO");
}

void refuses_an_empty_input() {
  Host host;
  busbar_call_t call = test_call("POST", "/", "");
  CHECK_STATUS(host.start(), BUSBAR_OK);
  CHECK_STATUS(test_execute(host.raw(), &call), BUSBAR_INVALID);
  CHECK(std::string(call.error) == "Cannot shout: the input is empty");
}

}  // namespace

int main(int argc, char **argv) {
  test_main_static(argc, argv);
  TEST(answers_in_capitals);
  TEST(refuses_an_empty_input);
  return test_end();
}
