// A processor that counts words. README.md says what it does.
#ifndef WORD_COUNT_HPP
#define WORD_COUNT_HPP

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "busbar.hpp"

class WordCount : public busbar::Processor {
 public:
  static constexpr const char *name = "count";

  explicit WordCount(busbar::Context context);

  void process(busbar::ProcessBatch &batch);
  busbar::Status tick(busbar::TickBatch &batch);
  busbar::State save() const;
  void restore(busbar::StateView state);
  std::string health() const { return ""; }

 private:
  struct Count {
    uint64_t count = 0;
    bool changed = false;  // since it was last emitted
    bool emitted = false;  // at least once
  };
  using Counts = std::unordered_map<std::string, Count>;

  void count(std::string_view word);

  int64_t min_length_;
  bool case_sensitive_;
  std::string word_;  // the one being counted
  Counts counts_;
  std::vector<Counts::value_type *> changed_;  // nodes of the map stay where they are
};

#endif
