/* Tests of log; tests/plugins/log_test.ts compiles and runs them. */
#include "busbar_test.h"

static const char *library;

static test_component_t *open_logger(const char *config) {
  test_component_t *c = test_open(library, BUSBAR_REACTION, "log", config);
  CHECK_STATUS(test_create(c), BUSBAR_OK);
  test_acknowledge(c, "web", 0, 0);
  CHECK_STATUS(test_start(c), BUSBAR_OK);
  return c;
}

static busbar_event_t event_of(const void *payload, uint32_t length) {
  busbar_event_t event;
  memset(&event, 0, sizeof event);
  event.payload = payload;
  event.payload_length = length;
  return event;
}

/* Fails unless the event becomes one record of `level` with exactly this text and these fields. */
static void check_event(const char *config, const busbar_event_t *event, int32_t level, const char *expected) {
  test_component_t *c = open_logger(config);
  test_batch_t *b = test_batch(1 << 16, 4);
  CHECK(busbar_append(&b->batch, event));
  test_batch_seal(b);
  CHECK_STATUS(test_write(c, b), BUSBAR_OK);
  CHECK_INT(c->log_count, 1);
  CHECK_INT(c->logs[0].level, level);
  CHECK_TEXT(c->logs[0].message, strlen(c->logs[0].message), expected);
  test_close(c);
  test_batch_free(b);
}

static void check_payload(const char *config, const char *payload, const char *expected) {
  busbar_event_t event = event_of(payload, (uint32_t)strlen(payload));
  char text[4096];
  snprintf(text, sizeof text, "Event sequence=1 source=web operation=message %s", expected);
  check_event(config, &event, BUSBAR_LOG_INFO, text);
}

static void event_becomes_a_record(void) {
  busbar_event_t event = event_of("{\"a\":1}", 7);
  event.key = "k";
  event.key_length = 1;
  event.operation = BUSBAR_OP_UPDATE;
  event.timestamp = 1767323045000000007;
  event.flags = BUSBAR_RECORD_MARKED;
  check_event("{}", &event, BUSBAR_LOG_INFO,
              "Event sequence=1 source=web operation=update timestamp=2026-01-02T03:04:05.000000007Z key=k payload={\"a\":1} marked=true");
}

static void times_before_1970_have_their_parts_of_a_second(void) {
  busbar_event_t event = event_of("", 0);
  event.timestamp = -1;
  event.operation = 77;
  check_event("{\"level\":\"fatal\"}", &event, BUSBAR_LOG_FATAL,
              "Event sequence=1 source=web operation=77 timestamp=1969-12-31T23:59:59.999999999Z payload=");
}

static void source_that_is_not_known_is_a_number(void) {
  test_component_t *c = open_logger("{}");
  test_batch_t *b = test_batch(4096, 4);
  b->batch.source = 3;
  test_append_text(b, "x");
  test_batch_seal(b);
  CHECK_STATUS(test_write(c, b), BUSBAR_OK);
  CHECK_INT(test_logged(c, BUSBAR_LOG_INFO, "source=3"), 1);
  test_close(c);
  test_batch_free(b);
}

static void payload_is_cut_between_characters(void) {
  check_payload("{\"max_payload\":4}", "abcdef", "payload=abcd payload_bytes=6");
  check_payload("{\"max_payload\":6}", "abcdef", "payload=abcdef");
  check_payload("{\"max_payload\":4}", "abc\xc3\xa4", "payload=abc payload_bytes=5");
  check_payload("{\"max_payload\":5}", "a\xf0\x9d\x84\x9e\xc3\xa4", "payload=a\xf0\x9d\x84\x9e payload_bytes=7");
  check_payload("{\"max_payload\":3}", "\xf0\x9d\x84\x9e", "payload= payload_bytes=4");
  check_payload("{\"max_payload\":\"0B\"}", "abc", "payload= payload_bytes=3");
}

static void longest_payload_is_one_kibibyte(void) {
  char payload[1501], expected[1200];
  memset(payload, 'a', 1500);
  payload[1500] = 0;
  snprintf(expected, sizeof expected, "payload=%.1024s payload_bytes=1500", payload);
  check_payload("{\"max_payload\":\"1KiB\"}", payload, expected);
  check_payload("{}", payload, expected);
}

