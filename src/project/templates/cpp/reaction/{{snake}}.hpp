// {{name}}: a reaction that appends each payload to a file, as a line.
#pragma once

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include "busbar.hpp"

class Append : public busbar::Reaction {
 public:
  static constexpr const char *name = "append";

  explicit Append(busbar::Context context) : Reaction(context), path_(context.config()["path"].string()) {}

  void start() {
    file_.open(path_, std::ios::app | std::ios::binary);
    if (!file_) throw failed("open");
  }
  void stop() { file_.close(); }

  /// What is accepted may come again after a crash, until flush has returned.
  void write(busbar::WriteBatch &batch) {
    for (busbar::Record record : batch) file_ << record.payload() << '\n';
    if (!file_) throw failed("write to");
  }
  void flush() {
    if (!file_.flush()) throw failed("write to");
  }

 private:
  busbar::Failed failed(const char *what) {
    file_.clear();
    return busbar::Failed(std::string("Cannot ") + what + " \"" + path_ + "\": " + std::strerror(errno));
  }

  std::string path_;
  std::ofstream file_;
};
