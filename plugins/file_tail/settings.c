#include "tail.h"

#include "busbar_json.h"

static int is_there(busbar_json_t value) { return busbar_json_type(value) != BUSBAR_JSON_MISSING; }

static int wrong(const busbar_context_t *context, const char *name, const char *needs) {
  busbar_error(context, BUSBAR_FAILED, "Cannot use \"%s\" of the config: %s", name, needs);
  return 0;
}

static int read_paths(tail_settings_t *settings, busbar_json_t paths, const busbar_context_t *context) {
  busbar_json_iterator_t it = busbar_json_iterate(paths);
  while (busbar_json_next(&it)) {
    char *path = busbar_json_text(it.value);
    char **grown = (char **)realloc(settings->paths, (settings->path_count + 1) * sizeof *settings->paths);
    if (grown != NULL) settings->paths = grown;
    if (grown == NULL || path == NULL || *path == 0) {
      free(path);
      return wrong(context, "paths", "it must be a list of file names and patterns");
    }
    settings->paths[settings->path_count++] = path;
  }
  if (settings->path_count == 0) return wrong(context, "paths", "name at least one file or pattern");
  return 1;
}

int tail_settings_read(tail_settings_t *settings, const busbar_context_t *context) {
  busbar_json_t config = busbar_json(context->config), value;
  int64_t max_line = 1024 * 1024;
  memset(settings, 0, sizeof *settings);
  settings->rescan = settings->grace = 1000000000;
  if (busbar_json_type(config) != BUSBAR_JSON_OBJECT) {
    busbar_error(context, BUSBAR_FAILED, "Cannot read the config: it is not a JSON object");
    return 0;
  }
  if (!read_paths(settings, busbar_json_get(config, "paths"), context)) return 0;
  if (is_there(value = busbar_json_get(config, "once")) && !busbar_json_bool(value, &settings->once))
    return wrong(context, "once", "it must be true or false");
  if (is_there(value = busbar_json_get(config, "attributes")) && !busbar_json_bool(value, &settings->attributes))
    return wrong(context, "attributes", "it must be true or false");
  if (is_there(value = busbar_json_get(config, "from"))) {
    settings->from_end = busbar_json_equals(value, "end");
    if (!settings->from_end && !busbar_json_equals(value, "beginning"))
      return wrong(context, "from", "it must be \"beginning\" or \"end\"");
  }
  if (is_there(value = busbar_json_get(config, "max_line")) && !busbar_json_size(value, &max_line)) max_line = 0;
  if (max_line < 1 || max_line > TAIL_MAX_LINE_LIMIT)
    return wrong(context, "max_line", "it must be a size from 1 byte to 64MiB, such as \"1MiB\"");
  settings->max_line = (uint64_t)max_line;
  if (is_there(value = busbar_json_get(config, "rescan")) && !busbar_json_duration(value, &settings->rescan)) settings->rescan = 0;
  if (settings->rescan < 1000000 || settings->rescan > 86400000000000)
    return wrong(context, "rescan", "it must be a duration from 1ms to 1d, such as \"1s\"");
  if (is_there(value = busbar_json_get(config, "grace")) && !busbar_json_duration(value, &settings->grace)) settings->grace = -1;
  if (settings->grace < 0 || settings->grace > 86400000000000)
    return wrong(context, "grace", "it must be a duration up to 1d, such as \"1s\"");
  return 1;
}

void tail_settings_free(tail_settings_t *settings) {
  uint32_t i;
  for (i = 0; i < settings->path_count; i++) free(settings->paths[i]);
  free(settings->paths);
}
