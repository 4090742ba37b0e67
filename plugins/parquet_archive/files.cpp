#include "files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "busbar.hpp"

namespace fs = std::filesystem;

void fail(const char *what, const fs::path &path) {
  const std::string reason = std::generic_category().message(errno);
  throw busbar::Failed("Cannot " + std::string(what) + " \"" + path.string() + "\": " + reason);
}

File::File(const fs::path &path, int flags) {
  do descriptor_ = open(path.c_str(), flags | O_CLOEXEC, 0666);
  while (descriptor_ < 0 && errno == EINTR);
  if (descriptor_ < 0) fail("open", path);
}

File::~File() {
  if (descriptor_ >= 0) close(descriptor_);
}

void write_all(const File &file, const void *data, size_t length, const fs::path &path) {
  const char *at = static_cast<const char *>(data);
  while (length > 0) {
    const ssize_t written = write(file.descriptor(), at, length);
    if (written < 0) {
      if (errno == EINTR) continue;
      fail("write to", path);
    }
    at += written;
    length -= size_t(written);
  }
}

void sync_file(int descriptor, const fs::path &path) {
  if (fsync(descriptor) != 0) fail("sync", path);
}

void sync_folder(const fs::path &folder) { sync_file(File(folder, O_RDONLY | O_DIRECTORY).descriptor(), folder); }

void make_folder(const fs::path &folder) {
  if (folder.empty() || fs::is_directory(folder)) return;
  const fs::path parent = folder.parent_path();
  make_folder(parent);
  if (mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) fail("make the folder", folder);
  sync_folder(parent.empty() ? fs::path(".") : parent);
}

void rename_file(const fs::path &from, const fs::path &to) {
  if (rename(from.c_str(), to.c_str()) != 0) fail("rename to", to);
}

void remove_file(const fs::path &path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT) fail("remove", path);
}
