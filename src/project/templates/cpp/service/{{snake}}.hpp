// {{name}}: a service that answers with its input in capitals.
#pragma once

#include <string>

#include "busbar.hpp"

class Shout : public busbar::Service {
 public:
  static constexpr const char *name = "shout";
  using Service::Service;

  void execute(busbar::Call &call) {
    std::string answer(call.body());
    if (answer.empty()) throw busbar::Invalid("Cannot shout: the input is empty");
    for (char &c : answer)
      if (c >= 'a' && c <= 'z') c -= 'a' - 'A';
    call.answer(std::move(answer));
  }
};
