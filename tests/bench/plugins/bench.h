/* What the three plugins of the benchmark share. */
#ifndef BENCH_H
#define BENCH_H

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "busbar_json.h"
#include "busbar_sdk.h"

static inline int64_t bench_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* A setting that is a whole number, or `otherwise`. */
static inline int64_t bench_number(const busbar_context_t *context, const char *name, int64_t otherwise) {
  busbar_json_integer(busbar_json_get(busbar_json(context->config), name), &otherwise);
  return otherwise;
}

/* A plugin of one component. Linked into a program, `busbar_plugin` is given another name by -D. */
#define BENCH_PLUGIN(kind_, name_, table_)                                                                          \
  static const busbar_component_t component = {                                                                     \
      .size = sizeof(busbar_component_t), .kind = kind_, .name = name_, .table = &table_};                           \
  static const busbar_component_t *const components[] = {&component};                                               \
  static const busbar_plugin_t plugin = {                                                                           \
      .size = sizeof(busbar_plugin_t), .component_count = 1, .components = components};                             \
  BUSBAR_EXPORT const busbar_plugin_t *busbar_plugin(const busbar_host_t *host);                                    \
  const busbar_plugin_t *busbar_plugin(const busbar_host_t *host) {                                                 \
    (void)host;                                                                                                     \
    return &plugin;                                                                                                 \
  }
#endif
