#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>

/// A file descriptor that is closed at its end.
class File {
 public:
  File() = default;
  /// Throws Failed with the path when it cannot be opened. `flags` as of open(2).
  File(const std::filesystem::path &path, int flags);
  File(File &&other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  File &operator=(File &&other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~File();

  explicit operator bool() const noexcept { return descriptor_ >= 0; }
  int descriptor() const noexcept { return descriptor_; }

 private:
  int descriptor_ = -1;
};

/// Throws Failed: "Cannot <what> "<path>": <the reason in errno>".
[[noreturn]] void fail(const char *what, const std::filesystem::path &path);

/// Writes all of it; throws Failed. Some of it may be written then.
void write_all(const File &file, const void *data, size_t length, const std::filesystem::path &path);
/// Waits until the data is on the disk; throws Failed.
void sync_file(int descriptor, const std::filesystem::path &path);
/// Makes names in the folder durable.
void sync_folder(const std::filesystem::path &folder);
/// Makes the folder with all above it, each of them durable.
void make_folder(const std::filesystem::path &folder);
void rename_file(const std::filesystem::path &from, const std::filesystem::path &to);
/// It is fine when it is not there.
void remove_file(const std::filesystem::path &path);
