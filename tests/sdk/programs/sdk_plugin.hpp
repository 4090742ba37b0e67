// A component of each kind, as small as it can be.
#ifndef SDK_PLUGIN_HPP
#define SDK_PLUGIN_HPP

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "busbar.hpp"

using busbar::Event;
using busbar::Record;
using busbar::Status;

// Three lines, then the end. "lend": from its own memory.
class Lines : public busbar::Source {
 public:
  static constexpr const char *name = "lines";
  explicit Lines(busbar::Context context) : Source(context), lend_(context.config()["lend"].boolean(false)) {}

  void start() {
    if (!context().position().empty()) count_ = busbar::ByteReader(context().position()).number<uint64_t>();
  }
  Status poll(busbar::PollBatch &batch) {
    if (lend_) {
      batch.lend(memory_, sizeof memory_, this);
      lent_++;
    }
    for (; count_ < 3; count_++) {
      const std::string line = "line " + std::to_string(count_ + 1);
      busbar::Slot slot = batch.reserve(0, 100);
      if (!slot) break;
      line.copy(slot.payload(), line.size());
      slot.content_type(busbar::ContentType::text).timestamp(7).commit(line.size());
    }
    batch.set_position(busbar::ByteWriter().number(count_).take());
    return count_ < 3 ? Status::ok : Status::done;
  }
  void commit(std::string_view position) { busbar::ByteReader(position).number<uint64_t>(); }
  void release(void *loan) {
    if (loan != this) throw std::logic_error("no such loan");
    lent_--;
  }
  int lent() const { return lent_; }

 private:
  bool lend_;
  int lent_ = 0;
  uint64_t count_ = 0;
  alignas(8) char memory_[512];
};

// Does what the payloads say.
class Obey : public busbar::Processor {
 public:
  static constexpr const char *name = "obey";
  using Processor::Processor;

  Status process(busbar::ProcessBatch &batch) {
    for (Record record : batch) {
      const std::string_view order = record.payload();
      if (order == "invalid") throw busbar::Invalid(record, "never");
      if (order == "failed") throw busbar::Failed(record, "later");
      if (order == "all failed") throw busbar::Failed("nothing now");
      if (order == "throw") throw std::runtime_error("broken");
      if (order == "int") throw 1;
      if (order == "silent") throw std::runtime_error("");
      if (order == "output") batch.out(1);
      if (order == "in place") {
        busbar::Slot slot = batch.out().reserve(record, record.key().size(), 64, record.attribute_bytes().size());
        if (!slot) return batch.more(record);
        record.key().copy(slot.key(), record.key().size());
        record.attribute_bytes().copy(slot.attributes(), record.attribute_bytes().size());
        slot.payload()[0] = '!';
        slot.operation(record.operation()).flags(BUSBAR_RECORD_MARKED).commit(1);
        continue;
      }
      if (!batch.out().copy(record)) return batch.more(record);
    }
    return Status::ok;
  }
};

// Ends its writes from a thread of its own.
class Later : public busbar::Reaction {
 public:
  static constexpr const char *name = "later";
  using Reaction::Reaction;
  ~Later() { stop(); }

  void start() {
    thread_ = std::thread([this] {
      std::unique_lock<std::mutex> lock(mutex_);
      for (;;) {
        ready_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        if (queue_.empty()) return;
        busbar::Completion completion = std::move(queue_.front());
        queue_.pop_front();
        uint32_t count = 0;
        for (Record record : completion.records()) count += record.payload() == "good";
        if (count > 0) completion.ok();
        else completion.invalid(0, "not good");
        context().counter("writes_total");
        context().wake();
      }
    });
  }
  void stop() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    ready_.notify_one();
    if (thread_.joinable()) thread_.join();
  }
  void write(busbar::WriteBatch &batch) {
    busbar::Completion completion = batch.defer();
    if ((*batch.begin()).payload() == "drop") throw busbar::Failed("dropped on the way");
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      queue_.push_back(std::move(completion));
    }
    ready_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<busbar::Completion> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

class Elements : public busbar::Bootstrap {
 public:
  static constexpr const char *name = "elements";
  using Bootstrap::Bootstrap;
  Status fetch(busbar::FetchBatch &batch) {
    for (; next_ < 'd'; next_++)
      if (!batch.append(std::string(1, next_), Event::json("{}"))) return Status::more;
    return Status::done;
  }

 private:
  char next_ = 'a';
};

class Echo : public busbar::Service {
 public:
  static constexpr const char *name = "echo";
  using Service::Service;
  void execute(busbar::Call &call) {
    if (!call.header("content-type")) throw busbar::Invalid("no type for " + std::string(call.path()));
    call.answer_header("content-type", std::string(*call.header("content-type")));
    call.answer_header("x-path", std::string(call.path()));
    call.answer(std::string(call.body()), 201);
  }
};

class Guard : public busbar::Hook {
 public:
  static constexpr const char *name = "guard";
  using Hook::Hook;
  Status before_request(busbar::Call &call) {
    if (call.path() != "/private") return Status::ok;
    call.answer("no", 403);
    return Status::done;
  }
};

// A config that can be refused, a state, and a health.
class Picky : public busbar::Processor {
 public:
  static constexpr const char *name = "picky";
  explicit Picky(busbar::Context context) : Processor(context) {
    const busbar::Json config = context.config();
    limit = config["limits"]["count"].integer(1);
    size = config["size"].size(0);
    wait = config["wait"].duration(std::chrono::seconds(1));
    for (busbar::Json path : config["paths"]) paths.push_back(path.string());
  }
  void process(busbar::ProcessBatch &) {}
  void stop() { throw std::runtime_error("stuck"); }
  std::string health() { return trouble; }
  busbar::State save() { throw busbar::Invalid("unsaved"); }
  void restore(busbar::StateView state) { trouble = busbar::ByteReader(state.data).bytes(); }

  int64_t limit, size;
  std::chrono::nanoseconds wait{};
  std::vector<std::string> paths;
  std::string trouble;
};

BUSBAR_EXPORT_PLUGIN(Lines, Obey, Later, Elements, Echo, Guard, Picky)

#endif
