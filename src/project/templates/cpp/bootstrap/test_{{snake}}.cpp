// Tests of {{name}}, without busbar: make test
#include "busbar/test.hpp"
#include "{{snake}}.hpp"

using busbar::test::Batch;
using Host = busbar::test::Host<Elements>;

namespace {

void gives_every_element_once() {
  Host host(R"({"count":3})");
  Batch batch(4096, 2);
  CHECK_STATUS(host.start(), BUSBAR_OK);
  CHECK_STATUS(host.fetch(batch), BUSBAR_MORE);
  CHECK_INT(batch.size(), 2);
  CHECK_STATUS(host.fetch(batch), BUSBAR_DONE);
  CHECK_INT(batch.size(), 1);
  CHECK(batch[0].key() == "element-3");
  CHECK(batch[0].payload() == "{\"number\":3}");
}

}  // namespace

int main(int argc, char **argv) {
  test_main_static(argc, argv);
  TEST(gives_every_element_once);
  return test_end();
}
