// Tests of {{name}}, without busbar: make test
#include <cstdio>
#include <iterator>

#include "busbar/test.hpp"
#include "{{snake}}.hpp"

using busbar::Event;
using busbar::test::Batch;
using Host = busbar::test::Host<Append>;

namespace {

void appends_lines() {
  char path[] = "/tmp/{{snake}}_XXXXXX";
  close(mkstemp(path));
  Host host("{\"path\":\"" + std::string(path) + "\"}");
  Batch batch;
  batch.append(Event::text("one"));
  batch.append(Event::text("two"));
  CHECK_STATUS(host.start(), BUSBAR_OK);
  CHECK_STATUS(host.write(batch), BUSBAR_OK);
  CHECK_STATUS(host.flush(), BUSBAR_OK);
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::remove(path);
  CHECK(text == "one\ntwo\n");
}

void says_why_it_cannot_start() {
  Host host(R"({"path":"/no-such-folder/a.log"})");
  CHECK_STATUS(host.start(), BUSBAR_FAILED);
  CHECK(host.error() == "Cannot open \"/no-such-folder/a.log\": No such file or directory");
}

}  // namespace

int main(int argc, char **argv) {
  test_main_static(argc, argv);
  TEST(appends_lines);
  TEST(says_why_it_cannot_start);
  return test_end();
}
