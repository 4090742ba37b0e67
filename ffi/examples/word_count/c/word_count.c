/* word-count-c: a processor that counts words. See README.md. */
#include <stdlib.h>

#include "busbar_sdk.h"
#include "busbar_json.h"
#include "words.h"

#define STATE_VERSION 1

typedef struct counter {
  const busbar_context_t *context;
  int64_t min_length;
  int case_sensitive;
  words_t words;
  busbar_buffer_t word;  /* the one being read, in lower case */
  busbar_buffer_t state; /* what save gave last */
} counter_t;

static int32_t counter_create(const busbar_context_t *context, void **self) {
  busbar_json_t config = busbar_json(context->config);
  busbar_json_t min_length = busbar_json_get(config, "min_length"), case_sensitive = busbar_json_get(config, "case_sensitive");
  counter_t settings = {.context = context, .min_length = 1}, *counter;
  if (busbar_json_type(min_length) != BUSBAR_JSON_MISSING &&
      (!busbar_json_integer(min_length, &settings.min_length) || settings.min_length < 1))
    return busbar_error(context, BUSBAR_FAILED, "Cannot read config: \"min_length\" is not an integer from 1 on");
  if (busbar_json_type(case_sensitive) != BUSBAR_JSON_MISSING && !busbar_json_bool(case_sensitive, &settings.case_sensitive))
    return busbar_error(context, BUSBAR_FAILED, "Cannot read config: \"case_sensitive\" is not true or false");
  counter = malloc(sizeof *counter);
  if (counter == NULL) return busbar_error(context, BUSBAR_FAILED, "Cannot create the counter: out of memory");
  *counter = settings;
  *self = counter;
  return BUSBAR_OK;
}

static void counter_destroy(void *self) {
  counter_t *counter = self;
  words_free(&counter->words);
  free(counter->word.data);
  free(counter->state.data);
  free(counter);
}

static int is_word_byte(uint8_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '\'' || c >= 0x80;
}

/* Counts the word at `at`. 0 when memory ends. */
static int count_word(counter_t *counter, const uint8_t *at, uint32_t length) {
  word_t *word;
  uint32_t i;
  if (length < counter->min_length) return 1;
  if (!counter->case_sensitive) {
    counter->word.length = 0;
    busbar_buffer_bytes(&counter->word, at, length);
    if (counter->word.failed) return 0;
    at = counter->word.data;
    for (i = 0; i < length; i++)
      if (at[i] >= 'A' && at[i] <= 'Z') counter->word.data[i] |= 0x20;
  }
  word = words_find(&counter->words, at, length);
  if (word == NULL) return 0;
  word->count++;
  words_mark(&counter->words, word);
  return 1;
}

static int32_t counter_process(void *self, busbar_batch_t *batch) {
  counter_t *counter = self;
  busbar_iterator_t it = busbar_iterate_from(batch, batch->cursor);
  const busbar_record_t *record;
  while ((record = busbar_next(&it)) != NULL) {
    const uint8_t *at = busbar_payload(record), *end = at + record->payload_length;
    while (at < end) {
      const uint8_t *start;
      while (at < end && !is_word_byte(*at)) at++;
      for (start = at; at < end && is_word_byte(*at);) at++;
      if (at > start && !count_word(counter, start, (uint32_t)(at - start)))
        return busbar_error(counter->context, BUSBAR_FATAL, "Cannot count a word: out of memory");
    }
  }
  return it.malformed ? busbar_malformed(counter->context, batch, &it) : BUSBAR_OK;
}

