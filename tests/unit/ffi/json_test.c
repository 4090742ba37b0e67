/* Tests of busbar_json.h; run by json_test.ts. */
#include "busbar_test.h"

#include "busbar_json.h"

static busbar_json_t parse(const char *text) { return busbar_json(busbar_string(text)); }

static int64_t integer(const char *text) {
  int64_t value = -77; /* says: not an integer */
  busbar_json_integer(parse(text), &value);
  return value;
}

static void accepts_what_is_json(void) {
  static const char *const texts[] = {
      "{}", "[]", " [ ] ", "{\"a\":1}", "[1,2 , 3]", "\"\"", "\"\\u00e9\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "0", "-0", "-0.5e+10", "1E-2",
      "true", "false", "null", "{\"a\":{\"b\":[{},[],\"x\"]},\"c\":null}", "\n\t\r {\"a\" : \"b\" } \n", "\"\xc3\xa9\""};
  size_t i;
  for (i = 0; i < sizeof texts / sizeof *texts; i++)
    if (busbar_json_type(parse(texts[i])) == BUSBAR_JSON_MISSING) FAIL("refused %s", texts[i]);
}

static void refuses_what_is_not(void) {
  static const char *const texts[] = {
      "", " ", "{", "}", "[", "]", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{'a':1}", "\"", "\"\\\"",
      "\"\\x\"", "\"\\u12\"", "\"\\u123g\"", "\"\n\"", "01", "-", "+1", ".5", "1.", "1e", "1e+", "--1", "tru", "nul", "True", "truefalse",
      "1 2", "{} {}", "[1]]", "\"a\" b", "{\"a\" 1}", "{1:2}", "NaN", "[\"a\\", "\"\\"};
  size_t i;
  for (i = 0; i < sizeof texts / sizeof *texts; i++)
    if (busbar_json_type(parse(texts[i])) != BUSBAR_JSON_MISSING) FAIL("accepted %s", texts[i]);
}

static void limits_depth(void) {
  char text[2 * BUSBAR_JSON_DEPTH + 4];
  int n;
  for (n = BUSBAR_JSON_DEPTH - 1; n <= BUSBAR_JSON_DEPTH + 1; n++) {
    memset(text, '[', (size_t)n);
    memset(text + n, ']', (size_t)n);
    text[2 * n] = 0;
    CHECK_INT(busbar_json_type(parse(text)), n <= BUSBAR_JSON_DEPTH ? BUSBAR_JSON_ARRAY : BUSBAR_JSON_MISSING);
  }
}

static void finds_members(void) {
  busbar_json_t object = parse(" { \"a\" : [ 1 , {\"b\":2} ] , \"\\u0062\" : \"x\" , \"c\" : {\"a\":5}, \"d\":1, \"d\":2 } ");
  busbar_json_iterator_t it;
  char text[8];
  CHECK_INT(busbar_json_type(object), BUSBAR_JSON_OBJECT);
  CHECK_INT(busbar_json_type(busbar_json_get(object, "a")), BUSBAR_JSON_ARRAY);
  CHECK(busbar_json_string(busbar_json_get(object, "b"), text, sizeof text, NULL));
  CHECK_TEXT(text, strlen(text), "x");
  CHECK(busbar_json_equals(busbar_json_get(object, "b"), "x"));
  CHECK(!busbar_json_equals(busbar_json_get(object, "b"), "xy"));
  CHECK(!busbar_json_equals(busbar_json_get(object, "b"), ""));
  CHECK_INT(busbar_json_type(busbar_json_get(object, "")), BUSBAR_JSON_MISSING);
  CHECK_INT(busbar_json_type(busbar_json_get(object, "aa")), BUSBAR_JSON_MISSING);
  CHECK_INT(busbar_json_type(busbar_json_get(busbar_json_get(object, "a"), "b")), BUSBAR_JSON_MISSING);
  {
    int64_t d = 0, a = 0;
    CHECK(busbar_json_integer(busbar_json_get(object, "d"), &d));
    CHECK_INT(d, 2); /* as JSON.parse has it */
    CHECK(busbar_json_integer(busbar_json_get(busbar_json_get(object, "c"), "a"), &a));
    CHECK_INT(a, 5);
  }
  it = busbar_json_iterate(busbar_json_get(object, "a"));
  CHECK(busbar_json_next(&it));
  CHECK_INT(busbar_json_type(it.value), BUSBAR_JSON_NUMBER);
  CHECK(busbar_json_next(&it));
  CHECK_INT(busbar_json_type(it.value), BUSBAR_JSON_OBJECT);
  CHECK(!busbar_json_next(&it));
  CHECK(!busbar_json_next(&it));
  it = busbar_json_iterate(parse("[]"));
  CHECK(!busbar_json_next(&it));
  it = busbar_json_iterate(parse("\"abc\""));
  CHECK(!busbar_json_next(&it));
}

