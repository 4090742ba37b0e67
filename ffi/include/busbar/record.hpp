// record.hpp: reads and writes events. Part of busbar.hpp.                   SPDX-License-Identifier: Apache-2.0
#ifndef BUSBAR_RECORD_HPP
#define BUSBAR_RECORD_HPP

#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "context.hpp"

namespace busbar {

enum class Operation : uint8_t {
  message = BUSBAR_OP_MESSAGE,
  insert = BUSBAR_OP_INSERT,
  update = BUSBAR_OP_UPDATE,
  remove = BUSBAR_OP_DELETE,
};

enum class ContentType : uint8_t {
  bytes = BUSBAR_CONTENT_BYTES,
  text = BUSBAR_CONTENT_TEXT,
  json = BUSBAR_CONTENT_JSON,
  msgpack = BUSBAR_CONTENT_MSGPACK,
  cbor = BUSBAR_CONTENT_CBOR,
  protobuf = BUSBAR_CONTENT_PROTOBUF,
  avro = BUSBAR_CONTENT_AVRO,
  arrow = BUSBAR_CONTENT_ARROW,
};

/// The attributes of a record, as pairs of views: `for (auto [name, value] : record.attributes())`.
class Attributes {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = std::pair<std::string_view, std::string_view>;
    using difference_type = std::ptrdiff_t;
    using pointer = const value_type *;
    using reference = const value_type &;

    explicit Iterator(const busbar_record_t *record) noexcept : record_(record) { ++*this; }
    reference operator*() const noexcept { return pair_; }
    Iterator &operator++() noexcept {
      busbar_string_t name, value;
      if (record_ != nullptr && busbar_next_attribute(record_, &offset_, &name, &value))
        pair_ = {detail::view(name), detail::view(value)};
      else record_ = nullptr;
      return *this;
    }
    bool operator!=(const Iterator &other) const noexcept { return record_ != other.record_; }
    bool operator==(const Iterator &other) const noexcept { return record_ == other.record_; }

   private:
    const busbar_record_t *record_;
    uint32_t offset_ = 0;
    value_type pair_;
  };

  explicit Attributes(const busbar_record_t *record) noexcept : record_(record) {}
  Iterator begin() const noexcept { return Iterator(record_); }
  Iterator end() const noexcept { return Iterator(nullptr); }

 private:
  const busbar_record_t *record_;
};

/// Bytes of attributes, to be written: `AttributeBytes().add("traceparent", id)` is an Event's `attributes`.
class AttributeBytes {
 public:
  AttributeBytes &add(std::string_view name, std::string_view value) {
    const uint32_t lengths[2] = {uint32_t(name.size()), uint32_t(value.size())};
    bytes_.append(reinterpret_cast<const char *>(lengths), sizeof lengths).append(name).append(value);
    return *this;
  }
  operator std::string_view() const noexcept { return bytes_; }

 private:
  std::string bytes_;
};

/// One event: a view into a batch, valid as long as the batch is.
class Record {
 public:
  Record(const busbar_record_t *record, uint32_t index) noexcept : raw_(record), index_(index) {}
  const busbar_record_t *raw() const noexcept { return raw_; }
  /// Which one of the call's batch it is, from 0.
  uint32_t index() const noexcept { return index_; }

  std::string_view key() const noexcept { return {reinterpret_cast<const char *>(busbar_key(raw_)), raw_->key_length}; }
  std::string_view payload() const noexcept { return {reinterpret_cast<const char *>(busbar_payload(raw_)), raw_->payload_length}; }
  Operation operation() const noexcept { return Operation(raw_->operation); }
  ContentType content_type() const noexcept { return ContentType(raw_->content_type); }
  uint16_t source() const noexcept { return raw_->source; }
  uint64_t sequence() const noexcept { return raw_->sequence; }
  /// Nanoseconds since 1970; 0: not known.
  int64_t timestamp() const noexcept { return raw_->timestamp; }
  /// BUSBAR_RECORD_*
  uint32_t flags() const noexcept { return raw_->flags; }

  Attributes attributes() const noexcept { return Attributes(raw_); }
  std::optional<std::string_view> attribute(std::string_view name) const noexcept {
    for (const auto &[found, value] : attributes())
      if (found == name) return value;
    return std::nullopt;
  }
  /// All attributes as they stand, to hand them on.
  std::string_view attribute_bytes() const noexcept {
    return {reinterpret_cast<const char *>(busbar_payload(raw_)) + raw_->payload_length, raw_->attributes_length};
  }

 private:
  const busbar_record_t *raw_;
  uint32_t index_;
};

inline Failed::Failed(const Record &record, const std::string &message) : Failed(record.index(), message) {}
inline Invalid::Invalid(const Record &record, const std::string &message) : Invalid(record.index(), message) {}

/// The records of a batch. Bounds are checked on the way; where lengths do not fit, going on throws Invalid with the record's index.
class Records {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Record;
    using difference_type = std::ptrdiff_t;
    using pointer = const Record *;
    using reference = Record;