/* Gives the words that changed, as far as there is room. */
static int32_t counter_tick(void *self, busbar_batch_t *batch) {
  counter_t *counter = self;
  words_t *words = &counter->words;
  size_t emitted;
  words_sort_changed(words);
  for (emitted = 0; emitted < words->changed_count; emitted++) {
    const word_t *word = words->changed[emitted];
    char payload[40];
    busbar_event_t event = {.payload = payload,
                            .payload_length = (uint32_t)snprintf(payload, sizeof payload, "{\"count\":%llu}",
                                                                 (unsigned long long)word->count),
                            .key = word->bytes,
                            .key_length = word->length,
                            .operation = word->flags & WORD_EMITTED ? BUSBAR_OP_UPDATE : BUSBAR_OP_INSERT,
                            .content_type = BUSBAR_CONTENT_JSON,
                            .timestamp = batch->now};
    if (!busbar_emit(batch->out[0], &event)) break;
  }
  words_emitted(words, emitted);
  return words->changed_count == 0 ? BUSBAR_OK : BUSBAR_MORE;
}

/* The number of words, then count, flags, length and bytes of each. README.md describes it. */
static int32_t counter_save(void *self, busbar_state_t *state) {
  counter_t *counter = self;
  busbar_buffer_t *buffer = &counter->state;
  size_t i;
  buffer->length = 0;
  buffer->failed = 0;
  busbar_buffer_u64(buffer, counter->words.count);
  for (i = 0; i < counter->words.capacity; i++) {
    const word_t *word = counter->words.slots[i];
    if (word == NULL) continue;
    busbar_buffer_u64(buffer, word->count);
    busbar_buffer_u32(buffer, word->flags);
    busbar_buffer_u32(buffer, word->length);
    busbar_buffer_bytes(buffer, word->bytes, word->length);
  }
  if (buffer->failed) return busbar_error(counter->context, BUSBAR_FAILED, "Cannot save the counts: out of memory");
  busbar_set_state(state, STATE_VERSION, buffer->data, buffer->length);
  return BUSBAR_OK;
}

static int32_t counter_restore(void *self, const busbar_state_t *state) {
  counter_t *counter = self;
  busbar_reader_t reader = busbar_reader(state->data);
  uint64_t left;
  if (state->version != STATE_VERSION)
    return busbar_error(counter->context, BUSBAR_INVALID, "Cannot restore the counts: the state has version %u, not %u",
                        (unsigned)state->version, STATE_VERSION);
  for (left = busbar_read_u64(&reader); left > 0 && !reader.failed; left--) {
    uint64_t count = busbar_read_u64(&reader);
    uint32_t flags = busbar_read_u32(&reader);
    uint32_t length = busbar_read_u32(&reader);
    const uint8_t *bytes = busbar_read_bytes(&reader, length);
    word_t *word;
    if (bytes == NULL || flags == 0 || (flags & ~(WORD_CHANGED | WORD_EMITTED)) != 0 || length == 0 || count == 0) break;
    word = words_find(&counter->words, bytes, length);
    if (word == NULL) return busbar_error(counter->context, BUSBAR_FATAL, "Cannot restore the counts: out of memory");
    if (word->count != 0) break; /* the same word twice */
    word->count = count;
    if (flags & WORD_CHANGED) words_mark(&counter->words, word);
    word->flags = flags;
  }
  if (left > 0 || reader.failed || reader.left > 0)
    return busbar_error(counter->context, BUSBAR_INVALID, "Cannot restore the counts: byte %llu of the state does not fit",
                        (unsigned long long)(state->data.length - reader.left));
  return BUSBAR_OK;
}

/* Nothing can go wrong with it. */
static int32_t counter_health(void *self, busbar_health_t *health) {
  (void)self;
  (void)health;
  return BUSBAR_OK;
}

static const busbar_processor_t count = {
    .lifecycle = {.size = sizeof(busbar_processor_t),
                  .create = counter_create,
                  .restore = counter_restore,
                  .save = counter_save,
                  .destroy = counter_destroy,
                  .health = counter_health},
    .process = counter_process,
    .tick = counter_tick,
};

BUSBAR_PLUGIN(BUSBAR_COMPONENT(BUSBAR_PROCESSOR, "count", count))
