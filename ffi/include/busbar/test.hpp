// test.hpp: tests C++ components without busbar. A thin layer over busbar_test.h, which says what is checked without being asked for
// and how tests are run.                                                     SPDX-License-Identifier: Apache-2.0
//
//   static void shouts() {
//     busbar::test::Host<Upper> host("{}");
//     busbar::test::Batch in, out;
//     in.append(busbar::Event::text("hello"));
//     host.start();
//     CHECK_STATUS(host.process(in, {&out}), BUSBAR_OK);
//     CHECK(out[0].payload() == "HELLO");
//   }
//   int main(int argc, char **argv) { test_main_static(argc, argv); TEST(shouts); return test_end(); }
//
// Include it in one file of the test.
#ifndef BUSBAR_TEST_HPP
#define BUSBAR_TEST_HPP

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "../busbar.hpp"
#include "../busbar_test.h"

namespace busbar::test {

/// A batch that ends at a page which cannot be touched.
class Batch {
 public:
  explicit Batch(uint64_t capacity = 65536, uint32_t limit = 1024) : raw_(test_batch(capacity, limit)) {}
  Batch(const Batch &) = delete;
  Batch &operator=(const Batch &) = delete;
  ~Batch() { test_batch_free(raw_); }
  test_batch_t *raw() noexcept { return raw_; }

  /// As a source would, with the next sequence. Fails the test when there is no room.
  void append(const Event &event) {
    const busbar_event_t raw = event.raw();
    if (raw_->read_only) test_batch_reset(raw_);
    if (!busbar_append(&raw_->batch, &raw)) FAIL("the test's batch is full");
  }
  void clear() { test_batch_reset(raw_); }
  uint32_t size() const noexcept { return raw_->batch.count; }
  Records::Iterator begin() const { return Records::Iterator(busbar_iterate(&raw_->batch)); }
  Records::Iterator end() const noexcept { return Records::Iterator(); }
  /// Fails the test when there is none.
  Record operator[](uint32_t index) const { return Record(test_record(raw_, index), index); }
  std::string position() const { return {reinterpret_cast<const char *>(raw_->batch.position), raw_->batch.position_length}; }

 private:
  test_batch_t *raw_;
};

/// A component of class T with a host. Made but not started; stopped and destroyed at its end.
template <class T>
class Host {
 public:
  /// With `create` false the component is made by create(), for configs that are refused.
  explicit Host(std::string config = "{}", bool create = true)
      : config_(std::move(config)), raw_(test_open_component(&component<T>(), config_.c_str())) {
    if (create) CHECK_STATUS(test_create(raw_), BUSBAR_OK);
  }
  Host(const Host &) = delete;
  Host &operator=(const Host &) = delete;
  ~Host() { test_close(raw_); }

  test_component_t *raw() noexcept { return raw_; }
  T &operator*() noexcept { return detail::Instance<T>::of(raw_->self).component; }
  T *operator->() noexcept { return &**this; }
  /// Message of the last call that failed, but of a service or hook: those have it in busbar_call_t::error.
  std::string error() const { return raw_->error; }

  int32_t create() { return test_create(raw_); }
  int32_t start() { return test_start(raw_); }
  int32_t stop() { return test_stop(raw_); }
  int32_t poll(Batch &batch) { return test_poll(raw_, batch.raw()); }
  int32_t fetch(Batch &batch) { return test_fetch(raw_, batch.raw()); }
  int32_t flush() { return test_flush(raw_); }

  /// From the start of the batch; go on after MORE with `again`.
  int32_t process(Batch &batch, std::initializer_list<Batch *> out, bool again = false) {
    std::vector<test_batch_t *> raw_out = raws(out);
    if (!again) test_batch_seal(batch.raw());
    return test_process(raw_, batch.raw(), raw_out.data(), uint32_t(raw_out.size()));
  }
  int32_t tick(int64_t now, std::initializer_list<Batch *> out = {}, uint32_t flags = 0) {
    std::vector<test_batch_t *> raw_out = raws(out);
    return test_tick(raw_, now, flags, raw_out.data(), uint32_t(raw_out.size()));
  }
  int32_t write(Batch &batch, uint64_t id = 1) {
    test_batch_seal(batch.raw());
    batch.raw()->batch.id = id;
    return test_write(raw_, batch.raw());
  }

  State save() {
    test_state_t saved = test_save(raw_);
    CHECK_STATUS(saved.status, BUSBAR_OK);
    State state{saved.version, std::string(reinterpret_cast<const char *>(saved.data), size_t(saved.length))};
    test_state_free(&saved);
    return state;
  }
  int32_t restore(const State &state) { return test_restore(raw_, state.version, state.data.data(), state.data.size()); }

 private:
  static std::vector<test_batch_t *> raws(std::initializer_list<Batch *> batches) {
    std::vector<test_batch_t *> out;
    for (Batch *batch : batches) out.push_back(batch->raw());
    return out;
  }

  std::string config_;
  test_component_t *raw_;
};

}  // namespace busbar::test

#endif
