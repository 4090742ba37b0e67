// json.hpp: reads a component's config. Part of busbar.hpp.                  SPDX-License-Identifier: Apache-2.0
#ifndef BUSBAR_JSON_HPP
#define BUSBAR_JSON_HPP

#include <chrono>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

#include "../busbar_json.h"
#include "errors.hpp"

namespace busbar {

/// One JSON value, or a missing one: a view of the text it came from, which must outlive it.
///
/// Getters throw Failed when the value is of another type or does not fit; those with a fallback return it when the value is missing.
/// The host has checked a config against the schema and filled defaults in, so `config["limit"].integer()` is enough where the
/// schema has a default.
class Json {
 public:
  Json() = default;
  explicit Json(std::string_view text) : value_(busbar_json(busbar_string_t{text.data(), text.size()})) {}
  Json(busbar_json_t value, std::string name) : value_(value), name_(std::move(name)) {}

  /// Whether it is there.
  explicit operator bool() const noexcept { return type() != BUSBAR_JSON_MISSING; }
  /// BUSBAR_JSON_*
  int type() const noexcept { return busbar_json_type(value_); }
  /// As it stands in the text.
  std::string_view text() const noexcept { return *this ? std::string_view(value_.at, size_t(value_.end - value_.at)) : std::string_view(); }

  /// The member of an object; missing when there is none.
  Json operator[](const char *name) const { return Json(busbar_json_get(value_, name), name_.empty() ? name : name_ + "." + name); }

  bool boolean() const {
    int value = 0;
    const int found = busbar_json_bool(value_, &value);
    return get(found, value != 0, "true or false");
  }
  bool boolean(bool fallback) const { return *this ? boolean() : fallback; }

  int64_t integer() const {
    int64_t value = 0;
    const int found = busbar_json_integer(value_, &value);
    return get(found, value, "an integer of 64 bits");
  }
  int64_t integer(int64_t fallback) const { return *this ? integer() : fallback; }

  double number() const {
    double value = 0;
    const int found = busbar_json_number(value_, &value);
    return get(found, value, "a number");
  }
  double number(double fallback) const { return *this ? number() : fallback; }

  std::string string() const {
    std::string value(value_.at == nullptr ? 1 : size_t(value_.end - value_.at), '\0');
    size_t length = 0;
    if (!busbar_json_string(value_, value.data(), value.size(), &length)) throw wrong("a string");
    value.resize(length);
    return value;
  }
  std::string string(std::string fallback) const { return *this ? string() : std::move(fallback); }

  /// "500ms", "1.5s", "5m", "1h", "1d"
  std::chrono::nanoseconds duration() const {
    int64_t value = 0;
    const int found = busbar_json_duration(value_, &value);
    return std::chrono::nanoseconds(get(found, value, "a duration such as \"5s\""));
  }
  std::chrono::nanoseconds duration(std::chrono::nanoseconds fallback) const { return *this ? duration() : fallback; }

  /// "64MiB", "10MB" or a number, in bytes.
  int64_t size() const {
    int64_t value = 0;
    const int found = busbar_json_size(value_, &value);
    return get(found, value, "a size such as \"64MiB\"");
  }
  int64_t size(int64_t fallback) const { return *this ? size() : fallback; }

  class Iterator;
  /// The elements of an array or the members of an object; nothing for other values.
  inline Iterator begin() const;
  inline Iterator end() const;

  /// Name of the member when it is reached by going over an object or by operator[], with a dot between levels.
  const std::string &name() const noexcept { return name_; }

 private:
  Failed wrong(const char *expected) const {
    return Failed("Cannot read config: \"" + name_ + "\" is " + (*this ? std::string(text().substr(0, 100)) : "missing") + ", use " + expected);
  }
  template <class T>
  T get(int found, T value, const char *expected) const {
    if (!found) throw wrong(expected);
    return value;
  }

  busbar_json_t value_{nullptr, nullptr};
  std::string name_;
};

class Json::Iterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = Json;
  using difference_type = std::ptrdiff_t;
  using pointer = const Json *;
  using reference = Json;

  Iterator() = default;
  explicit Iterator(busbar_json_t value) : it_(busbar_json_iterate(value)) { ++*this; }

  Json operator*() const {
    const Json name(it_.name, "");
    return Json(it_.value, name ? name.string() : "");
  }
  Iterator &operator++() {
    more_ = busbar_json_next(&it_) != 0;
    return *this;
  }
  bool operator!=(const Iterator &other) const noexcept { return more_ != other.more_; }
  bool operator==(const Iterator &other) const noexcept { return more_ == other.more_; }

 private:
  busbar_json_iterator_t it_{};
  bool more_ = false;
};

inline Json::Iterator Json::begin() const { return Iterator(value_); }
inline Json::Iterator Json::end() const { return Iterator(); }

}  // namespace busbar

#endif
