/* What crosses between Go and the C contract. Go's side is bridge.go. SPDX-License-Identifier: Apache-2.0 */
#ifndef BUSBAR_GO_BRIDGE_H
#define BUSBAR_GO_BRIDGE_H

#include "busbar.h"

/* One string of a log record: offset and length in its text. */
typedef struct busbar_go_span {
  uint32_t offset;
  uint32_t length;
} busbar_go_span_t;

/* The table of a component, with the functions whose bits are set in `calls`; null without memory. Never freed. */
const void *busbar_go_table(uint32_t kind, uint32_t calls);
/* The root table; null without memory. `names` one behind the other, each with a NUL. Never freed. */
const busbar_plugin_t *busbar_go_plugin(uint32_t count, const uint32_t *kinds, const uint32_t *calls, const char *names, size_t size);

const volatile int32_t *busbar_go_level(const busbar_context_t *context);
/* spans[0] is the message; then a name and a value for each of `count` fields, whose types follow. */
void busbar_go_log(const busbar_context_t *context, int32_t level, int64_t timestamp, const char *text,
                   const busbar_go_span_t *spans, const uint32_t *types, uint32_t count);
void busbar_go_counter(const busbar_context_t *context, const char *name, uint64_t length, uint64_t add);
void busbar_go_gauge(const busbar_context_t *context, const char *name, uint64_t length, double value);
void busbar_go_histogram(const busbar_context_t *context, const char *name, uint64_t length, double value);
void busbar_go_wake(const busbar_context_t *context);
void busbar_go_complete(const busbar_context_t *context, uint64_t batch, int32_t status, uint32_t done, const char *message,
                        uint64_t length);
#endif