static void unescapes_strings(void) {
  static const struct {
    const char *json, *text;
  } cases[] = {{"\"\"", ""},
               {"\"plain\"", "plain"},
               {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
               {"\"\\u0041\\u00e9\\u20ac\"", "A\xc3\xa9\xe2\x82\xac"},
               {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},
               {"\"\\uDBFF\\uDFFF\"", "\xf4\x8f\xbf\xbf"},
               {"\"\\ud83d\"", "\xef\xbf\xbd"},
               {"\"\\ud83dx\"", "\xef\xbf\xbdx"},
               {"\"\\ud83d\\u0041\"", "\xef\xbf\xbd" "A"},
               {"\"\\ude00\\ud83d\"", "\xef\xbf\xbd\xef\xbf\xbd"},
               {"\"\xe2\x82\xac\"", "\xe2\x82\xac"}};
  size_t i, length;
  for (i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *text = busbar_json_text(parse(cases[i].json)), room[64];
    size_t needs = strlen(cases[i].text);
    CHECK(text != NULL);
    CHECK_TEXT(text, strlen(text), cases[i].text);
    free(text);
    CHECK(busbar_json_equals(parse(cases[i].json), cases[i].text));
    CHECK(!busbar_json_string(parse(cases[i].json), room, needs, &length));
    CHECK(busbar_json_string(parse(cases[i].json), room, needs + 1, &length));
    CHECK_INT(length, needs);
  }
  CHECK(busbar_json_text(parse("\"a\\u0000b\"")) == NULL);
  CHECK(busbar_json_text(parse("1")) == NULL);
}

static void reads_integers(void) {
  int64_t untouched = 5;
  CHECK_INT(integer("0"), 0);
  CHECK_INT(integer("-0"), 0);
  CHECK_INT(integer("42"), 42);
  CHECK_INT(integer("-42"), -42);
  CHECK_INT(integer("1e3"), 1000);
  CHECK_INT(integer("1.5e1"), 15);
  CHECK_INT(integer("1500e-2"), 15);
  CHECK_INT(integer("100.000"), 100);
  CHECK_INT(integer("0e99999999"), 0);
  CHECK_INT(integer("1000000000000000000000e-21"), 1);
  CHECK_INT(integer("9223372036854775807"), INT64_MAX);
  CHECK_INT(integer("9007199254740993"), 9007199254740993);
  CHECK(integer("-9223372036854775808") == INT64_MIN);
  CHECK_INT(integer("9223372036854775808"), -77);
  CHECK_INT(integer("1e19"), -77);
  CHECK_INT(integer("1e999999999999"), -77);
  CHECK_INT(integer("0.5"), -77);
  CHECK_INT(integer("15e-1"), -77);
  CHECK_INT(integer("\"1\""), -77);
  CHECK_INT(integer("true"), -77);
  CHECK(!busbar_json_integer(busbar_json_get(parse("{}"), "x"), &untouched));
  CHECK_INT(untouched, 5);
}

static void reads_booleans(void) {
  int value = 7;
  CHECK(!busbar_json_bool(parse("1"), &value) && value == 7);
  CHECK(busbar_json_bool(parse("true"), &value) && value == 1);
  CHECK(busbar_json_bool(parse("false"), &value) && value == 0);
}

static void reads_quantities(void) {
  int64_t value = -1;
  CHECK(busbar_json_duration(parse("\"500ms\""), &value) && value == 500000000);
  CHECK(busbar_json_duration(parse("\"1.5s\""), &value) && value == 1500000000);
  CHECK(busbar_json_duration(parse("\"2h\""), &value) && value == 7200000000000);
  CHECK(busbar_json_duration(parse("\"1d\""), &value) && value == 86400000000000);
  value = -1;
  CHECK(!busbar_json_duration(parse("\"5\""), &value));
  CHECK(!busbar_json_duration(parse("\"s\""), &value));
  CHECK(!busbar_json_duration(parse("\"5x\""), &value));
  CHECK(!busbar_json_duration(parse("\"-5s\""), &value));
  CHECK(!busbar_json_duration(parse("\"99999999999d\""), &value));
  CHECK(!busbar_json_duration(parse("5"), &value) && value == -1);
  CHECK(busbar_json_size(parse("\"64MiB\""), &value) && value == 67108864);
  CHECK(busbar_json_size(parse("\"10MB\""), &value) && value == 10000000);
  CHECK(busbar_json_size(parse("\"1024B\""), &value) && value == 1024);
  CHECK(busbar_json_size(parse("\"1.5KiB\""), &value) && value == 1536);
  CHECK(busbar_json_size(parse("4096"), &value) && value == 4096);
  CHECK(busbar_json_size(parse("\"4096\""), &value) && value == 4096);
  value = -1;
  CHECK(!busbar_json_size(parse("-1"), &value));
  CHECK(!busbar_json_size(parse("\"1XB\""), &value) && value == -1);
}

/* Every prefix and thousands of changed bytes of a text, each in memory of exactly its size: the sanitizer sees any step out of it. */
static void survives_garbage(void) {
  static const char text[] = "{\"a\":[1,-2.5e3,\"x\\u00e9\\ud83d\\ude00\"],\"b\":{\"c\":true,\"d\":null},\"e\":\"\\\\\"}";
  unsigned seed = 1;
  int round;
  for (round = 0; round < 20000; round++) {
    size_t length = round < (int)sizeof text ? (size_t)round : sizeof text - 1, changed;
    char *copy = (char *)malloc(length + 1);
    busbar_string_t s;
    busbar_json_iterator_t it;
    int64_t number;
    memcpy(copy, text, length);
    for (changed = 0; round >= (int)sizeof text && changed < 3; changed++) {
      seed = seed * 1103515245u + 12345u;
      copy[(seed >> 8) % length] = (seed >> 24 & 1) != 0 ? text[(seed >> 16) % length] : (char)(seed >> 20);
    }
    s.data = copy = (char *)realloc(copy, length > 0 ? length : 1);
    s.length = length;
    it = busbar_json_iterate(busbar_json(s));
    while (busbar_json_next(&it)) {
      free(busbar_json_text(it.value));
      busbar_json_integer(it.value, &number);
      busbar_json_get(it.value, "c");
    }
    free(copy);
  }
}

int main(int argc, char **argv) {
  test_main(argc, argv);
  TEST(accepts_what_is_json);
  TEST(refuses_what_is_not);
  TEST(limits_depth);
  TEST(finds_members);
  TEST(unescapes_strings);
  TEST(reads_integers);
  TEST(reads_booleans);
  TEST(reads_quantities);
  TEST(survives_garbage);
  return test_end();
}
