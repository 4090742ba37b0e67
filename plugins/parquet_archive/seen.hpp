#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <unordered_map>

#include "busbar.hpp"
#include "space.hpp"

/// Events that are in the archive and, since they were not acknowledged, may be offered again.
class Seen {
 public:
  /// What was written with SeenWriter, is of this space and not acknowledged. Returns how many events that are. Throws Failed.
  uint64_t load(const std::filesystem::path &path, const Space &space, const busbar::Context &context);
  /// Whether the event is one of them; it is not any more then.
  bool take(uint64_t identity) noexcept;
  void clear() noexcept { counts_.clear(); }
  bool empty() const noexcept { return counts_.empty(); }

 private:
  // Several events that are equal may stem from one.
  std::unordered_map<uint64_t, uint32_t> counts_;
};

/// Lists the events of one file.
class SeenWriter {
 public:
  void add(const busbar::Record &record);
  /// Durably, in place of what was there. Throws Failed.
  void write(const std::filesystem::path &path, const Space &space) const;

 private:
  std::string entries_;
};
