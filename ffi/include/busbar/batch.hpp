// batch.hpp: what each kind of component is called with. Part of busbar.hpp.  SPDX-License-Identifier: Apache-2.0
#ifndef BUSBAR_BATCH_HPP
#define BUSBAR_BATCH_HPP

#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "record.hpp"

namespace busbar {

/// poll: events are appended to it.
class PollBatch {
 public:
  explicit PollBatch(busbar_batch_t *batch) noexcept : raw_(batch) {}
  busbar_batch_t *raw() const noexcept { return raw_; }

  /// Appends an event and stamps it; false when there is no room: then return ok, and the next call has more.
  [[nodiscard]] bool append(const Event &event) noexcept {
    const busbar_event_t raw = event.raw();
    return busbar_append(raw_, &raw);
  }
  /// Room for a record with up to these lengths.
  Slot reserve(size_t key, size_t payload, size_t attributes = 0) noexcept {
    busbar_record_t *record = busbar_reserve(raw_, key, payload, attributes);
    if (record != nullptr) {
      record->source = uint16_t(raw_->source);
      record->sequence = raw_->next_sequence;
    }
    return Slot(raw_, record, true);
  }
  uint32_t count() const noexcept { return raw_->count; }

  /// Where to resume after what the batch now holds: at most BUSBAR_POSITION_MAX bytes that only the source understands.
  void set_position(std::string_view position) {
    if (!busbar_set_position(raw_, position.data(), uint32_t(position.size())))
      throw std::length_error("Cannot set a position of " + std::to_string(position.size()) + " bytes");
  }
  /// Has append() write to the source's own memory, 8-byte aligned, which stays unchanged until release(loan).
  /// For a batch that is still empty; `loan` is not null.
  void lend(void *memory, size_t capacity, void *loan) noexcept { busbar_lend(raw_, memory, capacity, loan); }

 private:
  busbar_batch_t *raw_;
};

/// fetch: elements that exist are appended to it.
class FetchBatch {
 public:
  explicit FetchBatch(busbar_batch_t *batch) noexcept : raw_(batch) {}
  busbar_batch_t *raw() const noexcept { return raw_; }

  /// Appends an element, as an INSERT with a key; false when there is no room: then return more.
  [[nodiscard]] bool append(std::string_view key, Event event) noexcept {
    event.key = key;
    event.operation = Operation::insert;
    const busbar_event_t raw = event.raw();
    return busbar_append(raw_, &raw);
  }
  uint32_t count() const noexcept { return raw_->count; }

 private:
  busbar_batch_t *raw_;
};

/// process: `for (Record record : batch)`, appending to batch.out(n).
class ProcessBatch {
 public:
  explicit ProcessBatch(busbar_batch_t *batch) noexcept : raw_(batch) {}
  busbar_batch_t *raw() const noexcept { return raw_; }

  Records::Iterator begin() const { return Records(raw_).begin(); }
  Records::Iterator end() const noexcept { return Records::Iterator(); }

  uint32_t out_count() const noexcept { return raw_->out_count; }
  /// In the manifest's order.
  Output out(uint32_t index = 0) const {
    if (index >= raw_->out_count) throw std::out_of_range("Cannot use output " + std::to_string(index) + ": there is none");
    return Output(raw_->out[index]);
  }

  /// An output was full when `record` was to be appended: the next call begins with it. To be returned.
  Status more(const Record &record) const noexcept {
    raw_->cursor = uint64_t(reinterpret_cast<const uint8_t *>(record.raw()) - raw_->data);
    return Status::more;
  }

 private:
  busbar_batch_t *raw_;
};

/// tick of a processor or, without outputs, of a reaction.
class TickBatch {
 public:
  explicit TickBatch(busbar_batch_t *batch) noexcept : raw_(batch) {}
  busbar_batch_t *raw() const noexcept { return raw_; }

  /// Nanoseconds since 1970.
  int64_t now() const noexcept { return raw_->now; }
  /// Whether the pipeline is stopping: emit what is complete.
  bool drain() const noexcept { return raw_->flags & BUSBAR_BATCH_DRAIN; }

  uint32_t out_count() const noexcept { return raw_->out_count; }
  Output out(uint32_t index = 0) const { return ProcessBatch(raw_).out(index); }

 private:
  busbar_batch_t *raw_;
};

/// A write that ends later. Made by WriteBatch::defer(), moved to wherever it ends, and ended exactly once, from any thread: by one of
/// the four methods, or as failed when it is destroyed before. The batch stays readable until then. `stop` returns after all have ended.
class Completion {
 public:
  Completion(const busbar_context_t *context, const busbar_batch_t *batch) noexcept : context_(context), batch_(batch), id_(batch->id) {}
  Completion(Completion &&other) noexcept
      : context_(std::exchange(other.context_, nullptr)), batch_(other.batch_), id_(other.id_) {}
  Completion &operator=(Completion &&other) noexcept {
    if (this != &other) {
      drop();
      context_ = std::exchange(other.context_, nullptr);
      batch_ = other.batch_;
      id_ = other.id_;
    }
    return *this;
  }
  Completion(const Completion &) = delete;
  Completion &operator=(const Completion &) = delete;
  ~Completion() { drop(); }

