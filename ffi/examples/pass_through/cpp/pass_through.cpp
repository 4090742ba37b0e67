// pass-through-cpp: copies each event to its output, for measuring what an SDK costs.
#include "busbar.hpp"

namespace {

class Pass : public busbar::Processor {
 public:
  static constexpr const char *name = "pass";
  using Processor::Processor;

  busbar::Status process(busbar::ProcessBatch &batch) {
    busbar::Output out = batch.out();
    for (busbar::Record record : batch)
      if (!out.copy(record)) return batch.more(record);
    return busbar::Status::ok;
  }
};

}  // namespace

BUSBAR_EXPORT_PLUGIN(Pass)
