// {{name}}: a bootstrap that gives numbered elements.
#pragma once

#include <string>

#include "busbar.hpp"

class Elements : public busbar::Bootstrap {
 public:
  static constexpr const char *name = "elements";

  explicit Elements(busbar::Context context) : Bootstrap(context), count_(context.config()["count"].integer(3)) {}

  void start() { next_ = 0; }

  busbar::Status fetch(busbar::FetchBatch &batch) {
    for (; next_ < count_; next_++) {
      const std::string number = std::to_string(next_ + 1), payload = "{\"number\":" + number + "}";
      busbar::Event element = busbar::Event::json(payload);
      element.flags = BUSBAR_RECORD_BOOTSTRAP;
      if (!batch.append("element-" + number, element)) return busbar::Status::more;
    }
    return busbar::Status::done;
  }

 private:
  int64_t count_;
  int64_t next_ = 0;
};
