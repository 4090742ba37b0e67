/* The reaction of the benchmark: reads every byte, checks every sequence, and writes down how long that took. */
#include "bench.h"

typedef struct sink {
  const busbar_context_t *context;
  char *result_file;
  uint64_t count;
  uint64_t sequence; /* of the newest event */
  uint64_t checksum;
  uint64_t marked;   /* sequence of the event that carries the start time */
  int64_t started;
  int64_t ended;
} sink_t;

static int32_t sink_create(const busbar_context_t *context, void **self) {
  sink_t *sink = calloc(1, sizeof *sink);
  if (sink == NULL) return busbar_error(context, BUSBAR_FATAL, "Cannot create the sink: out of memory");
  sink->context = context;
  sink->count = (uint64_t)bench_number(context, "count", 1000000);
  sink->result_file = busbar_json_text(busbar_json_get(busbar_json(context->config), "result_file"));
  if (sink->result_file == NULL) {
    free(sink);
    return busbar_error(context, BUSBAR_FAILED, "Cannot create the sink: its config has no \"result_file\"");
  }
  *self = sink;
  return BUSBAR_OK;
}

static void sink_destroy(void *self) {
  sink_t *sink = self;
  free(sink->result_file);
  free(sink);
}

/* Under another name first, so that a reader never sees half of it. */
static int32_t write_result(sink_t *sink) {
  char temporary[4096];
  FILE *file;
  if (sink->marked == 0) return busbar_error(sink->context, BUSBAR_FATAL, "Cannot tell the time: no event carries a start");
  snprintf(temporary, sizeof temporary, "%s.part", sink->result_file);
  file = fopen(temporary, "w");
  if (file == NULL) {
    return busbar_error(sink->context, BUSBAR_FATAL, "Cannot write \"%s\": %s", temporary, strerror(errno));
  }
  fprintf(file, "{\"events\":%" PRIu64 ",\"ns\":%" PRId64 ",\"total\":%" PRIu64 ",\"checksum\":\"%016" PRIx64 "\"}\n",
          sink->sequence - sink->marked + 1, sink->ended - sink->started, sink->sequence, sink->checksum);
  if (fclose(file) != 0 || rename(temporary, sink->result_file) != 0) {
    return busbar_error(sink->context, BUSBAR_FATAL, "Cannot write \"%s\": %s", sink->result_file, strerror(errno));
  }
  return BUSBAR_OK;
}

/* Four sums side by side: a single one would measure how the compiler happened to align its loop. */
static inline uint64_t sum_payload(const busbar_record_t *record) {
  const uint8_t *at = busbar_payload(record);
  uint32_t left = record->payload_length;
  uint64_t sums[4] = {0, 0, 0, 0}, words[4];
  for (; left >= sizeof words; left -= (uint32_t)sizeof words, at += sizeof words) {
    memcpy(words, at, sizeof words);
    sums[0] += words[0];
    sums[1] += words[1];
    sums[2] += words[2];
    sums[3] += words[3];
  }
  for (; left >= 8; left -= 8, at += 8) {
    memcpy(words, at, 8);
    sums[0] += words[0];
  }
  for (; left > 0; left--) sums[0] += *at++;
  return sums[0] + sums[1] + sums[2] + sums[3];
}

static int32_t sink_write(void *self, busbar_batch_t *batch) {
  sink_t *sink = self;
  busbar_iterator_t it = busbar_iterate(batch);
  const busbar_record_t *record;
  uint64_t sequence = sink->sequence, checksum = sink->checksum;
  while ((record = busbar_next(&it)) != NULL) {
    if (record->sequence != sequence + 1) {
      return busbar_error(sink->context, BUSBAR_FATAL,
                          "Cannot take event %" PRIu64 ": the one before it was %" PRIu64, record->sequence, sequence);
    }
    sequence = record->sequence;
    if (record->timestamp != 0) {
      sink->started = record->timestamp;
      sink->marked = sequence;
    }
    checksum += sum_payload(record) + sequence;
  }
  sink->sequence = sequence;
  sink->checksum = checksum;
  if (it.malformed) {
    batch->done = it.index;
    return BUSBAR_INVALID;
  }
  if (sequence >= sink->count && sink->ended == 0) {
    sink->ended = bench_now();
    return write_result(sink);
  }
  return BUSBAR_OK;
}

static const busbar_reaction_t sink_table = {
    .lifecycle = {.size = sizeof(busbar_reaction_t), .create = sink_create, .destroy = sink_destroy},
    .write = sink_write,
};

BENCH_PLUGIN(BUSBAR_REACTION, "sink", sink_table)