    Iterator() = default;
    explicit Iterator(const busbar_iterator_t &it) : it_(it) { ++*this; }
    Record operator*() const noexcept { return Record(record_, it_.index - 1); }
    Iterator &operator++() {
      record_ = busbar_next(&it_);
      if (record_ == nullptr && it_.malformed) malformed(it_.index);
      return *this;
    }
    bool operator!=(const Iterator &other) const noexcept { return record_ != other.record_; }
    bool operator==(const Iterator &other) const noexcept { return record_ == other.record_; }

   private:
    // Static, so that the iterator's address does not escape and it stays in registers.
    [[noreturn]] static void malformed(uint32_t index) {
      throw Invalid(index, "Cannot read record " + std::to_string(index) + " of the batch: its lengths do not fit");
    }

    busbar_iterator_t it_{};
    const busbar_record_t *record_ = nullptr;
  };

  explicit Records(const busbar_batch_t *batch) noexcept : batch_(batch) {}
  /// From where the call is to go on.
  Iterator begin() const { return Iterator(busbar_iterate_from(batch_, batch_->cursor)); }
  Iterator end() const noexcept { return Iterator(); }

 private:
  const busbar_batch_t *batch_;
};

/// What to append. Nothing of it is kept.
struct Event {
  std::string_view payload{};
  std::string_view key{};
  std::string_view attributes{};
  int64_t timestamp = 0;
  Operation operation = Operation::message;
  ContentType content_type = ContentType::bytes;
  uint32_t flags = 0;

  static Event text(std::string_view payload, std::string_view key = {}) { return of(ContentType::text, payload, key); }
  static Event json(std::string_view payload, std::string_view key = {}) { return of(ContentType::json, payload, key); }

  busbar_event_t raw() const noexcept {
    busbar_event_t event;
    event.payload = payload.data();
    event.key = key.data();
    event.attributes = attributes.data();
    event.payload_length = uint32_t(payload.size());
    event.key_length = uint32_t(key.size());
    event.attributes_length = uint32_t(attributes.size());
    event.flags = flags;
    event.timestamp = timestamp;
    event.operation = uint8_t(operation);
    event.content_type = uint8_t(content_type);
    return event;
  }

 private:
  static Event of(ContentType type, std::string_view payload, std::string_view key) {
    Event event;
    event.payload = payload;
    event.key = key;
    event.content_type = type;
    return event;
  }
};

/// Room for one record in an arena, to be filled in place; false when there is none. Nothing is appended without commit().
class Slot {
 public:
  Slot(busbar_batch_t *batch, busbar_record_t *record, bool counts) noexcept : batch_(batch), record_(record), counts_(counts) {}
  explicit operator bool() const noexcept { return record_ != nullptr; }

  char *key() noexcept { return reinterpret_cast<char *>(record_ + 1); }
  char *payload() noexcept { return key() + record_->key_length; }
  char *attributes() noexcept { return payload() + record_->payload_length; }
  Slot &operation(Operation operation) noexcept { return record_->operation = uint8_t(operation), *this; }
  Slot &content_type(ContentType type) noexcept { return record_->content_type = uint8_t(type), *this; }
  Slot &timestamp(int64_t nanoseconds) noexcept { return record_->timestamp = nanoseconds, *this; }
  Slot &flags(uint32_t flags) noexcept { return record_->flags = flags, *this; }

  void commit() noexcept {
    if (counts_) batch_->next_sequence++;
    busbar_commit(batch_, record_);
    record_ = nullptr;
  }
  /// With a payload that has become shorter than what was asked for; attributes that are there already move up to it.
  void commit(size_t payload_length) noexcept {
    std::memmove(payload() + payload_length, attributes(), record_->attributes_length);
    record_->payload_length = uint32_t(payload_length);
    commit();
  }

 private:
  busbar_batch_t *batch_;
  busbar_record_t *record_;
  bool counts_;
};

/// One output of a processor. What does not fit is not appended, and false is returned: then return more().
class Output {
 public:
  explicit Output(busbar_batch_t *batch) noexcept : raw_(batch) {}
  busbar_batch_t *raw() const noexcept { return raw_; }
  uint32_t count() const noexcept { return raw_->count; }

  /// Appends the record as it is.
  [[nodiscard]] bool copy(const Record &record) noexcept { return busbar_copy(raw_, record.raw()); }
  /// Appends an event that stems from `origin`, whose sequence and source it keeps.
  [[nodiscard]] bool derive(const Record &origin, const Event &event) noexcept {
    const busbar_event_t raw = event.raw();
    return busbar_derive(raw_, origin.raw(), &raw);
  }
  /// Appends an event that stems from no single one.
  [[nodiscard]] bool emit(const Event &event) noexcept {
    const busbar_event_t raw = event.raw();
    return busbar_emit(raw_, &raw);
  }
  /// Room for a record with up to these lengths that stems from `origin`.
  Slot reserve(const Record &origin, size_t key, size_t payload, size_t attributes = 0) noexcept {
    busbar_record_t *record = busbar_reserve(raw_, key, payload, attributes);
    if (record != nullptr) {
      record->source = origin.source();
      record->sequence = origin.sequence();
    }
    return Slot(raw_, record, false);
  }

 private:
  busbar_batch_t *raw_;
};

}  // namespace busbar

#endif
