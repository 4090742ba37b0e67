#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "busbar_json.h"

static int is_given(busbar_json_t value) { return busbar_json_type(value) != BUSBAR_JSON_MISSING; }

/* As the manifest's schema has it. */
static int is_name(const char *text) {
  static const char letters[] = "-.ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
  size_t length = strlen(text);
  return length > 0 && length <= 100 && strspn(text, letters) == length && text[0] != '-' && text[0] != '.';
}

int settings_read(settings_t *settings, const busbar_context_t *context, problem_t *problem) {
  busbar_json_t config = busbar_json(context->config);
  busbar_json_t prefix = busbar_json_get(config, "prefix"), bytes = busbar_json_get(config, "max_segment_bytes");
  busbar_json_t age = busbar_json_get(config, "max_segment_age"), level = busbar_json_get(config, "level");
  busbar_json_t format = busbar_json_get(config, "format");
  int64_t max_bytes = 64 << 20, chosen_level = 6;
  memset(settings, 0, sizeof *settings);
  snprintf(settings->prefix, sizeof settings->prefix, "events");
  settings->max_segment_age = 3600000000000;
  settings->directory = busbar_json_text(busbar_json_get(config, "directory"));
  if (settings->directory == NULL || settings->directory[0] == 0) return fail(problem, "Cannot read config: \"directory\" is missing or not a path");
  if (is_given(prefix) && (!busbar_json_string(prefix, settings->prefix, sizeof settings->prefix, NULL) || !is_name(settings->prefix)))
    return fail(problem, "Cannot read config: \"prefix\" is not a name: use up to 100 letters, digits, \".\", \"_\" and \"-\", first a letter, a digit or \"_\"");
  if (is_given(bytes) && (!busbar_json_size(bytes, &max_bytes) || max_bytes < 1))
    return fail(problem, "Cannot read config: \"max_segment_bytes\" is not a size such as \"64MiB\"");
  if (is_given(age) && (!busbar_json_duration(age, &settings->max_segment_age) || settings->max_segment_age < 1))
    return fail(problem, "Cannot read config: \"max_segment_age\" is not a duration such as \"1h\"");
  if (is_given(level) && (!busbar_json_integer(level, &chosen_level) || chosen_level < 0 || chosen_level > 9))
    return fail(problem, "Cannot read config: \"level\" is not a number from 0 to 9");
  if (is_given(format) && !busbar_json_equals(format, "lines")) return fail(problem, "Cannot read config: \"format\" is not \"lines\"");
  settings->max_segment_bytes = (uint64_t)max_bytes;
  settings->level = (int)chosen_level;
  if (context->partition_count > 1) {
    size_t length = strlen(settings->prefix);
    snprintf(settings->prefix + length, sizeof settings->prefix - length, "-p%u", context->partition_index);
  }
  return 1;
}

void settings_free(settings_t *settings) {
  free(settings->directory);
  settings->directory = NULL;
}

int open_directory(const char *path, problem_t *problem) {
  char *copy = strdup(path), *slash = copy;
  int folder;
  if (copy == NULL) {
    fail(problem, "Cannot open archive \"%s\": out of memory", path);
    return -1;
  }
  while (slash != NULL) {
    slash = strchr(slash + 1, '/');
    if (slash != NULL) *slash = 0;
    if (mkdir(copy, 0777) != 0 && errno != EEXIST && errno != EROFS && errno != EACCES && errno != EPERM) break;
    if (slash != NULL) *slash = '/';
  }
  free(copy);
  folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) fail(problem, "Cannot open archive \"%s\": %s", path, strerror(errno));
  return folder;
}

int lock_prefix(const settings_t *settings, int folder, problem_t *problem) {
  char name[PREFIX_CAPACITY + 8], text[24];
  int file;
  snprintf(name, sizeof name, ".%s.lock", settings->prefix);
  file = openat(folder, name, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (file < 0) {
    fail(problem, "Cannot create \"%s/%s\": %s", settings->directory, name, strerror(errno));
    return -1;
  }
  if (flock(file, LOCK_EX | LOCK_NB) == 0) {
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    /* Who it is matters to the message below alone: the lock holds without. */
    if (ftruncate(file, 0) == 0) (void)write_all(file, text, (size_t)length, 0);
    return file;
  }
  if (errno == EWOULDBLOCK) {
    ssize_t length = read_up_to(file, text, sizeof text - 1, 0);
    text[length < 0 ? 0 : length] = 0;
    text[strcspn(text, "\n")] = 0;
    fail(problem, "Cannot lock archive \"%s\", prefix \"%s\": process %s is writing it, choose another directory or prefix",
         settings->directory, settings->prefix, text[0] == 0 ? "?" : text);
  } else {
    fail(problem, "Cannot lock \"%s/%s\": %s", settings->directory, name, strerror(errno));
  }
  close(file);
  return -1;
}

int read_space(const busbar_context_t *context, uint8_t space[JOURNAL_SPACE], problem_t *problem) {
  char path[4096], temporary[4096 + 8];
  int length = (int)context->data_directory.length, file, ok;
  memset(space, 0, JOURNAL_SPACE);
  if (length == 0) return 1;
  if (length > 4000) return fail(problem, "Cannot use the data folder: its path has %d bytes", length);
  snprintf(path, sizeof path, "%.*s", length, context->data_directory.data);
  if (mkdir(path, 0700) != 0 && errno != EEXIST) return fail(problem, "Cannot create data folder \"%s\": %s", path, strerror(errno));
  snprintf(path + length, sizeof path - (size_t)length, "/sequence_space.%u", context->partition_index);
  file = open(path, O_RDONLY | O_CLOEXEC);
  if (file >= 0) {
    ok = read_up_to(file, space, JOURNAL_SPACE, 0) == JOURNAL_SPACE;
    close(file);
    if (ok) return 1;
  }
  snprintf(temporary, sizeof temporary, "%s.tmp", path);
  file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  ok = file >= 0 && getrandom(space, JOURNAL_SPACE, 0) == JOURNAL_SPACE && write_all(file, space, JOURNAL_SPACE, 0) && sync_file(file) &&
       rename(temporary, path) == 0;
  if (!ok) fail(problem, "Cannot write \"%s\": %s", path, strerror(errno));
  if (file >= 0) close(file);
  return ok;
}
