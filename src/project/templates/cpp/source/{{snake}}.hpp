// {{name}}: a source that gives numbered greetings.
#pragma once

#include <string>

#include "busbar.hpp"

class Greet : public busbar::Source {
 public:
  static constexpr const char *name = "greet";

  /// Reads the settings; takes nothing exclusive.
  explicit Greet(busbar::Context context)
      : Source(context), count_(context.config()["count"].integer(10)), text_(context.config()["text"].string("hello")) {}

  /// Goes on after the position; without one, from the beginning.
  void start() {
    const std::string_view position = context().position();
    next_ = position.empty() ? 0 : busbar::ByteReader(position).number<int64_t>();
  }

  /// Fills the batch as far as it goes.
  busbar::Status poll(busbar::PollBatch &batch) {
    while (next_ < count_ && batch.append(busbar::Event::text(text_ + " " + std::to_string(next_ + 1)))) next_++;
    batch.set_position(busbar::ByteWriter().number(next_).take());
    return next_ < count_ ? busbar::Status::ok : busbar::Status::done;
  }

 private:
  int64_t count_;
  std::string text_;
  int64_t next_ = 0;  // how many were given; it is also the position
};
