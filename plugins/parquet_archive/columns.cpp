#include "columns.hpp"

#include <arrow/util/utf8.h>

#include <charconv>
#include <chrono>
#include <optional>
#include <variant>

using busbar::Failed;
using busbar::Invalid;
using busbar::Record;

namespace {

using Value = std::variant<std::monostate, std::string, int64_t, double, bool>;

constexpr const char *OPERATIONS[] = {"message", "insert", "update", "delete"};

bool is_utf8(std::string_view text) {
  [[maybe_unused]] static const bool initialized = (arrow::util::InitializeUTF8(), true);
  return arrow::util::ValidateUTF8(text);
}

// Reads `count` digits at text[at].
std::optional<int> digits(std::string_view text, size_t at, size_t count) {
  if (at + count > text.size()) return std::nullopt;
  int value = 0;
  const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + count, value);
  if (error != std::errc() || end != text.data() + at + count || text[at] == '-') return std::nullopt;
  return value;
}

// The offset from UTC at the end of a timestamp, in minutes.
std::optional<int> read_offset(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
  const auto hours = digits(text, 1, 2), minutes = digits(text, 4, 2);
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  return (text[0] == '-' ? -1 : 1) * (*hours * 60 + *minutes);
}

// Nanoseconds since 1970 of "2026-08-01T12:30:00.25Z" and the like.
std::optional<int64_t> read_timestamp(std::string_view text) {
  using namespace std::chrono;
  const auto year_ = digits(text, 0, 4), month_ = digits(text, 5, 2), day_ = digits(text, 8, 2);
  const auto hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
  if (!year_ || !month_ || !day_ || !hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  if (text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't' && text[10] != ' ') || text[13] != ':' || text[16] != ':') return std::nullopt;
  const year_month_day date{year{*year_}, month{unsigned(*month_)}, day{unsigned(*day_)}};
  size_t at = 19;
  int64_t fraction = 0;
  if (at < text.size() && text[at] == '.') {
    int64_t unit = 1000000000;
    for (at++; at < text.size() && text[at] >= '0' && text[at] <= '9'; at++) fraction += (text[at] - '0') * (unit /= 10);
    if (at == 20) return std::nullopt;
  }
  const auto offset = read_offset(text.substr(at));
  // What nanoseconds of 64 bits reach.
  if (!offset || !date.ok() || *year_ < 1678 || *year_ > 2261) return std::nullopt;
  const int64_t seconds = sys_days(date).time_since_epoch().count() * int64_t(86400) + *hour * 3600 + *minute * 60 + *second - *offset * 60;
  return seconds * 1000000000 + fraction;
}

std::string text_of(busbar_json_t value) {
  std::string text(size_t(value.end - value.at) + 1, '\0');
  size_t length = 0;
  if (!busbar_json_string(value, text.data(), text.size(), &length)) return {};
  text.resize(length);
  return text;
}

const char *expected(ColumnType type) {
  switch (type) {
    case ColumnType::string: return "a string";
    case ColumnType::int64: return "an integer of 64 bits";
    case ColumnType::float64: return "a number";
    case ColumnType::boolean: return "true or false";
    case ColumnType::timestamp: return "a time such as \"2026-08-01T12:30:00Z\"";
    case ColumnType::json: return "JSON in UTF-8";
  }
  return "";
}

// False when the value has another type. One that is missing or null gives nothing.
bool read_value(const Column &column, busbar_json_t json, Value &value) {
  for (const std::string &name : column.path) json = busbar_json_get(json, name.c_str());
  const int type = busbar_json_type(json);
  if (type == BUSBAR_JSON_MISSING || type == BUSBAR_JSON_NULL) return true;
  int64_t integer = 0;
  double number = 0;
  int boolean = 0;
  std::string text;
  switch (column.type) {
    case ColumnType::int64:
      if (!busbar_json_integer(json, &integer)) return false;
      value = integer;
      return true;
    case ColumnType::float64:
      if (!busbar_json_number(json, &number)) return false;
      value = number;
      return true;
    case ColumnType::boolean:
      if (!busbar_json_bool(json, &boolean)) return false;
      value = boolean != 0;
      return true;
    case ColumnType::timestamp: {
      if (type != BUSBAR_JSON_STRING) return false;
      const std::optional<int64_t> time = read_timestamp(text_of(json));
      if (!time) return false;
      value = *time;
      return true;
    }
    case ColumnType::string:
      if (type != BUSBAR_JSON_STRING) return false;
      text = text_of(json);
      break;
    case ColumnType::json:
      text.assign(json.at, json.end);
      break;
  }
  if (!is_utf8(text)) return false;
  value = std::move(text);
  return true;
}

busbar_json_t json_of(const Record &record) { return busbar_json(busbar_string_t{record.payload().data(), record.payload().size()}); }

// Text is UTF-8 in Parquet: bytes that are not become U+FFFD.
std::string to_utf8(std::string_view bytes) {
  if (is_utf8(bytes)) return std::string(bytes);
  std::string text;
  for (size_t at = 0, length; at < bytes.size(); at += length) {
    for (length = 4; length > 1; length--)
      if (at + length <= bytes.size() && is_utf8(bytes.substr(at, length))) break;
    const std::string_view character = bytes.substr(at, length);
    text += is_utf8(character) ? character : std::string_view("\xef\xbf\xbd");
  }
  return text;
}

