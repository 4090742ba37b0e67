#include "word_count.hpp"

#include <algorithm>

using busbar::ByteReader;
using busbar::ByteWriter;
using busbar::Event;
using busbar::Invalid;
using busbar::Operation;
using busbar::Status;

namespace {

constexpr uint32_t state_version = 1;

bool is_letter(unsigned char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_word_byte(unsigned char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '\'' || c >= 0x80; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? char(c | 0x20) : c; }

}  // namespace

WordCount::WordCount(busbar::Context context)
    : Processor(context),
      min_length_(context.config()["min_length"].integer(1)),
      case_sensitive_(context.config()["case_sensitive"].boolean(false)) {
  if (min_length_ < 1) throw busbar::Failed("Cannot read config: \"min_length\" is below 1");
}

void WordCount::process(busbar::ProcessBatch &batch) {
  for (busbar::Record record : batch) {
    const std::string_view text = record.payload();
    for (auto at = text.begin(); at != text.end();) {
      const auto start = std::find_if(at, text.end(), is_word_byte);
      at = std::find_if_not(start, text.end(), is_word_byte);
      if (at != start) count(text.substr(size_t(start - text.begin()), size_t(at - start)));
    }
  }
}

void WordCount::count(std::string_view word) {
  if (int64_t(word.size()) < min_length_) return;
  word_ = word;
  if (!case_sensitive_) std::transform(word_.begin(), word_.end(), word_.begin(), lower);
  auto &entry = *counts_.try_emplace(word_).first;
  entry.second.count++;
  if (!entry.second.changed) {
    changed_.push_back(&entry);
    entry.second.changed = true;
  }
}

Status WordCount::tick(busbar::TickBatch &batch) {
  std::sort(changed_.begin(), changed_.end(), [](auto *a, auto *b) { return a->first < b->first; });
  busbar::Output out = batch.out();
  auto at = changed_.begin();
  for (; at != changed_.end(); ++at) {
    auto &[word, count] = **at;
    const std::string payload = "{\"count\":" + std::to_string(count.count) + "}";
    Event event = Event::json(payload, word);
    event.operation = count.emitted ? Operation::update : Operation::insert;
    event.timestamp = batch.now();
    if (!out.emit(event)) break;
    count.emitted = true;
    count.changed = false;
  }
  changed_.erase(changed_.begin(), at);
  return changed_.empty() ? Status::ok : Status::more;
}

// The number of words; then each with its count and whether it is changed and emitted.
busbar::State WordCount::save() const {
  ByteWriter writer;
  writer.number(uint64_t(counts_.size()));
  for (const auto &[word, count] : counts_)
    writer.bytes(word).number(count.count).number(uint8_t(count.changed)).number(uint8_t(count.emitted));
  return {state_version, writer.take()};
}

void WordCount::restore(busbar::StateView state) {
  if (state.version != state_version)
    throw Invalid("Cannot restore the counts: the state has version " + std::to_string(state.version) + ", not " +
                  std::to_string(state_version));
  ByteReader reader(state.data);
  for (uint64_t left = reader.number<uint64_t>(); left > 0; left--) {
    const std::string word(reader.bytes());
    const uint64_t count = reader.number<uint64_t>();
    const uint8_t changed = reader.number<uint8_t>(), emitted = reader.number<uint8_t>();
    const auto [entry, added] = counts_.try_emplace(word, Count{count, changed != 0, emitted != 0});
    if (word.empty() || count == 0 || changed > 1 || emitted > 1 || changed + emitted == 0 || !added)
      throw Invalid("Cannot restore the counts: those of \"" + word + "\" do not fit");
    if (changed) changed_.push_back(&*entry);
  }
  reader.end();
}

BUSBAR_EXPORT_PLUGIN(WordCount)
