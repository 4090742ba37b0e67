// Tests of busbar.hpp; tests/sdk/cpp_test.ts compiles and runs them.
#include "busbar/test.hpp"
#include "sdk_plugin.hpp"

using busbar::test::Batch;
using busbar::test::Host;

namespace {

void fill(Batch &batch, std::initializer_list<const char *> payloads) {
  batch.clear();
  for (const char *payload : payloads) batch.append(Event::text(payload));
}

void tables_hold_what_classes_have() {
  const busbar_plugin_t *plugin = busbar_plugin(&test_host);
  CHECK_INT(plugin->component_count, 7);
  for (uint32_t i = 0; i < 6; i++) CHECK_INT(plugin->components[i]->kind, i + 1);
  const auto &lines = *static_cast<const busbar_source_t *>(busbar::component<Lines>().table);
  CHECK_INT(lines.lifecycle.size, sizeof(busbar_source_t));
  CHECK(lines.lifecycle.start != nullptr && lines.commit != nullptr && lines.release != nullptr);
  CHECK(lines.lifecycle.stop == nullptr && lines.lifecycle.save == nullptr && lines.lifecycle.health == nullptr);
  const auto &obey = *static_cast<const busbar_processor_t *>(busbar::component<Obey>().table);
  CHECK(obey.process != nullptr && obey.tick == nullptr);
  const auto &guard = *static_cast<const busbar_hook_t *>(busbar::component<Guard>().table);
  CHECK(guard.before_request != nullptr && guard.handle == nullptr && guard.after_response == nullptr);
}

void reads_settings() {
  Host<Picky> host(R"({"limits":{"count":3},"size":"2KiB","wait":"1.5s","paths":["a","b\u00e9"]})");
  CHECK_INT(host->limit, 3);
  CHECK_INT(host->size, 2048);
  CHECK_INT(host->wait.count(), 1500000000);
  CHECK(host->paths.size() == 2 && host->paths[1] == "b\xc3\xa9");
}

void refuses_settings() {
  Host<Picky> host(R"({"limits":{"count":"many"}})", false);
  CHECK_STATUS(host.create(), BUSBAR_FAILED);
  CHECK(host.error() == R"(Cannot read config: "limits.count" is "many", use an integer of 64 bits)");
}

void a_source_appends_in_place_and_resumes() {
  Host<Lines> host;
  Batch small(1024, 2), rest;
  host.start();
  CHECK_STATUS(host.poll(small), BUSBAR_OK);
  CHECK_INT(small.size(), 2);
  CHECK(small[1].payload() == "line 2");
  CHECK_INT(small[1].timestamp(), 7);
  CHECK_INT(small[1].raw()->size, 48);
  const std::string position = small.position();
  Host<Lines> next;
  test_resume(next.raw(), position.data(), position.size(), 3);
  next.start();
  CHECK_STATUS(next.poll(rest), BUSBAR_DONE);
  CHECK_INT(rest.size(), 1);
  CHECK_INT(rest[0].sequence(), 3);
  CHECK_STATUS(test_commit(next.raw(), position.data(), position.size()), BUSBAR_OK);
  CHECK_STATUS(test_commit(next.raw(), "x", 1), BUSBAR_FAILED);
}

void a_source_lends() {
  Host<Lines> host(R"({"lend":true})");
  Batch batch;
  host.start();
  CHECK_STATUS(host.poll(batch), BUSBAR_DONE);
  CHECK_INT(batch.size(), 3);
  CHECK_INT(host->lent(), 1);
  test_release(host.raw(), batch.raw());
  CHECK_INT(host->lent(), 0);
}

void a_processor_goes_on_after_more() {
  Host<Obey> host;
  Batch in, out(100);
  fill(in, {"a", "b", "c"});
  host.start();
  CHECK_STATUS(host.process(in, {&out}), BUSBAR_MORE);
  CHECK_INT(out.size(), 2);
  CHECK_STATUS(host.process(in, {&out}, true), BUSBAR_OK);
  CHECK_INT(out.size(), 1);
  CHECK(out[0].payload() == "c");
  CHECK_INT(out[0].sequence(), 3);
}

void a_processor_writes_in_place() {
  Host<Obey> host;
  Batch in, out;
  Event event = Event::text("in place", "key");
  const busbar::AttributeBytes attributes = busbar::AttributeBytes().add("a", "1").add("b", "");
  event.attributes = attributes;
  event.operation = busbar::Operation::update;
  in.append(event);
  host.start();
  CHECK_STATUS(host.process(in, {&out}), BUSBAR_OK);
  const Record record = out[0];
  CHECK(record.payload() == "!" && record.key() == "key" && record.operation() == busbar::Operation::update);
  CHECK(record.attribute("a") == "1" && record.attribute("b") == "" && !record.attribute("c"));
  CHECK_INT(record.flags(), BUSBAR_RECORD_MARKED);
}

void exceptions_become_statuses() {
  Host<Obey> host;
  Batch in, out;
  host.start();
  fill(in, {"a", "invalid"});
  CHECK_STATUS(host.process(in, {&out}), BUSBAR_INVALID);
  CHECK(in.raw()->batch.done == 1 && out.size() == 1 && host.error() == "never");
  fill(in, {"a", "b", "failed"});
  CHECK_STATUS(host.process(in, {&out}), BUSBAR_FAILED);
  CHECK(in.raw()->batch.done == 2 && out.size() == 2 && host.error() == "later");
  fill(in, {"a", "all failed"});
  CHECK_STATUS(host.process(in, {&out}), BUSBAR_FAILED);
  CHECK(in.raw()->batch.done == 0 && out.size() == 0);
  fill(in, {"throw"});
  CHECK_STATUS(host.process(in, {&out}), BUSBAR_FATAL);
  CHECK(host.error() == "broken");
  fill(in, {"int"});
  CHECK_STATUS(host.process(in, {&out}), BUSBAR_FATAL);
  fill(in, {"silent"});
  CHECK_STATUS(host.process(in, {&out}), BUSBAR_FATAL);
  fill(in, {"output"});
  CHECK_STATUS(host.process(in, {&out}), BUSBAR_FATAL);
  CHECK(host.error() == "Cannot use output 1: there is none");
}

void malformed_records_are_refused() {
  Host<Obey> host;
  Batch in, out;
  fill(in, {"a", "b"});
  const_cast<busbar_record_t *>(in[1].raw())->key_length = 99;
  host.start();
  CHECK_STATUS(host.process(in, {&out}), BUSBAR_INVALID);
  CHECK_INT(in.raw()->batch.done, 1);
  CHECK_INT(out.size(), 1);
}

void statuses_that_a_call_may_not_return_are_mapped() {
  Host<Picky> host;
  host.start();
  busbar_state_t state{};
  CHECK_STATUS(host.raw()->lifecycle->save(host.raw()->self, &state), BUSBAR_FAILED);
  CHECK_STATUS(host.stop(), BUSBAR_FAILED);
  CHECK(host.error() == "stuck");
  int32_t status;
  CHECK_TEXT(test_health(host.raw(), &status), 0, "");
  CHECK_STATUS(status, BUSBAR_OK);
  host->trouble = "disk full";
  CHECK_TEXT(test_health(host.raw(), &status), 9, "disk full");
  CHECK_STATUS(status, BUSBAR_FAILED);
  Host<Picky> next;
  CHECK_STATUS(next.restore({1, "x"}), BUSBAR_INVALID);
}

void completions_come_from_threads() {
  Host<Later> host;
  Batch good, bad;
  good.append(Event::text("good"));
  bad.append(Event::text("bad"));
  host.start();
  CHECK_STATUS(host.write(good, 7), BUSBAR_PENDING);
  CHECK_STATUS(test_wait_completions(host.raw(), 1)[0].status, BUSBAR_OK);
  CHECK_STATUS(host.write(bad, 8), BUSBAR_PENDING);
  const test_completion_t &second = test_wait_completions(host.raw(), 2)[1];
  CHECK(second.batch_id == 8 && second.status == BUSBAR_INVALID && std::string(second.message) == "not good");
  CHECK(test_wait_wake(host.raw(), 1, 10000));
  CHECK(test_metric(host.raw(), "writes_total") == 2);
}

void a_completion_ends_once() {
  Host<Later> host;
  Batch batch;
  batch.append(Event::text("drop"));
  host.start();
  CHECK_STATUS(host.write(batch, 9), BUSBAR_PENDING);
  CHECK_INT(host.raw()->completion_count, 1);
  CHECK_STATUS(host.raw()->completions[0].status, BUSBAR_FAILED);
  CHECK_INT(test_logged(host.raw(), BUSBAR_LOG_ERROR, "dropped on the way"), 1);

  busbar::Completion first(&host.raw()->context, &batch.raw()->batch);
  busbar::Completion second = std::move(first);
  CHECK(!first && second);
  second.ok();
  bool refused = false;
  try {
    second.failed(0, "again");
  } catch (const std::logic_error &) {
    refused = true;
  }
  CHECK(refused);
  second = busbar::Completion(&host.raw()->context, &batch.raw()->batch);
  second = busbar::Completion(&host.raw()->context, &batch.raw()->batch);
  CHECK_INT(host.raw()->completion_count, 3);
  second.fatal("end");
  CHECK_INT(host.raw()->completion_count, 4);
}

void a_bootstrap_fetches() {
  Host<Elements> host;
  Batch batch(1024, 2);
  host.start();
  CHECK_STATUS(host.fetch(batch), BUSBAR_MORE);
  CHECK_STATUS(host.fetch(batch), BUSBAR_DONE);
  CHECK(batch[0].key() == "c");
}

void a_service_answers() {
  Host<Echo> host;
  busbar_header_t header = {busbar_string("content-type"), busbar_string("text/plain")};
  busbar_call_t call = test_call("POST", "/a", "a body that is longer than what a string holds in place"), other = test_call("POST", "/b", "b");
  call.headers = other.headers = &header;
  call.header_count = other.header_count = 1;
  other.slot = 1;
  host.start();
  CHECK_STATUS(test_execute(host.raw(), &call), BUSBAR_OK);
  CHECK_STATUS(test_execute(host.raw(), &other), BUSBAR_OK);
  CHECK_INT(call.answer_status, 201);
  CHECK_TEXT(call.answer.data, call.answer.length, "a body that is longer than what a string holds in place");
  CHECK_TEXT(call.answer_headers[0].value.data, call.answer_headers[0].value.length, "text/plain");
  CHECK_TEXT(call.answer_headers[1].value.data, call.answer_headers[1].value.length, "/a");
  call = test_call("POST", "/a", "x");
  CHECK_STATUS(test_execute(host.raw(), &call), BUSBAR_INVALID);
  CHECK_INT(call.answer.length, 0);
}

void calls_that_fail_keep_their_own_messages() {
  Host<Echo> host;
  busbar_call_t first = test_call("POST", "/a", "x"), second = test_call("POST", "/b", "x");
  second.slot = 1;
  host.start();
  CHECK_STATUS(test_execute(host.raw(), &first), BUSBAR_INVALID);
  CHECK_STATUS(test_execute(host.raw(), &second), BUSBAR_INVALID);
  CHECK(std::string(first.error) == "no type for /a");
  CHECK(std::string(second.error) == "no type for /b");
  CHECK(host.error().empty());
  CHECK(host->context().component() == "echo");
}

void a_hook_answers() {
  Host<Guard> host;
  busbar_call_t call = test_call("GET", "/private", nullptr);
  host.start();
  CHECK_STATUS(test_before_request(host.raw(), &call), BUSBAR_DONE);
  CHECK_INT(call.answer_status, 403);
  call = test_call("GET", "/", nullptr);
  CHECK_STATUS(test_before_request(host.raw(), &call), BUSBAR_OK);
  CHECK_STATUS(test_handle(host.raw(), &call), BUSBAR_OK);
}

void logs_fields_and_streams() {
  Host<Picky> host;
  const busbar::Context context = host->context();
  const std::string path = "a b";
  context.log(busbar::Level::info, "Opened",
              {{"path", path}, {"lines", 3u}, {"offset", int64_t(-5)}, {"ratio", 0.5}, {"new", true}, busbar::Field::json("tags", "[1]")});
  CHECK_INT(test_logged(host.raw(), BUSBAR_LOG_INFO, "Opened path=a b lines=3 offset=-5 ratio=0.5 new=true tags=[1]"), 1);
  context.warning() << "Read " << 3 << " of " << path;
  CHECK_INT(test_logged(host.raw(), BUSBAR_LOG_WARNING, "Read 3 of a b"), 1);
  test_log_level = BUSBAR_LOG_ERROR;
  context.info() << "Silent";
  context.log(busbar::Level::info, "Silent");
  CHECK_INT(test_logged(host.raw(), BUSBAR_LOG_TRACE, "Silent"), 0);
  CHECK(context.component_id() == "picky" && context.pipeline_id() == "test");
}

}  // namespace

int main(int argc, char **argv) {
  test_main_static(argc, argv);
  TEST(tables_hold_what_classes_have);
  TEST(reads_settings);
  TEST(refuses_settings);
  TEST(a_source_appends_in_place_and_resumes);
  TEST(a_source_lends);
  TEST(a_processor_goes_on_after_more);
  TEST(a_processor_writes_in_place);
  TEST(exceptions_become_statuses);
  TEST(malformed_records_are_refused);
  TEST(statuses_that_a_call_may_not_return_are_mapped);
  TEST(completions_come_from_threads);
  TEST(a_completion_ends_once);
  TEST(a_bootstrap_fetches);
  TEST(a_service_answers);
  TEST(calls_that_fail_keep_their_own_messages);
  TEST(a_hook_answers);
  TEST(logs_fields_and_streams);
  return test_end();
}