std::shared_ptr<arrow::DataType> type_of(ColumnType type) {
  switch (type) {
    case ColumnType::int64: return arrow::int64();
    case ColumnType::float64: return arrow::float64();
    case ColumnType::boolean: return arrow::boolean();
    case ColumnType::timestamp: return arrow::timestamp(arrow::TimeUnit::NANO, "UTC");
    default: return arrow::utf8();
  }
}

std::shared_ptr<arrow::Schema> schema_of(const std::vector<Column> &columns) {
  if (columns.empty()) {
    const auto time = arrow::timestamp(arrow::TimeUnit::NANO, "UTC");
    return arrow::schema({arrow::field("source", arrow::utf8(), false), arrow::field("sequence", arrow::uint64(), false),
                          arrow::field("timestamp", time), arrow::field("operation", arrow::utf8(), false),
                          arrow::field("key", arrow::binary(), false), arrow::field("payload", arrow::binary(), false),
                          arrow::field("attributes", arrow::map(arrow::utf8(), arrow::utf8()), false)});
  }
  arrow::FieldVector fields;
  for (const Column &column : columns) fields.push_back(arrow::field(column.name, type_of(column.type)));
  return arrow::schema(fields);
}

template <class Builder>
Builder &as(const std::unique_ptr<arrow::ArrayBuilder> &builder) {
  return static_cast<Builder &>(*builder);
}

}  // namespace

void check(const arrow::Status &status) {
  if (!status.ok()) throw Failed(status.message());
}

void check_columns(const std::vector<Column> &columns, const Record &record) {
  if (columns.empty()) return;
  const busbar_json_t json = json_of(record);
  if (busbar_json_type(json) != BUSBAR_JSON_OBJECT) throw Invalid(record, "Cannot take columns out of the payload: it is no JSON object");
  for (const Column &column : columns) {
    Value value;
    if (!read_value(column, json, value))
      throw Invalid(record, "Cannot take column \"" + column.name + "\" out of the payload: its value is not " + expected(column.type));
  }
}

Rows::Rows(const busbar::Context &context, const std::vector<Column> &columns) : context_(context), columns_(columns), schema_(schema_of(columns)) {
  for (const auto &field : schema_->fields()) {
    builders_.emplace_back();
    // Not Arrow's default pool, which keeps what is freed for itself.
    check(arrow::MakeBuilder(arrow::system_memory_pool(), field->type(), &builders_.back()));
  }
}

std::string Rows::source_name(uint16_t source) const {
  const busbar_context_t *raw = context_.raw();
  for (uint32_t i = 0; i < raw->acknowledged_count; i++)
    if (raw->acknowledged[i].source == source) return to_utf8({raw->acknowledged[i].source_id.data, size_t(raw->acknowledged[i].source_id.length)});
  return std::to_string(source);
}

void Rows::add_raw(const Record &record) {
  const unsigned operation = unsigned(record.operation());
  check(as<arrow::StringBuilder>(builders_[0]).Append(source_name(record.source())));
  check(as<arrow::UInt64Builder>(builders_[1]).Append(record.sequence()));
  check(record.timestamp() == 0 ? builders_[2]->AppendNull() : as<arrow::TimestampBuilder>(builders_[2]).Append(record.timestamp()));
  check(as<arrow::StringBuilder>(builders_[3]).Append(operation < std::size(OPERATIONS) ? OPERATIONS[operation] : std::to_string(operation)));
  check(as<arrow::BinaryBuilder>(builders_[4]).Append(record.key()));
  check(as<arrow::BinaryBuilder>(builders_[5]).Append(record.payload()));
  auto &attributes = as<arrow::MapBuilder>(builders_[6]);
  check(attributes.Append());
  for (const auto &[name, value] : record.attributes()) {
    check(static_cast<arrow::StringBuilder *>(attributes.key_builder())->Append(to_utf8(name)));
    check(static_cast<arrow::StringBuilder *>(attributes.item_builder())->Append(to_utf8(value)));
  }
}

void Rows::add_json(const Record &record) {
  const busbar_json_t json = json_of(record);
  for (size_t i = 0; i < columns_.size(); i++) {
    Value value;
    if (!read_value(columns_[i], json, value)) value = std::monostate();
    const auto &builder = builders_[i];
    if (std::holds_alternative<std::monostate>(value)) check(builder->AppendNull());
    else if (const auto *text = std::get_if<std::string>(&value)) check(as<arrow::StringBuilder>(builder).Append(*text));
    else if (const auto *number = std::get_if<double>(&value)) check(as<arrow::DoubleBuilder>(builder).Append(*number));
    else if (const auto *truth = std::get_if<bool>(&value)) check(as<arrow::BooleanBuilder>(builder).Append(*truth));
    else if (columns_[i].type == ColumnType::timestamp) check(as<arrow::TimestampBuilder>(builder).Append(std::get<int64_t>(value)));
    else check(as<arrow::Int64Builder>(builder).Append(std::get<int64_t>(value)));
  }
}

void Rows::add(const Record &record) {
  if (columns_.empty()) add_raw(record);
  else add_json(record);
  count_++;
}

std::shared_ptr<arrow::Table> Rows::take() {
  std::vector<std::shared_ptr<arrow::Array>> arrays;
  for (const auto &builder : builders_) check(builder->Finish(&arrays.emplace_back()));
  const int64_t count = std::exchange(count_, 0);
  return arrow::Table::Make(schema_, std::move(arrays), count);
}
