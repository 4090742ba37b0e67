#include "journal.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>

namespace {

constexpr size_t BUFFER_BYTES = 1 << 20;

uint64_t mix(uint64_t hash, uint64_t word) noexcept {
  hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
  return hash ^ hash >> 29;
}

uint64_t hash_bytes(uint64_t hash, const void *data, size_t length) noexcept {
  const char *at = static_cast<const char *>(data);
  hash = mix(hash, length);
  uint64_t word;
  for (; length >= sizeof word; length -= sizeof word, at += sizeof word) {
    std::memcpy(&word, at, sizeof word);
    hash = mix(hash, word);
  }
  word = 0;
  if (length > 0) std::memcpy(&word, at, length);
  return mix(hash, word);
}

// Whether there is a whole record at `at`, of which `left` bytes are left.
bool is_whole(const uint8_t *at, uint64_t left) noexcept {
  if (left < sizeof(busbar_record_t)) return false;
  const busbar_record_t &record = *reinterpret_cast<const busbar_record_t *>(at);
  const uint64_t needed = sizeof record + uint64_t(record.key_length) + record.payload_length + record.attributes_length;
  return record.size <= left && record.size % BUSBAR_RECORD_ALIGN == 0 && record.size >= needed;
}

}  // namespace

uint64_t identity_of(const busbar::Record &record) noexcept {
  uint64_t hash = mix(record.sequence(), uint64_t(record.source()) << 8 | uint64_t(record.operation()));
  hash = hash_bytes(hash, record.key().data(), record.key().size());
  return hash_bytes(hash, record.payload().data(), record.payload().size());
}

Journal::Journal(std::filesystem::path path, const Space &space) : path_(std::move(path)), file_(path_, O_RDWR | O_CREAT | O_EXCL) {
  buffer_.reserve(BUFFER_BYTES);
  buffer_.append(reinterpret_cast<const char *>(space.data()), space.size());
  try {
    sync_folder(path_.parent_path());
  } catch (...) {
    unlink(path_.c_str());
    throw;
  }
}

void Journal::append(const busbar::Record &record) {
  const uint32_t size = record.raw()->size;
  const uint64_t check = hash_bytes(0, record.raw(), size);
  buffer_.append(reinterpret_cast<const char *>(&check), sizeof check);
  buffer_.append(reinterpret_cast<const char *>(record.raw()), size);
  rows_++;
  bytes_ += size;
}

void Journal::spill(bool all) {
  if (buffer_.empty() || (!all && buffer_.size() < BUFFER_BYTES)) return;
  synced_ = false;
  // An attempt that failed half-way is written over.
  if (lseek(file_.descriptor(), off_t(written_), SEEK_SET) < 0) fail("write to", path_);
  write_all(file_, buffer_.data(), buffer_.size(), path_);
  written_ += buffer_.size();
  buffer_.clear();
}

void Journal::sync() {
  spill(true);
  if (synced_) return;
  try {
    sync_file(file_.descriptor(), path_);
  } catch (const busbar::Failed &error) {
    // A second attempt would succeed without having written what the first one lost.
    throw std::runtime_error(error.what());
  }
  synced_ = true;
}

JournalReader::JournalReader(const std::filesystem::path &path) {
  const File file(path, O_RDONLY);
  struct stat status;
  if (fstat(file.descriptor(), &status) != 0) fail("read", path);
  length_ = uint64_t(status.st_size);
  if (length_ == 0) return;
  void *data = mmap(nullptr, length_, PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
  if (data == MAP_FAILED) fail("read", path);
  data_ = static_cast<const uint8_t *>(data);
  if (length_ < space_.size()) return;
  std::memcpy(space_.data(), data_, space_.size());
  begin_ = at_ = space_.size();
}

JournalReader::~JournalReader() {
  if (data_ != nullptr) munmap(const_cast<uint8_t *>(data_), length_);
}

const busbar_record_t *JournalReader::next() noexcept {
  uint64_t check;
  if (length_ - at_ < sizeof check) return nullptr;
  std::memcpy(&check, data_ + at_, sizeof check);
  const uint8_t *at = data_ + at_ + sizeof check;
  if (!is_whole(at, length_ - at_ - sizeof check)) return nullptr;
  const auto *record = reinterpret_cast<const busbar_record_t *>(at);
  if (hash_bytes(0, record, record->size) != check) return nullptr;
  at_ += sizeof check + record->size;
  return record;
}
