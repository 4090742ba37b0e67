/* Tests of word-count-c, without busbar. README.md says how to compile it. */
#include "busbar_test.h"
#include "busbar_json.h"

BUSBAR_EXPORT const busbar_plugin_t *busbar_plugin(const busbar_host_t *host);

static test_component_t *open_counter(const char *config) {
  test_component_t *c = test_open_plugin(busbar_plugin, BUSBAR_PROCESSOR, "count", config);
  CHECK_STATUS(test_create(c), BUSBAR_OK);
  return c;
}

static void feed(test_component_t *c, const char *text) {
  test_batch_t *in = test_batch(4096, 16), *out = test_batch(64, 1);
  test_append_text(in, text);
  test_batch_seal(in);
  CHECK_STATUS(test_process(c, in, &out, 1), BUSBAR_OK);
  CHECK_INT(out->batch.count, 0);
  test_batch_free(in);
  test_batch_free(out);
}

/* Ticks until all is emitted, into arenas of that size; what came, as "+word=1 word=2 ", with a plus for an INSERT. */
static const char *emitted(test_component_t *c, uint64_t capacity, uint32_t limit) {
  static char text[4096];
  test_batch_t *out = test_batch(capacity, limit);
  size_t used = 0;
  int32_t status;
  text[0] = 0;
  do {
    busbar_iterator_t it;
    const busbar_record_t *record;
    status = test_tick(c, 1234, 0, &out, 1);
    for (it = busbar_iterate(&out->batch); (record = busbar_next(&it)) != NULL;) {
      busbar_string_t json = {(const char *)busbar_payload(record), record->payload_length};
      int64_t count = 0;
      CHECK_INT(record->timestamp, 1234);
      CHECK_INT(record->sequence, 0);
      CHECK_INT(record->content_type, BUSBAR_CONTENT_JSON);
      CHECK(busbar_json_integer(busbar_json_get(busbar_json(json), "count"), &count));
      used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s=%lld ", record->operation == BUSBAR_OP_INSERT ? "+" : "",
                               (int)record->key_length, (const char *)busbar_key(record), (long long)count);
    }
  } while (status == BUSBAR_MORE);
  CHECK_STATUS(status, BUSBAR_OK);
  test_batch_free(out);
  return text;
}

#define CHECK_EMITTED(c, expected)                         \
  do {                                                     \
    const char *text = emitted(c, 4096, 64);               \
    CHECK_TEXT(text, strlen(text), expected);              \
  } while (0)

static void counts_words(void) {
  test_component_t *c = open_counter("{}");
  CHECK_STATUS(test_start(c), BUSBAR_OK);
  feed(c, "the cat, The CAT; don't 42");
  feed(c, "gr\xc3\xbc\xc3\x9f");
  CHECK_EMITTED(c, "+42=1 +cat=2 +don't=1 +gr\xc3\xbc\xc3\x9f=1 +the=2 ");
  CHECK_EMITTED(c, "");
  feed(c, "the dog");
  CHECK_EMITTED(c, "+dog=1 the=3 ");
  test_close(c);
}

static void heeds_its_settings(void) {
  test_component_t *c = open_counter("{\"min_length\":3,\"case_sensitive\":true}");
  CHECK_STATUS(test_start(c), BUSBAR_OK);
  feed(c, "a an The the THE");
  CHECK_EMITTED(c, "+THE=1 +The=1 +the=1 ");
  test_close(c);
}

static void refuses_other_settings(void) {
  static const char *const configs[] = {"{\"min_length\":0}", "{\"min_length\":\"1\"}", "{\"case_sensitive\":1}"};
  size_t i;
  for (i = 0; i < 3; i++) {
    test_component_t *c = test_open_plugin(busbar_plugin, BUSBAR_PROCESSOR, "count", configs[i]);
    CHECK_STATUS(test_create(c), BUSBAR_FAILED);
    test_close(c);
  }
}

static void goes_on_where_the_output_was_full(void) {
  test_component_t *c = open_counter("{}");
  const char *text;
  CHECK_STATUS(test_start(c), BUSBAR_OK);
  feed(c, "e d c b a");
  text = emitted(c, 4096, 2);
  CHECK_TEXT(text, strlen(text), "+a=1 +b=1 +c=1 +d=1 +e=1 ");
  feed(c, "a b");
  text = emitted(c, 100, 64); /* one record */
  CHECK_TEXT(text, strlen(text), "a=2 b=2 ");
  test_close(c);
}

static void asks_for_a_larger_arena(void) {
  test_component_t *c = open_counter("{}");
  test_batch_t *out = test_batch(40, 64);
  CHECK_STATUS(test_start(c), BUSBAR_OK);
  feed(c, "word");
  CHECK_STATUS(test_tick(c, 0, 0, &out, 1), BUSBAR_MORE);
  CHECK_INT(out->batch.required, 56);
  test_batch_free(out);
  CHECK_EMITTED(c, "+word=1 ");
  test_close(c);
}

static void saves_and_restores(void) {
  test_component_t *c = open_counter("{}"), *next = open_counter("{}"), *bad = open_counter("{}");
  test_state_t state;
  uint64_t length;
  CHECK_STATUS(test_start(c), BUSBAR_OK);
  feed(c, "old old");
  CHECK_EMITTED(c, "+old=2 ");
  feed(c, "old new");
  state = test_save(c);
  CHECK_STATUS(state.status, BUSBAR_OK);
  CHECK_STATUS(test_restore(next, state.version, state.data, state.length), BUSBAR_OK);
  CHECK_STATUS(test_start(next), BUSBAR_OK);
  CHECK_EMITTED(next, "+new=1 old=3 ");
  test_close(next);
  CHECK_STATUS(test_restore(bad, state.version + 1, state.data, state.length), BUSBAR_INVALID);
  test_close(bad);
  for (length = 0; length < state.length; length++) {
    bad = open_counter("{}");
    CHECK_STATUS(test_restore(bad, state.version, state.data, length), BUSBAR_INVALID);
    test_close(bad);
  }
  test_state_free(&state);
  test_close(c);
}

static void counts_many_words(void) {
  test_component_t *c = open_counter("{}");
  test_batch_t *out = test_batch(1 << 20, 1000);
  size_t emitted_words = 0;
  int32_t status;
  int i;
  CHECK_STATUS(test_start(c), BUSBAR_OK);
  for (i = 0; i < 5000; i++) {
    char word[16];
    snprintf(word, sizeof word, "w%d", i);
    feed(c, word);
  }
  do {
    status = test_tick(c, 0, 0, &out, 1);
    emitted_words += out->batch.count;
  } while (status == BUSBAR_MORE);
  CHECK_INT(emitted_words, 5000);
  test_batch_free(out);
  test_close(c);
}

int main(int argc, char **argv) {
  test_main_static(argc, argv);
  TEST(counts_words);
  TEST(heeds_its_settings);
  TEST(refuses_other_settings);
  TEST(goes_on_where_the_output_was_full);
  TEST(asks_for_a_larger_arena);
  TEST(saves_and_restores);
  TEST(counts_many_words);
  return test_end();
}
