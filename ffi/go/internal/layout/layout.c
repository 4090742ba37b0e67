#include "layout.h"

#include "busbar.h"

#define MEMBER(type, member) ((int)offsetof(busbar_##type##_t, member))
#define STRUCT(type, ...) {#type, (int)sizeof(busbar_##type##_t), {__VA_ARGS__, -1}}

static const struct {
  const char *name;
  int size;
  int offsets[24];
} structs[] = {
    STRUCT(record, MEMBER(record, size), MEMBER(record, operation), MEMBER(record, content_type), MEMBER(record, source),
           MEMBER(record, timestamp), MEMBER(record, sequence), MEMBER(record, key_length), MEMBER(record, payload_length),
           MEMBER(record, attributes_length), MEMBER(record, flags)),
    STRUCT(bytes, MEMBER(bytes, data), MEMBER(bytes, length)),
    STRUCT(string, MEMBER(string, data), MEMBER(string, length)),
    STRUCT(batch, MEMBER(batch, size), MEMBER(batch, flags), MEMBER(batch, data), MEMBER(batch, capacity), MEMBER(batch, length),
           MEMBER(batch, count), MEMBER(batch, limit), MEMBER(batch, next_sequence), MEMBER(batch, done), MEMBER(batch, source),
           MEMBER(batch, cursor), MEMBER(batch, required), MEMBER(batch, id), MEMBER(batch, now), MEMBER(batch, position),
           MEMBER(batch, position_length), MEMBER(batch, position_capacity), MEMBER(batch, loan), MEMBER(batch, out),
           MEMBER(batch, out_count)),
    STRUCT(acknowledged, MEMBER(acknowledged, source_id), MEMBER(acknowledged, sequence), MEMBER(acknowledged, source)),
    STRUCT(context, MEMBER(context, size), MEMBER(context, host), MEMBER(context, pipeline_id), MEMBER(context, component_id),
           MEMBER(context, config), MEMBER(context, plugin_directory), MEMBER(context, data_directory), MEMBER(context, error),
           MEMBER(context, error_capacity), MEMBER(context, partition_index), MEMBER(context, partition_count),
           MEMBER(context, acknowledged_count), MEMBER(context, acknowledged), MEMBER(context, position),
           MEMBER(context, internal), MEMBER(context, component)),
    STRUCT(state, MEMBER(state, size), MEMBER(state, version), MEMBER(state, data)),
    STRUCT(health, MEMBER(health, size), MEMBER(health, message)),
    STRUCT(header, MEMBER(header, name), MEMBER(header, value)),
    STRUCT(call, MEMBER(call, size), MEMBER(call, slot), MEMBER(call, id), MEMBER(call, deadline), MEMBER(call, method),
           MEMBER(call, path), MEMBER(call, query), MEMBER(call, headers), MEMBER(call, body), MEMBER(call, header_count),
           MEMBER(call, answer_status), MEMBER(call, answer_headers), MEMBER(call, answer), MEMBER(call, answer_header_count),
           MEMBER(call, error), MEMBER(call, error_capacity)),
};

#define COUNT (int)(sizeof structs / sizeof *structs)

const char *busbar_layout_name(int i) { return i < COUNT ? structs[i].name : NULL; }
int busbar_layout_size(int i) { return structs[i].size; }
int busbar_layout_offset(int i, int j) { return structs[i].offsets[j]; }
