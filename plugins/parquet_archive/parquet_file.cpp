#include "parquet_file.hpp"

#include <arrow/io/file.h>
#include <parquet/arrow/writer.h>
#include <parquet/exception.h>
#include <parquet/properties.h>

#include "columns.hpp"
#include "files.hpp"

using busbar::Failed;

namespace {

// A row group also ends here: Arrow counts the bytes of a column in 32 bits.
constexpr uint64_t ROW_GROUP_BYTES = 64 << 20;

template <class T>
T get(arrow::Result<T> result) {
  check(result.status());
  return std::move(result).ValueOrDie();
}

parquet::Compression::type codec(Compression compression) {
  switch (compression) {
    case Compression::snappy: return parquet::Compression::SNAPPY;
    case Compression::gzip: return parquet::Compression::GZIP;
    case Compression::zstd: return parquet::Compression::ZSTD;
    default: return parquet::Compression::UNCOMPRESSED;
  }
}

uint64_t write_rows(JournalReader &journal, const std::filesystem::path &path, SeenWriter &seen, const busbar::Context &context,
                    const Settings &settings) {
  arrow::MemoryPool *pool = arrow::system_memory_pool();
  Rows rows(context, settings.columns);
  const auto file = get(arrow::io::FileOutputStream::Open(path.string()));
  parquet::WriterProperties::Builder properties;
  properties.memory_pool(pool)->compression(codec(settings.compression))->max_row_group_length(settings.row_group_rows);
  const auto stored = parquet::ArrowWriterProperties::Builder().store_schema()->build();
  const auto writer = get(parquet::arrow::FileWriter::Open(*rows.schema(), pool, file, properties.build(), stored));
  const auto end_row_group = [&] {
    const int64_t count = rows.count();
    if (count > 0) check(writer->WriteTable(*rows.take(), count));
  };
  uint64_t bytes = 0;
  uint32_t index = 0;
  journal.rewind();
  while (const busbar_record_t *raw = journal.next()) {
    if (rows.count() == settings.row_group_rows || (bytes + raw->size > ROW_GROUP_BYTES && rows.count() > 0)) {
      end_row_group();
      bytes = 0;
    }
    const busbar::Record record(raw, index++);
    rows.add(record);
    seen.add(record);
    bytes += raw->size;
  }
  end_row_group();
  check(writer->Close());
  const int64_t length = get(file->Tell());
  sync_file(file->file_descriptor(), path);
  check(file->Close());
  return uint64_t(length);
}

}  // namespace

uint64_t write_parquet(JournalReader &journal, const std::filesystem::path &path, SeenWriter &seen, const busbar::Context &context,
                       const Settings &settings) {
  std::string reason;
  try {
    return write_rows(journal, path, seen, context, settings);
  } catch (const Failed &error) {
    reason = error.what();
  } catch (const parquet::ParquetException &error) {
    reason = error.what();
  }
  std::error_code ignored; // the next attempt writes over what is left
  std::filesystem::remove(path, ignored);
  throw Failed("Cannot write \"" + path.string() + "\": " + reason);
}
