#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "busbar.hpp"
#include "files.hpp"
#include "space.hpp"

/// Names an event for as long as its replay may come: what source, sequence, operation, key and payload say. Not what may differ in a
/// replay, such as the timestamp and attributes.
uint64_t identity_of(const busbar::Record &record) noexcept;

/// The events of a file that is to be: the space of their sequences, then records as they came, each behind a checksum. A crash may leave
/// part of a record at its end.
class Journal {
 public:
  /// A new file; throws Failed when it is there already.
  Journal(std::filesystem::path path, const Space &space);

  /// Into memory, without failing for a reason of the disk.
  void append(const busbar::Record &record);
  /// Memory to the file, when there is a lot of it, or in any case with `all`. Throws Failed; it may be tried again.
  void spill(bool all);
  /// Everything to the disk. Throws Failed where spilling fails; when the disk does not keep what it was given, std::runtime_error.
  void sync();

  const std::filesystem::path &path() const noexcept { return path_; }
  uint64_t rows() const noexcept { return rows_; }
  uint64_t bytes() const noexcept { return bytes_; }

 private:
  std::filesystem::path path_;
  File file_;
  std::string buffer_;
  uint64_t written_ = 0;
  uint64_t rows_ = 0;
  uint64_t bytes_ = 0;
  bool synced_ = false;
};

/// Reads the whole records of a journal.
class JournalReader {
 public:
  /// Throws Failed.
  explicit JournalReader(const std::filesystem::path &path);
  JournalReader(const JournalReader &) = delete;
  JournalReader &operator=(const JournalReader &) = delete;
  ~JournalReader();

  /// All zeros where not even this is whole.
  const Space &space() const noexcept { return space_; }
  /// A view that is valid as long as the reader; null at the end, or where a record is not whole.
  const busbar_record_t *next() noexcept;
  void rewind() noexcept { at_ = begin_; }
  /// Bytes behind the last whole record, after next() gave null.
  uint64_t left_over() const noexcept { return length_ - at_; }

 private:
  const uint8_t *data_ = nullptr;
  uint64_t length_ = 0;
  uint64_t begin_ = 0;
  uint64_t at_ = 0;
  Space space_{};
};
