#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/builder.h>
#include <arrow/memory_pool.h>
#include <arrow/status.h>
#include <arrow/table.h>
#include <arrow/type.h>

#include "busbar.hpp"
#include "settings.hpp"

/// Throws Invalid, with the record, where its payload does not give the columns: it is no JSON object, or a value has another type.
void check_columns(const std::vector<Column> &columns, const busbar::Record &record);

/// Throws Failed with what Arrow says.
void check(const arrow::Status &status);

/// Turns records into columns.
class Rows {
 public:
  explicit Rows(const busbar::Context &context, const std::vector<Column> &columns);

  const std::shared_ptr<arrow::Schema> &schema() const noexcept { return schema_; }
  /// A value that is not of its column's type is left out: the columns may be others than when the record was accepted.
  void add(const busbar::Record &record);
  /// What was added, which is then forgotten.
  std::shared_ptr<arrow::Table> take();
  int64_t count() const noexcept { return count_; }

 private:
  void add_raw(const busbar::Record &record);
  void add_json(const busbar::Record &record);
  std::string source_name(uint16_t source) const;

  busbar::Context context_;
  const std::vector<Column> &columns_;
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<std::unique_ptr<arrow::ArrayBuilder>> builders_;
  int64_t count_ = 0;
};
