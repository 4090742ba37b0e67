// Tests of parquet-archive; tests/integration/plugins/parquet_archive_test.ts compiles and runs them.
#include "busbar/test.hpp"
#include "archive.hpp"

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <parquet/arrow/reader.h>
#include <sys/resource.h>

#include <fstream>
#include <functional>

using busbar::Event;
using busbar::test::Batch;
using busbar::test::Host;
namespace fs = std::filesystem;

namespace {

// A folder that is gone at the end of a test that passes.
struct Folder {
  Folder() {
    const char *parent = getenv("TMPDIR");
    std::string name = std::string(parent == nullptr ? "/tmp" : parent) + "/busbar_parquet_XXXXXX";
    CHECK(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { fs::remove_all(path); }

  std::string config(const std::string &settings = "") const { return R"({"directory":")" + (path / "out").string() + "\"" + settings + "}"; }
  // Names with this ending, sorted; in all folders.
  std::vector<fs::path> files(const std::string &suffix = ".parquet") const {
    std::vector<fs::path> found;
    for (const auto &entry : fs::recursive_directory_iterator(path)) {
      const std::string name = entry.path().string();
      if (name.size() > suffix.size() && name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0) found.push_back(entry.path());
    }
    std::sort(found.begin(), found.end());
    return found;
  }

  fs::path path;
};

std::shared_ptr<arrow::Table> read_file(const fs::path &path) {
  const auto file = arrow::io::ReadableFile::Open(path.string()).ValueOrDie();
  const auto reader = parquet::arrow::OpenFile(file, arrow::default_memory_pool()).ValueOrDie();
  return reader->ReadTable().ValueOrDie()->CombineChunks().ValueOrDie();
}

std::string cell(const arrow::Table &table, const std::string &column, int64_t row) {
  return table.GetColumnByName(column)->chunk(0)->GetScalar(row).ValueOrDie()->ToString();
}

// The sequences in all files, in order.
std::vector<uint64_t> sequences(const Folder &folder) {
  std::vector<uint64_t> all;
  for (const fs::path &path : folder.files()) {
    const auto table = read_file(path);
    const auto &column = static_cast<const arrow::UInt64Array &>(*table->GetColumnByName("sequence")->chunk(0));
    for (int64_t row = 0; row < column.length(); row++) all.push_back(column.Value(row));
  }
  return all;
}

void check_up_to(const std::vector<uint64_t> &sequences, uint64_t last) {
  CHECK_INT(sequences.size(), last);
  for (uint64_t i = 0; i < last; i++) CHECK_INT(sequences[i], i + 1);
}

// Fills a batch with events first … last, the same for the same number but for what may differ in a replay.
void fill(Batch &batch, uint64_t first, uint64_t last, int64_t timestamp = 0) {
  batch.clear();
  batch.raw()->batch.next_sequence = first;
  for (uint64_t i = first; i <= last; i++) {
    const std::string text = "event " + std::to_string(i);
    Event event = Event::text(text);
    event.timestamp = timestamp;
    batch.append(event);
  }
}

// Runs `body` in a process that is then gone, as if it had been killed.
void crash_after(const std::function<void()> &body) {
  const pid_t child = fork();
  if (child == 0) {
    body();
    _exit(0);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

// A process that writes events first … last and ends with a flush and without stop.
void crash_with(const Folder &folder, uint64_t first, uint64_t last, const std::string &settings = "") {
  crash_after([&] {
    auto *host = new Host<Archive>(folder.config(settings));
    Batch batch;
    CHECK_STATUS(host->start(), BUSBAR_OK);
    fill(batch, first, last);
    CHECK_STATUS(host->write(batch), BUSBAR_OK);
    CHECK_STATUS(host->flush(), BUSBAR_OK);
  });
}

/* ---- Tests ------------------------------------------------------------------------------------------------------------ */

void writes_raw_columns() {
  Folder folder;
  Host<Archive> host(folder.config(R"(,"row_group_rows":1)"));
  Batch batch;
  test_acknowledge(host.raw(), "web", 0, 0);
  CHECK_STATUS(host.start(), BUSBAR_OK);
  const auto attributes = busbar::AttributeBytes().add("trace", "a").add("bad\xff", "\xc3\xa9");
  batch.append(Event{std::string_view("pay\0load", 8), "k", attributes, 1234567890123456789, busbar::Operation::insert, busbar::ContentType::bytes, 0});
  batch.append(Event::text(""));
  CHECK_STATUS(host.write(batch), BUSBAR_OK);
  CHECK_STATUS(host.stop(), BUSBAR_OK);
  CHECK_INT(folder.files().size(), 1);
  const auto table = read_file(folder.files()[0]);
  CHECK_INT(table->num_rows(), 2);
  CHECK(cell(*table, "source", 0) == "web");
  CHECK(cell(*table, "sequence", 1) == "2");
  CHECK(cell(*table, "operation", 0) == "insert" && cell(*table, "operation", 1) == "message");
  CHECK(cell(*table, "timestamp", 1) == "null");
  const auto &times = static_cast<const arrow::TimestampArray &>(*table->GetColumnByName("timestamp")->chunk(0));
  CHECK_INT(times.Value(0), 1234567890123456789);
  const auto &payloads = static_cast<const arrow::BinaryArray &>(*table->GetColumnByName("payload")->chunk(0));
  CHECK(payloads.GetView(0) == std::string_view("pay\0load", 8) && payloads.GetView(1).empty());
  const auto &maps = static_cast<const arrow::MapArray &>(*table->GetColumnByName("attributes")->chunk(0));
  CHECK_INT(maps.value_length(0), 2);
  CHECK_INT(maps.value_length(1), 0);
  CHECK(static_cast<const arrow::StringArray &>(*maps.keys()).GetView(1) == "bad\xef\xbf\xbd");
  CHECK(static_cast<const arrow::StringArray &>(*maps.items()).GetView(1) == "\xc3\xa9");
  CHECK(folder.files(".journal").empty() && folder.files(".part").empty());
  CHECK_INT(test_metric(host.raw(), "rows_total"), 2);
  CHECK_INT(test_metric(host.raw(), "files_total"), 1);
}

constexpr const char *COLUMNS = R"(,"columns":[{"name":"s","type":"string"},{"name":"i","type":"int64","path":"in.i"},{"name":"d","type":"double"},)"
                                R"({"name":"b","type":"bool"},{"name":"t","type":"timestamp"},{"name":"j","type":"json"}])";

void takes_columns_out_of_payloads() {
  Folder folder;
  Host<Archive> host(folder.config(COLUMNS));
  Batch batch;
  CHECK_STATUS(host.start(), BUSBAR_OK);
  batch.append(Event::json(R"({"s":"\u00e9","in":{"i":-5},"d":1.5,"b":true,"t":"2026-08-01T12:30:00.25+02:00","j":{"a": [1]},"other":1})"));
  batch.append(Event::json(R"({"s":null,"d":2})"));
  CHECK_STATUS(host.write(batch), BUSBAR_OK);
  CHECK_STATUS(host.stop(), BUSBAR_OK);
  const auto table = read_file(folder.files().at(0));
  CHECK_INT(table->num_columns(), 6);
  const std::pair<const char *, const char *> expected[] = {{"s", "\xc3\xa9"}, {"i", "-5"}, {"d", "1.5"}, {"b", "true"}, {"j", R"({"a": [1]})"}};
  for (const auto &[column, text] : expected) {
    const std::string found = cell(*table, column, 0);
    CHECK_TEXT(found.data(), found.size(), text);
  }
  const auto &times = static_cast<const arrow::TimestampArray &>(*table->GetColumnByName("t")->chunk(0));
  CHECK_INT(times.Value(0), 1785580200250000000);
  for (const char *column : {"s", "i", "b", "t", "j"}) CHECK(cell(*table, column, 1) == "null");
  CHECK(cell(*table, "d", 1) == "2");
}

void refuses_what_is_not_of_its_type() {
  Folder folder;
  Host<Archive> host(folder.config(COLUMNS));
  Batch batch;
  CHECK_STATUS(host.start(), BUSBAR_OK);
  const char *wrong[] = {R"({"s":1})",     R"({"in":{"i":1.5}})", R"({"d":"1"})",           R"({"b":0})",     R"({"t":"2026-02-30T00:00:00Z"})",
                         R"({"t":"now"})", R"([1])",              "{\"s\":\"\xff\"}", R"({"t":1785587400})", "no JSON"};
  for (const char *payload : wrong) {
    batch.clear();
    batch.append(Event::json(R"({"d":1})"));
    batch.append(Event::json(payload));
    CHECK_STATUS(host.write(batch), BUSBAR_INVALID);
    CHECK_INT(batch.raw()->batch.done, 1);
  }
  CHECK(host.error() == "Cannot take columns out of the payload: it is no JSON object");
  CHECK_STATUS(host.stop(), BUSBAR_OK);
  CHECK_INT(read_file(folder.files().at(0))->num_rows(), int64_t(std::size(wrong)));
}

void refuses_settings() {
  Folder folder;
  for (const char *settings : {R"(,"compression":"best")", R"(,"columns":[])", R"(,"columns":[{"name":"a","type":"text"}])", R"(,"prefix":"a/b")",
                               R"(,"columns":[{"name":"a","type":"bool"},{"name":"a","type":"bool"}])", R"(,"max_file_rows":0)"}) {
    Host<Archive> host(folder.config(settings), false);
    CHECK_STATUS(host.create(), BUSBAR_FAILED);
  }
  CHECK(!fs::exists(folder.path / "out"));
}

void begins_a_new_file_by_rows_size_and_age() {
  const std::pair<const char *, size_t> cases[] = {
      {R"(,"max_file_rows":10)", 10}, {R"(,"max_file_size":"480B","compression":"none")", 10}, {R"(,"max_file_age":"0s")", 100}};
  for (const auto &[settings, files] : cases) {
    Folder folder;
    Host<Archive> host(folder.config(settings));
    Batch batch;
    CHECK_STATUS(host.start(), BUSBAR_OK);
    fill(batch, 1, 100);
    CHECK_STATUS(host.write(batch), BUSBAR_OK);
    CHECK_STATUS(host.tick(busbar_now()), BUSBAR_OK);
    CHECK_INT(folder.files().size(), files);
    CHECK(folder.files(".journal").empty());
    check_up_to(sequences(folder), 100);
  }
}

void sorts_into_folders_by_date() {
  Folder folder;
  Host<Archive> host(folder.config(R"(,"partition_by_date":true,"prefix":"x-20")"));
  Batch batch;
  CHECK_STATUS(host.start(), BUSBAR_OK);
  fill(batch, 1, 3);
  CHECK_STATUS(host.write(batch), BUSBAR_OK);
  CHECK_STATUS(host.stop(), BUSBAR_OK);
  const fs::path file = folder.files().at(0);
  const std::string day = file.filename().string().substr(5, 8);
  CHECK(file.parent_path().filename().string() == "date=" + day.substr(0, 4) + "-" + day.substr(4, 2) + "-" + day.substr(6));
  check_up_to(sequences(folder), 3);
}

void lets_one_at_a_time_in() {
  Folder folder;
  Host<Archive> first(folder.config()), second(folder.config()), other(folder.config(R"(,"prefix":"other")"));
  CHECK_STATUS(first.start(), BUSBAR_OK);
  CHECK_STATUS(second.start(), BUSBAR_FAILED);
  CHECK_STATUS(other.start(), BUSBAR_OK);
  CHECK_STATUS(first.stop(), BUSBAR_OK);
  CHECK_STATUS(second.start(), BUSBAR_OK);
}

void has_each_event_once_after_a_crash() {
  // Nothing is acknowledged, some, or everything, while a file is open or after it was finished.
  for (const char *settings : {"", R"(,"max_file_rows":7)"}) {
    for (const uint64_t acknowledged : {0, 40, 60}) {
      Folder folder;
      crash_with(folder, 1, 60, settings);
      Host<Archive> host(folder.config(settings));
      Batch batch;
      test_acknowledge(host.raw(), "in", 0, acknowledged);
      CHECK_STATUS(host.start(), BUSBAR_OK);
      fill(batch, acknowledged + 1, 100, 5);
      CHECK_STATUS(host.write(batch), BUSBAR_OK);
      CHECK_STATUS(host.stop(), BUSBAR_OK);
      check_up_to(sequences(folder), 100);
      CHECK_INT(test_metric(host.raw(), "repeated_rows_total"), 60 - acknowledged);
    }
  }
}

void knows_other_events_with_the_same_numbers() {
  Folder folder;
  crash_with(folder, 1, 10);
  Host<Archive> host(folder.config());
  Batch batch;
  CHECK_STATUS(host.start(), BUSBAR_OK);
  batch.append(Event::text("something else"));
  CHECK_STATUS(host.write(batch), BUSBAR_OK);
  CHECK_STATUS(host.stop(), BUSBAR_OK);
  CHECK_INT(sequences(folder).size(), 11);
}

void knows_events_of_another_store() {
  Folder folder;
  const std::string stores[] = {(folder.path / "data").string(), (folder.path / "other").string()};
  const auto run = [&](const std::string &store) {
    Host<Archive> host(folder.config());
    Batch batch;
    host.raw()->context.data_directory = busbar_string(store.c_str());
    CHECK_STATUS(host.start(), BUSBAR_OK);
    fill(batch, 1, 10);
    CHECK_STATUS(host.write(batch), BUSBAR_OK);
    CHECK_STATUS(host.stop(), BUSBAR_OK);
    return sequences(folder).size();
  };
  CHECK_INT(run(stores[0]), 10);
  CHECK_INT(run(stores[0]), 10);
  CHECK_INT(run(stores[1]), 20);
}

void forgets_lists_that_are_acknowledged() {
  Folder folder;
  crash_with(folder, 1, 10, R"(,"max_file_rows":5)");
  CHECK_INT(folder.files(".seen").size(), 2);
  Host<Archive> host(folder.config());
  test_acknowledge(host.raw(), "in", 0, 10);
  CHECK_STATUS(host.start(), BUSBAR_OK);
  CHECK(folder.files(".seen").empty());
  check_up_to(sequences(folder), 10);
}

void cuts_off_half_an_event() {
  Folder folder;
  crash_with(folder, 1, 10);
  const fs::path journal = folder.files(".journal").at(0);
  fs::resize_file(journal, fs::file_size(journal) - 5);
  Host<Archive> host(folder.config());
  Batch batch;
  CHECK_STATUS(host.start(), BUSBAR_OK);
  CHECK_INT(test_logged(host.raw(), BUSBAR_LOG_WARNING, "last whole event"), 1);
  fill(batch, 1, 10);
  CHECK_STATUS(host.write(batch), BUSBAR_OK);
  CHECK_STATUS(host.stop(), BUSBAR_OK);
  check_up_to(sequences(folder), 10);
}

void finishes_what_a_crash_left_half_written() {
  Folder folder;
  crash_with(folder, 1, 10);
  fs::path part = folder.files(".journal").at(0);
  part.replace_extension(".parquet.part");
  std::ofstream(part) << "PAR1 and no more";
  Host<Archive> host(folder.config());
  CHECK_STATUS(host.start(), BUSBAR_OK);
  CHECK(folder.files(".part").empty());
  check_up_to(sequences(folder), 10);
}

void knows_a_file_that_was_finished_before_a_crash() {
  Folder folder;
  crash_with(folder, 1, 10);
  const fs::path journal = folder.files(".journal").at(0), copy = folder.path / "copy";
  fs::copy_file(journal, copy);
  for (int start = 0; start < 2; start++) {
    Host<Archive> host(folder.config());
    Batch batch;
    CHECK_STATUS(host.start(), BUSBAR_OK);
    CHECK(!fs::exists(journal));
    fill(batch, 1, 10);
    CHECK_STATUS(host.write(batch), BUSBAR_OK);
    CHECK_STATUS(host.stop(), BUSBAR_OK);
    check_up_to(sequences(folder), 10);
    fs::rename(copy, journal);
    fs::copy_file(journal, copy);
  }
}

void limit_file_size(rlim_t bytes) {
  const struct rlimit limit{bytes, RLIM_INFINITY};
  CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

void loses_nothing_when_the_disk_is_full() {
  Folder folder;
  signal(SIGXFSZ, SIG_IGN);
  Host<Archive> host(folder.config(R"(,"max_file_rows":3000,"compression":"none")"));
  Batch batch(1 << 20, 10000);
  CHECK_STATUS(host.start(), BUSBAR_OK);
  fill(batch, 1, 2000);
  CHECK_STATUS(host.write(batch), BUSBAR_OK);
  // The journal does not fit …
  limit_file_size(1000);
  CHECK_STATUS(host.flush(), BUSBAR_FAILED);
  CHECK(host->health().find("Cannot write to") == 0);
  CHECK(folder.files().empty());
  // … then it does, but the file does not.
  limit_file_size(RLIM_INFINITY);
  CHECK_STATUS(host.flush(), BUSBAR_OK);
  CHECK(host->health().empty());
  fill(batch, 2001, 3000);
  CHECK_STATUS(host.write(batch), BUSBAR_OK);
  CHECK_STATUS(host.flush(), BUSBAR_OK);
  CHECK_INT(folder.files().size(), 1);
  fill(batch, 3001, 6000);
  CHECK_STATUS(host.write(batch), BUSBAR_OK);
  limit_file_size(10000);
  fill(batch, 6001, 7000);
  for (int attempt = 0; attempt < 2; attempt++) {
    CHECK_STATUS(host.write(batch), BUSBAR_FAILED);
    CHECK_INT(batch.raw()->batch.done, 0);
    CHECK_INT(folder.files().size(), 1);
    CHECK(folder.files(".part").empty());
  }
  limit_file_size(RLIM_INFINITY);
  CHECK_STATUS(host.write(batch), BUSBAR_OK);
  CHECK_STATUS(host.stop(), BUSBAR_OK);
  check_up_to(sequences(folder), 7000);
}

}  // namespace

int main(int argc, char **argv) {
  test_main_static(argc, argv);
  TEST(writes_raw_columns);
  TEST(takes_columns_out_of_payloads);
  TEST(refuses_what_is_not_of_its_type);
  TEST(refuses_settings);
  TEST(begins_a_new_file_by_rows_size_and_age);
  TEST(sorts_into_folders_by_date);
  TEST(lets_one_at_a_time_in);
  TEST(has_each_event_once_after_a_crash);
  TEST(knows_other_events_with_the_same_numbers);
  TEST(knows_events_of_another_store);
  TEST(forgets_lists_that_are_acknowledged);
  TEST(cuts_off_half_an_event);
  TEST(finishes_what_a_crash_left_half_written);
  TEST(knows_a_file_that_was_finished_before_a_crash);
  TEST(loses_nothing_when_the_disk_is_full);
  return test_end();
}
