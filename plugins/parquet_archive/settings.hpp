#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "busbar.hpp"

enum class ColumnType { string, int64, float64, boolean, timestamp, json };

/// One column that is taken out of payloads.
struct Column {
  std::string name;
  ColumnType type;
  std::vector<std::string> path;
};

enum class Compression { none, snappy, gzip, zstd };

struct Settings {
  /// Throws Failed with the setting's name when one does not fit.
  explicit Settings(const busbar::Context &context);

  std::filesystem::path directory;
  std::string prefix;
  /// Empty: what every event has.
  std::vector<Column> columns;
  Compression compression;
  int64_t row_group_rows;
  uint64_t max_file_rows;
  uint64_t max_file_size;
  std::chrono::nanoseconds max_file_age;
  bool partition_by_date;
};