  /// Whether it is still to be ended.
  explicit operator bool() const noexcept { return context_ != nullptr; }
  uint64_t batch_id() const noexcept { return id_; }
  /// Until it is ended.
  Records records() const noexcept { return Records(batch_); }

  void ok() { end(BUSBAR_OK, 0, {}); }
  /// The records before `done` are accepted, the rest is offered again.
  void failed(uint32_t done, std::string_view message) { end(BUSBAR_FAILED, done, message); }
  /// The record at `index` can never be accepted.
  void invalid(uint32_t index, std::string_view message) { end(BUSBAR_INVALID, index, message); }
  void fatal(std::string_view message) { end(BUSBAR_FATAL, 0, message); }

 private:
  void end(int32_t status, uint32_t done, std::string_view message) {
    const busbar_context_t *context = std::exchange(context_, nullptr);
    if (context == nullptr) throw std::logic_error("Cannot end a write: it has ended already");
    context->host->complete(context, id_, status, done, detail::raw(message));
  }
  void drop() noexcept {
    if (context_ != nullptr) end(BUSBAR_FAILED, 0, "Dropped without an answer");
  }

  const busbar_context_t *context_;
  const busbar_batch_t *batch_;
  uint64_t id_;
};

/// write: `for (Record record : batch)`.
class WriteBatch {
 public:
  WriteBatch(const busbar_context_t *context, busbar_batch_t *batch) noexcept : context_(context), raw_(batch) {}
  busbar_batch_t *raw() const noexcept { return raw_; }

  Records::Iterator begin() const { return Records(raw_).begin(); }
  Records::Iterator end() const noexcept { return Records::Iterator(); }
  uint32_t count() const noexcept { return raw_->count; }
  uint64_t id() const noexcept { return raw_->id; }
  /// Offered before, perhaps by a process that crashed.
  bool replay() const noexcept { return raw_->flags & BUSBAR_BATCH_REPLAY; }

  /// Keeps the batch: whatever write returns or throws afterwards, the completion alone says how it ended. Once for a batch.
  [[nodiscard]] Completion defer() {
    if (deferred_) throw std::logic_error("Cannot defer a write twice");
    deferred_ = true;
    return Completion(context_, raw_);
  }
  bool deferred() const noexcept { return deferred_; }

 private:
  const busbar_context_t *context_;
  busbar_batch_t *raw_;
  bool deferred_ = false;
};

namespace detail {

// Answers of calls, which must outlive them: one for each slot.
struct Answer {
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<busbar_header_t> raw_headers;
};

class Answers {
 public:
  Answer &of(uint32_t slot) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return answers_[slot]; // a map: its nodes stay where they are
  }

 private:
  std::mutex mutex_;
  std::map<uint32_t, Answer> answers_;
};

}  // namespace detail

/// execute of a service and the calls of a hook: a request, and room for its answer.
class Call {
 public:
  Call(busbar_call_t *call, detail::Answer &answer) noexcept : raw_(call), answer_(answer) {}
  busbar_call_t *raw() const noexcept { return raw_; }

  std::string_view method() const noexcept { return detail::view(raw_->method); }
  std::string_view path() const noexcept { return detail::view(raw_->path); }
  /// Without the question mark.
  std::string_view query() const noexcept { return detail::view(raw_->query); }
  std::string_view body() const noexcept { return detail::view(raw_->body); }
  /// By its name in lower case.
  std::optional<std::string_view> header(std::string_view name) const noexcept {
    for (uint32_t i = 0; i < raw_->header_count; i++)
      if (detail::view(raw_->headers[i].name) == name) return detail::view(raw_->headers[i].value);
    return std::nullopt;
  }
  /// Nanoseconds since 1970; nobody waits for the answer after it.
  int64_t deadline() const noexcept { return raw_->deadline; }
  uint64_t id() const noexcept { return raw_->id; }

  /// Answers, in place of an answer that is there.
  void answer(std::string body, uint32_t http_status = 200) {
    answer_.body = std::move(body);
    busbar_answer(raw_, http_status, answer_.body.data(), answer_.body.size());
  }
  /// Adds a header to the answer; the name in lower case.
  void answer_header(std::string name, std::string value) {
    answer_.headers.emplace_back(std::move(name), std::move(value));
    answer_.raw_headers.clear();
    for (const auto &[key, text] : answer_.headers) answer_.raw_headers.push_back({detail::raw(key), detail::raw(text)});
    busbar_answer_headers(raw_, answer_.raw_headers.data(), uint32_t(answer_.raw_headers.size()));
  }

 private:
  busbar_call_t *raw_;
  detail::Answer &answer_;
};

}  // namespace busbar

#endif
