#include "seen.hpp"

#include <fcntl.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "files.hpp"
#include "journal.hpp"

namespace {

struct Entry {
  uint64_t sequence;
  uint64_t identity;
  uint64_t source;
};

}  // namespace

uint64_t Seen::load(const std::filesystem::path &path, const Space &space, const busbar::Context &context) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) fail("read", path);
  const std::string entries{std::istreambuf_iterator<char>(stream), {}};
  if (entries.size() < space.size() || std::memcmp(entries.data(), space.data(), space.size()) != 0) return 0;
  uint64_t count = 0;
  for (size_t at = space.size(); at + sizeof(Entry) <= entries.size(); at += sizeof(Entry)) {
    Entry entry;
    std::memcpy(&entry, entries.data() + at, sizeof entry);
    if (entry.sequence <= context.acknowledged(uint32_t(entry.source))) continue;
    counts_[entry.identity]++;
    count++;
  }
  return count;
}

bool Seen::take(uint64_t identity) noexcept {
  const auto found = counts_.find(identity);
  if (found == counts_.end()) return false;
  if (--found->second == 0) counts_.erase(found);
  return true;
}

void SeenWriter::add(const busbar::Record &record) {
  // Without a number an event is not known again: two that are equal may both be meant.
  if (record.sequence() == 0) return;
  const Entry entry{record.sequence(), identity_of(record), record.source()};
  entries_.append(reinterpret_cast<const char *>(&entry), sizeof entry);
}

void SeenWriter::write(const std::filesystem::path &path, const Space &space) const {
  const File file(path, O_WRONLY | O_CREAT | O_TRUNC);
  write_all(file, space.data(), space.size(), path);
  write_all(file, entries_.data(), entries_.size(), path);
  sync_file(file.descriptor(), path);
}
