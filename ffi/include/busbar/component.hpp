// component.hpp: what components derive from, and how tables are made of them. Part of busbar.hpp.  SPDX-License-Identifier: Apache-2.0
#ifndef BUSBAR_COMPONENT_HPP
#define BUSBAR_COMPONENT_HPP

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "batch.hpp"
#include "bytes.hpp"

namespace busbar {

/// What all components have. The methods of it and of the six kinds below are only declared: a component that has one of the same name
/// offers it, all others are null in its table. All are called one at a time for each instance, but not always from one OS thread.
class Component {
 public:
  explicit Component(Context context) noexcept : context_(context) {}
  Component(const Component &) = delete;
  Component &operator=(const Component &) = delete;

  const Context &context() const noexcept { return context_; }

  /// Opens, binds, locks; context().position() and acknowledged() are set. The constructor takes nothing exclusive.
  void start();
  /// Releases what start took; afterwards no thread of its own runs and no completion follows.
  void stop();
  /// What restore needs to go on.
  State save();
  /// At most once, before start. Throws Invalid for a state that it cannot read.
  void restore(StateView state);
  /// "" when all is well, else what an operator should know. Cheap.
  std::string health();

 private:
  Context context_;
};

/// Must have poll.
class Source : public Component {
 public:
  using Component::Component;
  using Table = busbar_source_t;
  static constexpr uint32_t kind = BUSBAR_SOURCE;
  /// ok, again or done.
  Status poll(PollBatch &batch);
  /// Everything up to the position is finished everywhere.
  void commit(std::string_view position);
  void release(void *loan);
};

/// Must have process.
class Processor : public Component {
 public:
  using Component::Component;
  using Table = busbar_processor_t;
  static constexpr uint32_t kind = BUSBAR_PROCESSOR;
  /// ok, or batch.more(record).
  Status process(ProcessBatch &batch);
  /// ok or more.
  Status tick(TickBatch &batch);
};

/// Must have write.
class Reaction : public Component {
 public:
  using Component::Component;
  using Table = busbar_reaction_t;
  static constexpr uint32_t kind = BUSBAR_REACTION;
  /// ok or again; or anything after batch.defer().
  Status write(WriteBatch &batch);
  /// Makes durable what was accepted. ok or again.
  Status flush();
  void tick(TickBatch &batch);
};

/// Must have fetch.
class Bootstrap : public Component {
 public:
  using Component::Component;
  using Table = busbar_bootstrap_t;
  static constexpr uint32_t kind = BUSBAR_BOOTSTRAP;
  /// more, done or again.
  Status fetch(FetchBatch &batch);
};

/// Must have execute. With a `concurrency` above 1 in the manifest, execute is called by several threads at once.
class Service : public Component {
 public:
  using Component::Component;
  using Table = busbar_service_t;
  static constexpr uint32_t kind = BUSBAR_SERVICE;
  /// Throws Invalid for a bad request.
  void execute(Call &call);
};

/// Has any of these. ok goes on, done: answered.
class Hook : public Component {
 public:
  using Component::Component;
  using Table = busbar_hook_t;
  static constexpr uint32_t kind = BUSBAR_HOOK;
  Status before_request(Call &call);
  Status handle(Call &call);
  Status after_response(Call &call);
};

namespace detail {

// has_x<T, Base>: whether T has a method x of its own, so that Base's declaration is hidden. A name that is overloaded or not public
// counts as well: using it then says what is wrong.
#define BUSBAR_DETECT_(method)                                                                                                   \
  template <class T, class Base, class = void>                                                                                   \
  struct has_##method : std::true_type {};                                                                                       \
  template <class T, class Base>                                                                                                 \
  struct has_##method<T, Base, std::enable_if_t<std::is_same_v<decltype(&T::method), decltype(&Base::method)>>> : std::false_type {};
BUSBAR_DETECT_(start)
BUSBAR_DETECT_(stop)
BUSBAR_DETECT_(save)
BUSBAR_DETECT_(restore)
BUSBAR_DETECT_(health)
BUSBAR_DETECT_(poll)
BUSBAR_DETECT_(commit)
BUSBAR_DETECT_(release)
BUSBAR_DETECT_(process)
BUSBAR_DETECT_(tick)
BUSBAR_DETECT_(write)
BUSBAR_DETECT_(flush)
BUSBAR_DETECT_(fetch)
BUSBAR_DETECT_(execute)
BUSBAR_DETECT_(before_request)
BUSBAR_DETECT_(handle)
BUSBAR_DETECT_(after_response)
#undef BUSBAR_DETECT_

// Calls a method that returns a Status, or nothing for ok.
template <class Method>
int32_t status_of(Method &&method) {
  if constexpr (std::is_void_v<decltype(method())>) {
    method();
    return BUSBAR_OK;
  } else {
    return static_cast<int32_t>(Status(method()));
  }
}

// What the C functions get as `self`.
template <class T>
struct Instance {
  explicit Instance(const busbar_context_t *context) : context(context), component(Context(context)) {}

