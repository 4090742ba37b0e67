// {{name}}: a hook that lets only requests with the right token pass.
#pragma once

#include <string>
#include <string_view>

#include "busbar.hpp"

class Guard : public busbar::Hook {
 public:
  static constexpr const char *name = "guard";

  explicit Guard(busbar::Context context) : Hook(context), token_(context.config()["token"].string()) {}

  busbar::Status before_request(busbar::Call &call) {
    if (same(call.header("x-token").value_or(""))) return busbar::Status::ok;
    call.answer("the header x-token is missing or wrong\n", 401);
    return busbar::Status::done;
  }

 private:
  /// Looks at every byte, so that the time it takes does not tell how much was right.
  bool same(std::string_view given) const {
    if (given.size() != token_.size()) return false;
    unsigned char differs = 0;
    for (size_t i = 0; i < given.size(); i++) differs |= static_cast<unsigned char>(given[i] ^ token_[i]);
    return differs == 0;
  }

  std::string token_;
};