static void what_is_not_utf8_becomes_base64(void) {
  check_payload("{}", "\xff", "payload_base64=/w==");
  check_payload("{}", "a\xff", "payload_base64=Yf8=");
  check_payload("{}", "ab\xff", "payload_base64=YWL/");
  check_payload("{}", "\xc0\x80", "payload_base64=wIA=");         /* longer than need be */
  check_payload("{}", "\xed\xa0\x80", "payload_base64=7aCA");     /* half of a pair */
  check_payload("{}", "\xf4\x90\x80\x80", "payload_base64=9JCAgA=="); /* beyond the last character */
  check_payload("{\"max_payload\":8}", "abcdefgh\xff", "payload=abcdefgh payload_bytes=9");
  check_payload("{\"max_payload\":8}", "\xff" "bcdefghi", "payload_base64=/2JjZGVm payload_bytes=9");
}

static void longest_binary_key_fits(void) {
  char key[300], digits[260];
  busbar_event_t event = event_of("", 0);
  char expected[400];
  memset(key, '\xff', sizeof key);
  memset(digits, '/', 256);
  digits[256] = 0;
  event.key = key;
  event.key_length = sizeof key;
  snprintf(expected, sizeof expected, "Event sequence=1 source=web operation=message key_base64=%s payload=", digits);
  check_event("{}", &event, BUSBAR_LOG_INFO, expected);
}

static void level_that_is_off_makes_no_record(void) {
  test_component_t *c = open_logger("{\"level\":\"debug\"}");
  test_batch_t *b = test_batch(4096, 4);
  test_append_text(b, "x");
  test_batch_seal(b);
  test_log_level = BUSBAR_LOG_INFO;
  CHECK_STATUS(test_write(c, b), BUSBAR_OK);
  CHECK_INT(c->log_count, 0);
  test_log_level = BUSBAR_LOG_DEBUG;
  CHECK_STATUS(test_write(c, b), BUSBAR_OK);
  CHECK_INT(test_logged(c, BUSBAR_LOG_DEBUG, "payload=x"), 1);
  test_close(c);
  test_batch_free(b);
}

static void bad_config_is_refused(void) {
  static const char *const configs[][2] = {
      {"{\"level\":\"loud\"}", "\"level\" is no level"},
      {"{\"level\":3}", "\"level\" is no level"},
      {"{\"max_payload\":\"much\"}", "\"max_payload\" is not a size"},
      {"{\"max_payload\":-1}", "\"max_payload\" is not a size"},
      {"{\"max_payload\":\"2KiB\"}", "Cannot log payloads of 2048 bytes: max_payload is at most 1024"},
  };
  size_t i;
  for (i = 0; i < sizeof configs / sizeof configs[0]; i++) {
    test_component_t *c = test_open(library, BUSBAR_REACTION, "log", configs[i][0]);
    CHECK_STATUS(test_create(c), BUSBAR_FAILED);
    if (strstr(c->error, configs[i][1]) == NULL) FAIL("%s: %s", configs[i][0], c->error);
    test_close(c);
  }
}

static void malformed_record_is_invalid(void) {
  test_component_t *c = open_logger("{}");
  test_batch_t *b = test_batch(4096, 4);
  test_append_text(b, "good");
  test_append_text(b, "bad");
  ((busbar_record_t *)(void *)test_record(b, 1))->payload_length = 100;
  test_batch_seal(b);
  CHECK_STATUS(test_write(c, b), BUSBAR_INVALID);
  CHECK_INT(b->batch.done, 1);
  CHECK_INT(test_logged(c, BUSBAR_LOG_INFO, "Event"), 1);
  test_close(c);
  test_batch_free(b);
}

int main(int argc, char **argv) {
  test_main(argc, argv);
  library = argv[1];
  TEST(event_becomes_a_record);
  TEST(times_before_1970_have_their_parts_of_a_second);
  TEST(source_that_is_not_known_is_a_number);
  TEST(payload_is_cut_between_characters);
  TEST(longest_payload_is_one_kibibyte);
  TEST(what_is_not_utf8_becomes_base64);
  TEST(longest_binary_key_fits);
  TEST(level_that_is_off_makes_no_record);
  TEST(bad_config_is_refused);
  TEST(malformed_record_is_invalid);
  return test_end();
}
