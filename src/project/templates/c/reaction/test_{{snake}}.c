/* Tests of {{name}}, without busbar: make test */
#include "busbar_test.h"

const busbar_plugin_t *busbar_plugin(const busbar_host_t *host);

static void appends_lines(void) {
  char path[] = "/tmp/{{snake}}_XXXXXX", config[64], text[64];
  int file = mkstemp(path);
  test_component_t *c;
  test_batch_t *b = test_batch(4096, 64);
  ssize_t length;
  CHECK(file >= 0);
  snprintf(config, sizeof config, "{\"path\":\"%s\"}", path);
  c = test_open_plugin(busbar_plugin, BUSBAR_REACTION, "append", config);
  CHECK_STATUS(test_create(c), BUSBAR_OK);
  CHECK_STATUS(test_start(c), BUSBAR_OK);
  test_append_text(b, "one");
  test_append_text(b, "two");
  test_batch_seal(b);
  CHECK_STATUS(test_write(c, b), BUSBAR_OK);
  CHECK_STATUS(test_flush(c), BUSBAR_OK);
  length = read(file, text, sizeof text);
  unlink(path);
  CHECK(length >= 0);
  CHECK_TEXT(text, (uint64_t)length, "one\ntwo\n");
  test_close(c);
  test_batch_free(b);
}

static void says_why_it_cannot_start(void) {
  test_component_t *c =
      test_open_plugin(busbar_plugin, BUSBAR_REACTION, "append", "{\"path\":\"/no-such-folder/a.log\"}");
  CHECK_STATUS(test_create(c), BUSBAR_OK);
  CHECK_STATUS(test_start(c), BUSBAR_FAILED);
  CHECK(strstr(c->error, "Cannot open \"/no-such-folder/a.log\"") != NULL);
  test_close(c);
}

int main(int argc, char **argv) {
  test_main_static(argc, argv);
  TEST(appends_lines);
  TEST(says_why_it_cannot_start);
  return test_end();
}
