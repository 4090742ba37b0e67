// bytes.hpp: writes and reads states and positions. Part of busbar.hpp.       SPDX-License-Identifier: Apache-2.0
#ifndef BUSBAR_BYTES_HPP
#define BUSBAR_BYTES_HPP

#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "errors.hpp"

namespace busbar {

/// What save returns: bytes, and the component's own number for their layout.
struct State {
  uint32_t version = 1;
  std::string data;
};

/// What restore is given: views that are gone when it returns.
struct StateView {
  uint32_t version = 0;
  std::string_view data;
};

/// Writes numbers and bytes behind each other, in the machine's byte order.
class ByteWriter {
 public:
  template <class T>
  ByteWriter &number(T value) {
    static_assert(std::is_arithmetic_v<T>, "only numbers have the same bytes everywhere");
    data_.append(reinterpret_cast<const char *>(&value), sizeof value);
    return *this;
  }
  /// With its length, 4 bytes, before it.
  ByteWriter &bytes(std::string_view bytes) {
    number(uint32_t(bytes.size()));
    data_.append(bytes);
    return *this;
  }
  /// What was written; the writer is then empty.
  std::string take() { return std::move(data_); }

 private:
  std::string data_;
};

/// Reads what a ByteWriter wrote. Throws Invalid past the end.
class ByteReader {
 public:
  explicit ByteReader(std::string_view data) : data_(data) {}

  template <class T>
  T number() {
    static_assert(std::is_arithmetic_v<T>, "only numbers have the same bytes everywhere");
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view bytes() { return take(number<uint32_t>()); }
  bool empty() const noexcept { return at_ == data_.size(); }
  /// Throws Invalid unless all was read.
  void end() const {
    if (!empty()) throw Invalid("Cannot read the bytes: " + std::to_string(data_.size() - at_) + " are left over");
  }

 private:
  std::string_view take(size_t length) {
    if (length > data_.size() - at_) throw Invalid("Cannot read the bytes: they end at " + std::to_string(data_.size()));
    at_ += length;
    return data_.substr(at_ - length, length);
  }

  std::string_view data_;
  size_t at_ = 0;
};

}  // namespace busbar

#endif
