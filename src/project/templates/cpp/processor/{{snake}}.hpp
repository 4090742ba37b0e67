// {{name}}: a processor that turns ASCII letters of payloads into capitals.
#pragma once

#include <string>

#include "busbar.hpp"

class Upper : public busbar::Processor {
 public:
  static constexpr const char *name = "upper";

  explicit Upper(busbar::Context context)
      : Processor(context), skip_empty_(context.config()["skip_empty"].boolean(false)) {}

  busbar::Status process(busbar::ProcessBatch &batch) {
    busbar::Output out = batch.out();
    for (busbar::Record record : batch) {
      if (skip_empty_ && record.payload().empty()) continue;
      payload_ = record.payload();
      for (char &c : payload_)
        if (c >= 'a' && c <= 'z') c -= 'a' - 'A';
      busbar::Event event = busbar::Event::text(payload_, record.key());
      event.content_type = record.content_type();
      event.operation = record.operation();
      event.timestamp = record.timestamp();
      event.attributes = record.attribute_bytes();
      event.flags = record.flags();
      if (!out.derive(record, event)) return batch.more(record);
    }
    return busbar::Status::ok;
  }

 private:
  bool skip_empty_;
  std::string payload_;  // of the record at hand; kept for its memory
};
