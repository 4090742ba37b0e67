// Tests of word-count-cpp, without busbar. README.md says how to compile it.
#include "busbar/test.hpp"
#include "word_count.hpp"

using busbar::Event;
using busbar::test::Batch;
using Host = busbar::test::Host<WordCount>;

namespace {

void feed(Host &host, const char *text) {
  Batch in, out;
  in.append(Event::text(text));
  CHECK_STATUS(host.process(in, {&out}), BUSBAR_OK);
  CHECK_INT(out.size(), 0);
}

// Ticks until all is emitted; what came, as "+word=1 word=2 ", with a plus for an insert.
std::string emitted(Host &host, uint64_t capacity = 65536, uint32_t limit = 1024) {
  Batch out(capacity, limit);
  std::string text;
  int32_t status;
  do {
    status = host.tick(1234, {&out});
    for (busbar::Record record : out) {
      CHECK_INT(record.timestamp(), 1234);
      CHECK_INT(record.sequence(), 0);
      CHECK(record.content_type() == busbar::ContentType::json);
      if (record.operation() == busbar::Operation::insert) text += '+';
      text += std::string(record.key()) + "=" + std::to_string(busbar::Json(record.payload())["count"].integer()) + " ";
    }
  } while (status == BUSBAR_MORE);
  CHECK_STATUS(status, BUSBAR_OK);
  return text;
}

void counts_words() {
  Host host;
  CHECK_STATUS(host.start(), BUSBAR_OK);
  feed(host, "the cat, The CAT; don't 42");
  feed(host, "grüß");
  CHECK(emitted(host) == "+42=1 +cat=2 +don't=1 +grüß=1 +the=2 ");
  CHECK(emitted(host) == "");
  feed(host, "the dog");
  CHECK(emitted(host) == "+dog=1 the=3 ");
}

void heeds_its_settings() {
  Host host(R"({"min_length":3,"case_sensitive":true})");
  CHECK_STATUS(host.start(), BUSBAR_OK);
  feed(host, "a an The the THE");
  CHECK(emitted(host) == "+THE=1 +The=1 +the=1 ");
}

void refuses_other_settings() {
  for (const char *config : {R"({"min_length":0})", R"({"min_length":"1"})", R"({"case_sensitive":1})"}) {
    Host host(config, false);
    CHECK_STATUS(host.create(), BUSBAR_FAILED);
  }
}

void goes_on_where_the_output_was_full() {
  Host host;
  CHECK_STATUS(host.start(), BUSBAR_OK);
  feed(host, "e d c b a");
  CHECK(emitted(host, 4096, 2) == "+a=1 +b=1 +c=1 +d=1 +e=1 ");
  feed(host, "a b");
  CHECK(emitted(host, 100) == "a=2 b=2 ");
}

void saves_and_restores() {
  Host host;
  CHECK_STATUS(host.start(), BUSBAR_OK);
  feed(host, "old old");
  CHECK(emitted(host) == "+old=2 ");
  feed(host, "old new");
  const busbar::State state = host.save();

  Host next;
  CHECK_STATUS(next.restore(state), BUSBAR_OK);
  CHECK_STATUS(next.start(), BUSBAR_OK);
  CHECK(emitted(next) == "+new=1 old=3 ");

  Host other_version;
  CHECK_STATUS(other_version.restore({state.version + 1, state.data}), BUSBAR_INVALID);
  for (size_t length = 0; length < state.data.size(); length++) {
    Host cut;
    CHECK_STATUS(cut.restore({state.version, state.data.substr(0, length)}), BUSBAR_INVALID);
  }
}

}  // namespace

int main(int argc, char **argv) {
  test_main_static(argc, argv);
  TEST(counts_words);
  TEST(heeds_its_settings);
  TEST(refuses_other_settings);
  TEST(goes_on_where_the_output_was_full);
  TEST(saves_and_restores);
  return test_end();
}
