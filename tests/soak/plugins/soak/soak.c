/* soak: components that write down what passes through them. plugin.json lists the settings. */
#include "soak.h"

static const busbar_component_t numbers = {sizeof numbers, BUSBAR_SOURCE, "numbers", &soak_numbers};
static const busbar_component_t port = {sizeof port, BUSBAR_SOURCE, "port", &soak_port};
static const busbar_component_t windows = {sizeof windows, BUSBAR_PROCESSOR, "windows", &soak_windows};
static const busbar_component_t sink = {sizeof sink, BUSBAR_REACTION, "sink", &soak_sink};

static const busbar_component_t *const components[] = {&numbers, &port, &windows, &sink};

BUSBAR_EXPORT const busbar_plugin_t *busbar_plugin(const busbar_host_t *host) {
  static const busbar_plugin_t root = {
      .size = sizeof root, .component_count = sizeof components / sizeof *components, .components = components};
  (void)host;
  return &root;
}
