#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "busbar.hpp"
#include "files.hpp"
#include "journal.hpp"
#include "seen.hpp"
#include "settings.hpp"
#include "space.hpp"

/// Writes events to a journal, and Parquet files out of it. See README.md.
class Archive : public busbar::Reaction {
 public:
  static constexpr const char *name = "archive";

  explicit Archive(busbar::Context context) : Reaction(context), settings_(context) {}

  void start();
  void stop();
  void write(busbar::WriteBatch &batch);
  void flush();
  void tick(busbar::TickBatch &batch);
  std::string health() const { return problem_; }

 private:
  using Clock = std::chrono::steady_clock;

  // A list of a finished file's events, until they are surely acknowledged.
  struct Listed {
    std::filesystem::path path;
    Clock::time_point since;
  };

  // Runs `body` and keeps its error for health().
  template <class Body>
  void attempt(Body &&body);
  void recover();
  void open_journal();
  bool is_due() const;
  // Before an event is taken: everything that may fail.
  void make_room();
  void finish();
  // Turns a journal into a file, and removes it.
  void convert(const std::filesystem::path &journal);
  void forget_old_lists();
  void release() noexcept;
  std::filesystem::path final_path(const std::string &base) const;

  Settings settings_;
  File lock_;
  Space space_{};
  std::optional<Journal> journal_;
  Seen seen_;
  std::vector<Listed> listed_;
  Clock::time_point opened_;
  uint64_t next_number_ = 1;
  // The journal is to be finished before anything else.
  bool sealed_ = false;
  std::string problem_;
};