  const busbar_context_t *context;
  T component;
  // What was given to the host, which may read it until the next call.
  std::string saved, health;
  std::conditional_t<T::kind == BUSBAR_SERVICE || T::kind == BUSBAR_HOOK, Answers, char> answers{};

  static Instance &of(void *self) noexcept { return *static_cast<Instance *>(self); }
};

template <class T>
struct Functions {
  using Self = Instance<T>;

  static int32_t create(const busbar_context_t *context, void **self) noexcept {
    return guarded<may_fail | may_be_fatal>(context, nullptr, [&] {
      *self = new Self(context);
      return BUSBAR_OK;
    });
  }
  static void destroy(void *self) noexcept { delete &Self::of(self); }
  static int32_t start(void *self) noexcept {
    return guarded<may_fail | may_be_fatal>(Self::of(self).context, nullptr, [&] {
      return status_of([&] { return Self::of(self).component.start(); });
    });
  }
  static int32_t stop(void *self) noexcept {
    return guarded<may_fail>(Self::of(self).context, nullptr, [&] {
      return status_of([&] { return Self::of(self).component.stop(); });
    });
  }
  static int32_t save(void *self, busbar_state_t *state) noexcept {
    return guarded<may_fail | may_be_fatal>(Self::of(self).context, nullptr, [&] {
      State saved = Self::of(self).component.save();
      Self::of(self).saved = std::move(saved.data);
      busbar_set_state(state, saved.version, Self::of(self).saved.data(), Self::of(self).saved.size());
      return BUSBAR_OK;
    });
  }
  static int32_t restore(void *self, const busbar_state_t *state) noexcept {
    return guarded<may_invalidate | may_be_fatal>(Self::of(self).context, nullptr, [&] {
      Self::of(self).component.restore(StateView{state->version, view(state->data)});
      return BUSBAR_OK;
    });
  }
  static int32_t health(void *self, busbar_health_t *health) noexcept {
    return guarded<may_fail>(Self::of(self).context, nullptr, [&] {
      try {
        Self::of(self).health = Self::of(self).component.health();
      } catch (const std::exception &error) {
        Self::of(self).health = *error.what() == 0 ? "Unknown error" : error.what();
      }
      health->message = raw(Self::of(self).health);
      return Self::of(self).health.empty() ? BUSBAR_OK : report(Self::of(self).context, BUSBAR_FAILED, Self::of(self).health.c_str());
    });
  }

  static int32_t poll(void *self, busbar_batch_t *raw) noexcept {
    return guarded<may_fail | may_be_fatal>(Self::of(self).context, nullptr, [&] {
      PollBatch batch(raw);
      return status_of([&] { return Self::of(self).component.poll(batch); });
    });
  }
  static int32_t commit(void *self, const busbar_bytes_t *position) noexcept {
    return guarded<may_fail>(Self::of(self).context, nullptr, [&] {
      return status_of([&] { return Self::of(self).component.commit(view(*position)); });
    });
  }
  static void release(void *self, void *loan) noexcept {
    try {
      Self::of(self).component.release(loan);
    } catch (const std::exception &error) {
      Context(Self::of(self).context).log(Level::error, "Cannot take back a loan", {{"reason", error.what()}});
    } catch (...) {
      Context(Self::of(self).context).log(Level::error, "Cannot take back a loan");
    }
  }
  static int32_t process(void *self, busbar_batch_t *raw) noexcept {
    return guarded<may_fail | may_invalidate | may_be_fatal>(Self::of(self).context, &raw->done, [&] {
      try {
        ProcessBatch batch(raw);
        return status_of([&] { return Self::of(self).component.process(batch); });
      } catch (const Error &error) {
        // Without an index no record is accepted, so nothing may have come of any.
        for (uint32_t i = 0; i < raw->out_count && !error.done(); i++) raw->out[i]->length = raw->out[i]->count = 0;
        throw;
      }
    });
  }
  static int32_t tick(void *self, busbar_batch_t *raw) noexcept {
    return guarded<may_fail | may_be_fatal>(Self::of(self).context, nullptr, [&] {
      TickBatch batch(raw);
      return status_of([&] { return Self::of(self).component.tick(batch); });
    });
  }
  static int32_t write(void *self, busbar_batch_t *raw) noexcept {
    const busbar_context_t *context = Self::of(self).context;
    WriteBatch batch(context, raw);
    uint32_t done = 0;
    const int32_t status = guarded<may_fail | may_invalidate | may_be_fatal>(
        context, &done, [&] { return status_of([&] { return Self::of(self).component.write(batch); }); });
    // The batch may be gone already when it was deferred: its completion says how it ended.
    if (batch.deferred()) {
      if (status < 0) Context(context).log(Level::error, "An error after the write was deferred", {{"reason", context->error}});
      return BUSBAR_PENDING;
    }
    if (status == BUSBAR_FAILED || status == BUSBAR_INVALID) raw->done = done;
    return status;
  }
  static int32_t flush(void *self) noexcept {
    return guarded<may_fail | may_be_fatal>(Self::of(self).context, nullptr, [&] {
      return status_of([&] { return Self::of(self).component.flush(); });
    });
  }
  static int32_t fetch(void *self, busbar_batch_t *raw) noexcept {
    return guarded<may_fail | may_be_fatal>(Self::of(self).context, nullptr, [&] {
      FetchBatch batch(raw);
      return status_of([&] { return Self::of(self).component.fetch(batch); });
    });
  }

