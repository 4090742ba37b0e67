// errors.hpp: what a component's methods return and throw. Part of busbar.hpp.   SPDX-License-Identifier: Apache-2.0
#ifndef BUSBAR_ERRORS_HPP
#define BUSBAR_ERRORS_HPP

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

#include "../busbar_sdk.h"

namespace busbar {

/// What a method returns that is not an error; busbar.h says which of them each may. Methods that return void mean ok.
enum class Status : int32_t {
  ok = BUSBAR_OK,
  again = BUSBAR_AGAIN,
  more = BUSBAR_MORE,
  done = BUSBAR_DONE,
};

class Record;

/// An error with a status of its own. All other exceptions are FATAL: the instance is beyond repair, and its cell is replaced.
class Error : public std::runtime_error {
 public:
  int32_t status() const noexcept { return status_; }
  /// How many records are accepted, or which one is invalid; where it is not known, none is.
  std::optional<uint32_t> done() const noexcept { return done_; }

 protected:
  Error(int32_t status, const std::string &message, std::optional<uint32_t> done = std::nullopt)
      : std::runtime_error(message), status_(status), done_(done) {}

 private:
  int32_t status_;
  std::optional<uint32_t> done_;
};

/// Did not work now: tried again after a backoff. In a constructor, a config that cannot be used.
class Failed : public Error {
 public:
  explicit Failed(const std::string &message) : Error(BUSBAR_FAILED, message) {}
  /// The records before this index are accepted.
  Failed(uint32_t done, const std::string &message) : Error(BUSBAR_FAILED, message, done) {}
  /// The records before this one are accepted.
  inline Failed(const Record &record, const std::string &message);
};

/// Can never be accepted: the record becomes a dead letter. In restore, a state that cannot be read; in execute, a bad request.
class Invalid : public Error {
 public:
  explicit Invalid(const std::string &message) : Error(BUSBAR_INVALID, message) {}
  Invalid(uint32_t index, const std::string &message) : Error(BUSBAR_INVALID, message, index) {}
  inline Invalid(const Record &record, const std::string &message);
};

namespace detail {

// Which errors a function may return.
constexpr unsigned may_fail = 1, may_invalidate = 2, may_be_fatal = 4;

constexpr int32_t allowed(int32_t status, unsigned allows) {
  const unsigned wanted = status == BUSBAR_FAILED ? may_fail : status == BUSBAR_INVALID ? may_invalidate : may_be_fatal;
  if (allows & wanted) return status;
  if (allows & may_be_fatal && status != BUSBAR_FAILED) return allows & may_fail && status == BUSBAR_INVALID ? BUSBAR_FAILED : BUSBAR_FATAL;
  return allows & may_fail ? BUSBAR_FAILED : allows & may_invalidate ? BUSBAR_INVALID : BUSBAR_FATAL;
}

inline int32_t report(const busbar_context_t *context, int32_t status, const char *message) noexcept {
  return busbar_error(context, status, "%s", *message == 0 ? "Unknown error" : message);
}

inline int32_t report(busbar_call_t *call, int32_t status, const char *message) noexcept {
  return busbar_call_error(call, status, "%s", *message == 0 ? "Unknown error" : message);
}

// Runs `body`, which returns a status, and turns what it throws into one that `Allows` has, with the message in the buffer of `where`:
// a context, or a call. `done`, unless null, gets how many records were accepted.
template <unsigned Allows, class Where, class Body>
int32_t guarded(Where *where, uint32_t *done, Body &&body) noexcept {
  try {
    return body();
  } catch (const Error &error) {
    if (done != nullptr) *done = error.done().value_or(0);
    return report(where, allowed(error.status(), Allows), error.what());
  } catch (const std::bad_alloc &) {
    return report(where, allowed(BUSBAR_FATAL, Allows), "Out of memory");
  } catch (const std::exception &error) {
    return report(where, allowed(BUSBAR_FATAL, Allows), error.what());
  } catch (...) {
    return report(where, allowed(BUSBAR_FATAL, Allows), "Unknown exception");
  }
}

}  // namespace detail
}  // namespace busbar

#endif
