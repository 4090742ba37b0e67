// context.hpp: who an instance is, and what the host offers it. Part of busbar.hpp.  SPDX-License-Identifier: Apache-2.0
#ifndef BUSBAR_CONTEXT_HPP
#define BUSBAR_CONTEXT_HPP

#include <cinttypes>
#include <initializer_list>
#include <optional>
#include <sstream>
#include <string_view>
#include <type_traits>

#include "json.hpp"

namespace busbar {

enum class Level : int32_t {
  trace = BUSBAR_LOG_TRACE,
  debug = BUSBAR_LOG_DEBUG,
  info = BUSBAR_LOG_INFO,
  warning = BUSBAR_LOG_WARNING,
  error = BUSBAR_LOG_ERROR,
  fatal = BUSBAR_LOG_FATAL,
};

namespace detail {

inline busbar_string_t raw(std::string_view text) noexcept { return {text.data(), text.size()}; }
inline std::string_view view(busbar_string_t text) noexcept { return {text.data, size_t(text.length)}; }
inline std::string_view view(busbar_bytes_t bytes) noexcept { return {reinterpret_cast<const char *>(bytes.data), size_t(bytes.length)}; }

}  // namespace detail

/// A key and a value of a log record. What it is made of must stay until the record is logged.
class Field {
 public:
  Field(std::string_view name, std::string_view value) : name_(name), value_(value) {}
  Field(std::string_view name, const char *value) : Field(name, std::string_view(value)) {}
  Field(std::string_view name, const std::string &value) : Field(name, std::string_view(value)) {}

  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
  Field(std::string_view name, T value) : name_(name) {
    if constexpr (std::is_same_v<T, bool>) {
      type_ = BUSBAR_FIELD_BOOL;
      value_ = value ? "true" : "false";
    } else if constexpr (std::is_floating_point_v<T>) {
      const bool finite = value - value == 0;
      type_ = finite ? BUSBAR_FIELD_NUMBER : BUSBAR_FIELD_JSON;
      digits_ = std::snprintf(text_, sizeof text_, finite ? "%.17g" : "null", double(value));
    } else if constexpr (std::is_signed_v<T>) {
      type_ = BUSBAR_FIELD_NUMBER;
      digits_ = std::snprintf(text_, sizeof text_, "%" PRId64, int64_t(value));
    } else {
      type_ = BUSBAR_FIELD_NUMBER;
      digits_ = std::snprintf(text_, sizeof text_, "%" PRIu64, uint64_t(value));
    }
  }

  /// Any JSON.
  static Field json(std::string_view name, std::string_view text) {
    Field field(name, text);
    field.type_ = BUSBAR_FIELD_JSON;
    return field;
  }

  busbar_field_t raw() const noexcept {
    const std::string_view value = digits_ > 0 ? std::string_view(text_, size_t(digits_)) : value_;
    return {detail::raw(name_), detail::raw(value), type_, 0};
  }

 private:
  std::string_view name_, value_;
  uint32_t type_ = BUSBAR_FIELD_STRING;
  int digits_ = 0;
  char text_[32] = {};
};

class LogLine;

/// One component in one pipeline. A small handle to copy freely, also to threads; valid until the component is destroyed.
/// Logging, metrics and wake may be called from any thread.
class Context {
 public:
  explicit Context(const busbar_context_t *context) noexcept : raw_(context) {}
  const busbar_context_t *raw() const noexcept { return raw_; }

  std::string_view pipeline_id() const noexcept { return detail::view(raw_->pipeline_id); }
  std::string_view component_id() const noexcept { return detail::view(raw_->component_id); }
  /// The component's name in the plugin.
  std::string_view component() const noexcept { return detail::view(raw_->component); }
  /// Folder of the plugin's files, read-only.
  std::string_view plugin_directory() const noexcept { return detail::view(raw_->plugin_directory); }
  /// Private to this component, kept over restarts.
  std::string_view data_directory() const noexcept { return detail::view(raw_->data_directory); }
  /// The settings, checked against the manifest's schema, defaults filled in.
  Json config() const { return Json(detail::view(raw_->config)); }

  /// Sources, from start on: resume right after it; empty: from the beginning.
  std::string_view position() const noexcept { return detail::view(raw_->position); }
  /// From start on: the highest sequence of a source up to which everything is finished everywhere; 0: none.
  uint64_t acknowledged(uint32_t source) const noexcept { return busbar_acknowledged_sequence(raw_, source); }
  uint32_t partition_index() const noexcept { return raw_->partition_index; }
  uint32_t partition_count() const noexcept { return raw_->partition_count; }

  /// Whether records of this level are kept; a load. log() and the streams ask it themselves.
  bool logs(Level level) const noexcept { return busbar_logs(raw_, int32_t(level)); }

  /// `context.log(Level::info, "Opened the file", {{"path", path}, {"bytes", size}})`; at most 32 fields.
  void log(Level level, std::string_view message, std::initializer_list<Field> fields = {}) const noexcept {
    if (!logs(level)) return;
    busbar_field_t raw_fields[32];
    busbar_log_record_t record{};
    record.size = sizeof record;
    record.level = int32_t(level);
    record.message = detail::raw(message);
    record.fields = raw_fields;
    for (const Field &field : fields)
      if (record.field_count < 32) raw_fields[record.field_count++] = field.raw();
    raw_->host->log(raw_, &record);
  }

  /// `context.info() << "Read " << count << " lines";` Logged at the end of the statement.
  inline LogLine trace() const;
  inline LogLine debug() const;
  inline LogLine info() const;
  inline LogLine warning() const;
  inline LogLine error() const;

  /// Adds to a counter; sets a gauge; records one observation. Names in snake_case with their unit, at most 63 bytes.
  void counter(std::string_view name, uint64_t add = 1) const noexcept { raw_->host->counter(raw_, detail::raw(name), add); }
  void gauge(std::string_view name, double value) const noexcept { raw_->host->gauge(raw_, detail::raw(name), value); }
  void histogram(std::string_view name, double value) const noexcept { raw_->host->histogram(raw_, detail::raw(name), value); }

  /// Asks for a call soon: poll of a source, tick of a processor or reaction, write of a reaction that said again.
  void wake() const noexcept { raw_->host->wake(raw_); }

 private:
  const busbar_context_t *raw_;
};

/// A log record that is being written as a stream.
class LogLine {
 public:
  LogLine(Context context, Level level) : context_(context), level_(level) {
    if (context.logs(level)) stream_.emplace();
  }
  LogLine(const LogLine &) = delete;
  LogLine &operator=(const LogLine &) = delete;
  ~LogLine() {
    if (!stream_) return;
    try {
      context_.log(level_, stream_->str());
    } catch (...) {
    }
  }
  template <class T>
  LogLine &operator<<(const T &value) {
    if (stream_) *stream_ << value;
    return *this;
  }

 private:
  Context context_;
  Level level_;
  std::optional<std::ostringstream> stream_;
};

inline LogLine Context::trace() const { return LogLine(*this, Level::trace); }
inline LogLine Context::debug() const { return LogLine(*this, Level::debug); }
inline LogLine Context::info() const { return LogLine(*this, Level::info); }
inline LogLine Context::warning() const { return LogLine(*this, Level::warning); }
inline LogLine Context::error() const { return LogLine(*this, Level::error); }

}  // namespace busbar

#endif
