// Tests of {{name}}, without busbar: make test
#include "busbar/test.hpp"
#include "{{snake}}.hpp"

using busbar::Event;
using busbar::test::Batch;
using Host = busbar::test::Host<Upper>;

namespace {

void makes_capitals() {
  Host host(R"({"skip_empty":true})");
  Batch in, out;
  in.append(Event::text("hello 1", "k"));
  in.append(Event::text(""));
  CHECK_STATUS(host.start(), BUSBAR_OK);
  CHECK_STATUS(host.process(in, {&out}), BUSBAR_OK);
  CHECK_INT(out.size(), 1);
  CHECK(out[0].payload() == "HELLO 1");
  CHECK(out[0].key() == "k");
  CHECK_INT(out[0].sequence(), 1);
}

void goes_on_where_the_output_was_full() {
  Host host;
  Batch in, out(4096, 1);
  in.append(Event::text("a"));
  in.append(Event::text("b"));
  CHECK_STATUS(host.start(), BUSBAR_OK);
  CHECK_STATUS(host.process(in, {&out}), BUSBAR_MORE);
  CHECK_STATUS(host.process(in, {&out}, true), BUSBAR_OK);
  CHECK(out[0].payload() == "B");
}

}  // namespace

int main(int argc, char **argv) {
  test_main_static(argc, argv);
  TEST(makes_capitals);
  TEST(goes_on_where_the_output_was_full);
  return test_end();
}