  template <class Method>
  static int32_t call(void *self, busbar_call_t *raw, Method &&method) noexcept {
    return guarded<may_fail | may_invalidate | may_be_fatal>(raw, nullptr, [&] {
      Answer &answer = Self::of(self).answers.of(raw->slot);
      answer = Answer();
      Call call(raw, answer);
      return status_of([&] { return method(Self::of(self).component, call); });
    });
  }
  static int32_t execute(void *self, busbar_call_t *raw) noexcept {
    return call(self, raw, [](T &component, Call &call) { return component.execute(call); });
  }
  static int32_t before_request(void *self, busbar_call_t *raw) noexcept {
    return call(self, raw, [](T &component, Call &call) { return component.before_request(call); });
  }
  static int32_t handle(void *self, busbar_call_t *raw) noexcept {
    return call(self, raw, [](T &component, Call &call) { return component.handle(call); });
  }
  static int32_t after_response(void *self, busbar_call_t *raw) noexcept {
    return call(self, raw, [](T &component, Call &call) { return component.after_response(call); });
  }
};

template <class T>
constexpr typename T::Table make_table() {
  static_assert(std::is_base_of_v<Component, T>, "a component derives from busbar::Source, Processor, Reaction, Bootstrap, Service or Hook");
  static_assert(std::is_constructible_v<T, Context>, "a component is made from a busbar::Context");
  using F = Functions<T>;
  typename T::Table table{};
  table.lifecycle.size = sizeof table;
  table.lifecycle.create = F::create;
  table.lifecycle.destroy = F::destroy;
  if constexpr (has_start<T, Component>::value) table.lifecycle.start = F::start;
  if constexpr (has_stop<T, Component>::value) table.lifecycle.stop = F::stop;
  if constexpr (has_save<T, Component>::value) table.lifecycle.save = F::save;
  if constexpr (has_restore<T, Component>::value) table.lifecycle.restore = F::restore;
  if constexpr (has_health<T, Component>::value) table.lifecycle.health = F::health;
  if constexpr (T::kind == BUSBAR_SOURCE) {
    static_assert(has_poll<T, Source>::value, "a source must have poll");
    table.poll = F::poll;
    if constexpr (has_commit<T, Source>::value) table.commit = F::commit;
    if constexpr (has_release<T, Source>::value) table.release = F::release;
  } else if constexpr (T::kind == BUSBAR_PROCESSOR) {
    static_assert(has_process<T, Processor>::value, "a processor must have process");
    table.process = F::process;
    if constexpr (has_tick<T, Processor>::value) table.tick = F::tick;
  } else if constexpr (T::kind == BUSBAR_REACTION) {
    static_assert(has_write<T, Reaction>::value, "a reaction must have write");
    table.write = F::write;
    if constexpr (has_flush<T, Reaction>::value) table.flush = F::flush;
    if constexpr (has_tick<T, Reaction>::value) table.tick = F::tick;
  } else if constexpr (T::kind == BUSBAR_BOOTSTRAP) {
    static_assert(has_fetch<T, Bootstrap>::value, "a bootstrap must have fetch");
    table.fetch = F::fetch;
  } else if constexpr (T::kind == BUSBAR_SERVICE) {
    static_assert(has_execute<T, Service>::value, "a service must have execute");
    table.execute = F::execute;
  } else {
    if constexpr (has_before_request<T, Hook>::value) table.before_request = F::before_request;
    if constexpr (has_handle<T, Hook>::value) table.handle = F::handle;
    if constexpr (has_after_response<T, Hook>::value) table.after_response = F::after_response;
  }
  return table;
}

template <class T>
inline constexpr typename T::Table table = make_table<T>();

template <class T>
inline constexpr busbar_component_t descriptor = {sizeof(busbar_component_t), T::kind, T::name, &table<T>};

template <class... Ts>
inline constexpr const busbar_component_t *descriptors[] = {&descriptor<Ts>...};

template <class... Ts>
inline constexpr busbar_plugin_t plugin = {sizeof(busbar_plugin_t), sizeof...(Ts), descriptors<Ts...>, nullptr, {}};

}  // namespace detail

/// The component that a class makes: its kind, T::name, and the table of its methods. For tests and for plugins without the macro.
template <class T>
constexpr const busbar_component_t &component() noexcept {
  return detail::descriptor<T>;
}

}  // namespace busbar

/// Defines the plugin's entry, with one or several components. Once, at namespace scope, without a semicolon.
/// The other two symbols, hash and manifest, are added by `busbar plugin build`.
#define BUSBAR_EXPORT_PLUGIN(...) \
  BUSBAR_EXPORT const busbar_plugin_t *busbar_plugin(const busbar_host_t *) { return &::busbar::detail::plugin<__VA_ARGS__>; }

#endif
