#include "settings.hpp"

#include <set>
#include <utility>

using busbar::Failed;
using busbar::Json;

namespace {

template <class T, size_t N>
T choose(const Json &value, const std::pair<const char *, T> (&choices)[N]) {
  const std::string chosen = value.string();
  std::string names;
  for (const auto &[name, choice] : choices) {
    if (chosen == name) return choice;
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  throw Failed("Cannot read config: \"" + value.name() + "\" is \"" + chosen + "\", use one of " + names);
}

std::vector<std::string> split(const std::string &path) {
  std::vector<std::string> parts;
  size_t from = 0;
  for (size_t dot; (dot = path.find('.', from)) != std::string::npos; from = dot + 1) parts.push_back(path.substr(from, dot - from));
  parts.push_back(path.substr(from));
  return parts;
}

std::vector<Column> read_columns(const Json &config) {
  static constexpr std::pair<const char *, ColumnType> types[] = {
      {"string", ColumnType::string},   {"int64", ColumnType::int64},         {"double", ColumnType::float64},
      {"bool", ColumnType::boolean},    {"timestamp", ColumnType::timestamp}, {"json", ColumnType::json},
  };
  std::vector<Column> columns;
  if (config.type() != BUSBAR_JSON_ARRAY) {
    if (config.string("raw") != "raw") throw Failed("Cannot read config: \"columns\" is \"" + config.string() + "\", use \"raw\" or a list of columns");
    return columns;
  }
  std::set<std::string> names;
  for (const Json item : config) {
    Column column{item["name"].string(), choose(item["type"], types), {}};
    if (!names.insert(column.name).second) throw Failed("Cannot read config: two of \"columns\" are named \"" + column.name + "\", rename one");
    column.path = item["path"] ? split(item["path"].string()) : std::vector<std::string>{column.name};
    columns.push_back(std::move(column));
  }
  if (columns.empty()) throw Failed("Cannot read config: \"columns\" is empty, name one, or use \"raw\"");
  return columns;
}

uint64_t positive(const Json &value, int64_t number) {
  if (number < 1) throw Failed("Cannot read config: \"" + value.name() + "\" is " + std::to_string(number) + ", use at least 1");
  return uint64_t(number);
}

// With partitions each has files of its own.
std::string prefix_of(const busbar::Context &context) {
  const std::string prefix = context.config()["prefix"].string("events");
  if (prefix.empty() || prefix.find('/') != std::string::npos || prefix[0] == '.')
    throw Failed("Cannot read config: \"prefix\" is \"" + prefix + "\", use letters, digits, \".\", \"_\" and \"-\"");
  return context.partition_count() > 1 ? prefix + "-p" + std::to_string(context.partition_index()) : prefix;
}

Compression read_compression(const Json &config) {
  static constexpr std::pair<const char *, Compression> compressions[] = {
      {"zstd", Compression::zstd}, {"snappy", Compression::snappy}, {"gzip", Compression::gzip}, {"none", Compression::none}};
  return config ? choose(config, compressions) : Compression::zstd;
}

}  // namespace

Settings::Settings(const busbar::Context &context) : prefix(prefix_of(context)) {
  const Json config = context.config();
  directory = config["directory"].string();
  if (directory.empty()) throw Failed("Cannot read config: \"directory\" is empty, name a folder");
  columns = read_columns(config["columns"]);
  compression = read_compression(config["compression"]);
  row_group_rows = int64_t(positive(config["row_group_rows"], config["row_group_rows"].integer(100000)));
  max_file_rows = positive(config["max_file_rows"], config["max_file_rows"].integer(10000000));
  max_file_size = positive(config["max_file_size"], config["max_file_size"].size(128 << 20));
  max_file_age = config["max_file_age"].duration(std::chrono::minutes(15));
  partition_by_date = config["partition_by_date"].boolean(false);
}
