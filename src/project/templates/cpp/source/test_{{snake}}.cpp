// Tests of {{name}}, without busbar: make test
#include "busbar/test.hpp"
#include "{{snake}}.hpp"

using busbar::test::Batch;
using Host = busbar::test::Host<Greet>;

namespace {

void gives_as_many_as_asked_for() {
  Host host(R"({"count":2,"text":"hi"})");
  Batch batch;
  CHECK_STATUS(host.start(), BUSBAR_OK);
  CHECK_STATUS(host.poll(batch), BUSBAR_DONE);
  CHECK_INT(batch.size(), 2);
  CHECK(batch[1].payload() == "hi 2");
}

void resumes_after_its_position() {
  Host host(R"({"count":5})");
  Batch batch;
  const int64_t position = 3;
  test_resume(host.raw(), &position, sizeof position, 4);
  CHECK_STATUS(host.start(), BUSBAR_OK);
  CHECK_STATUS(host.poll(batch), BUSBAR_DONE);
  CHECK_INT(batch.size(), 2);
  CHECK(batch[0].payload() == "hello 4");
}

}  // namespace

int main(int argc, char **argv) {
  test_main_static(argc, argv);
  TEST(gives_as_many_as_asked_for);
  TEST(resumes_after_its_position);
  return test_end();
}
