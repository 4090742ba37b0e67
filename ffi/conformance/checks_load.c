/* What a plugin may not do to the process it is loaded into. */
#include <dirent.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conformance.h"

extern char **environ;

static uint32_t count_entries(const char *path) {
  DIR *folder = opendir(path);
  uint32_t count = 0;
  if (folder == NULL) fail("Cannot check: %s is missing", path);
  while (readdir(folder) != NULL) count += 1;
  closedir(folder);
  return count;
}

uint32_t count_threads(void) { return count_entries("/proc/self/task"); }
uint32_t count_descriptors(void) { return count_entries("/proc/self/fd"); }

static int is_go(void) { return run.plan.language != NULL && strcmp(run.plan.language, "go") == 0; }

/* ---- load --------------------------------------------------------------------------------------------------------- */

static void check_load(void) {
  uint32_t threads = count_threads(), descriptors;
  int output = memfd_create("output", MFD_CLOEXEC), kept_out = dup(1), kept_error = dup(2);
  struct stat printed;
  dup2(output, 1);
  dup2(output, 2);
  descriptors = count_descriptors();
  plugin_load();
  fflush(stdout);
  fstat(output, &printed);
  dup2(kept_out, 1);
  dup2(kept_error, 2);
  if (printed.st_size > 0) fail("Loading it printed %lld bytes", (long long)printed.st_size);
  /* The runtime of Go starts with its library; abi.md says what it may do. */
  if (is_go()) return;
  if (count_descriptors() != descriptors)
    fail("Loading it changed the number of open descriptors from %u to %u", descriptors, count_descriptors());
  if (count_threads() != threads) fail("Loading it started %u threads", count_threads() - threads);
}

/* ---- root-table --------------------------------------------------------------------------------------------------- */

static void check_component(const busbar_component_t *component, busbar_json_t expected, uint32_t index) {
  static const size_t SIZES[] = {0,
                                 sizeof(busbar_source_t),
                                 sizeof(busbar_processor_t),
                                 sizeof(busbar_reaction_t),
                                 sizeof(busbar_bootstrap_t),
                                 sizeof(busbar_service_t),
                                 sizeof(busbar_hook_t)};
  static const size_t NEEDED[] = {0,
                                  offsetof(busbar_source_t, poll),
                                  offsetof(busbar_processor_t, process),
                                  offsetof(busbar_reaction_t, write),
                                  offsetof(busbar_bootstrap_t, fetch),
                                  offsetof(busbar_service_t, execute),
                                  0};
  const busbar_lifecycle_t *lifecycle;
  char *name = busbar_json_text(busbar_json_get(expected, "name")), *kind = busbar_json_text(busbar_json_get(expected, "kind"));
  void *needed = NULL;
  if (component == NULL || component->size < sizeof *component || component->name == NULL || component->table == NULL)
    fail("Component %u of the root table is incomplete", index);
  if (name == NULL || kind == NULL || component->kind != plan_kind(kind) || strcmp(component->name, name) != 0)
    fail("Component %u is %s \"%s\" in the root table, but %s \"%s\" in the manifest", index, kind_name(component->kind),
         component->name, kind, name);
  lifecycle = component->table;
  if (lifecycle->size < sizeof(busbar_lifecycle_t))
    fail("The table of \"%s\" says it has %u bytes, fewer than a lifecycle", name, lifecycle->size);
  if (lifecycle->create == NULL || lifecycle->destroy == NULL) fail("\"%s\" does not offer create and destroy", name);
  if (lifecycle->size > SIZES[component->kind] + 256)
    fail("The table of \"%s\" says it has %u bytes, too many", name, lifecycle->size);
  if (NEEDED[component->kind] > 0 && lifecycle->size >= NEEDED[component->kind] + sizeof needed)
    memcpy(&needed, (const uint8_t *)component->table + NEEDED[component->kind], sizeof needed);
  if (NEEDED[component->kind] > 0 && needed == NULL) fail("\"%s\" does not offer what every %s must", name, kind);
  if (lifecycle->reserved0 != 0) fail("Reserved members of the table of \"%s\" are not zero", name);
  for (int n = 0; n < 4; n++)
    if (lifecycle->reserved[n] != NULL) fail("Reserved members of the table of \"%s\" are not zero", name);
  free(name);
  free(kind);
}

static void check_root_table(void) {
  busbar_json_iterator_t it = busbar_json_iterate(run.plan.components);
  uint32_t index = 0;
  plugin_load();
  if (run.plugin->size < sizeof(busbar_plugin_t))
    fail("The root table says it has %u bytes, not %zu", run.plugin->size, sizeof(busbar_plugin_t));
  for (int n = 0; n < 4; n++)
    if (run.plugin->reserved[n] != 0) fail("Reserved members of the root table are not zero");
  if (run.plugin->extension != NULL) run.plugin->extension("conformance.unknown");
  for (; busbar_json_next(&it); index++) {
    if (index >= run.plugin->component_count)
      fail("The root table has %u components, the manifest has more", run.plugin->component_count);
    check_component(run.plugin->components[index], it.value, index);
  }
  if (index > 0 && index != run.plugin->component_count)
    fail("The root table has %u components, the manifest %u", run.plugin->component_count, index);
}

/* ---- signals ------------------------------------------------------------------------------------------------------ */

static void compare_signals(const struct sigaction *before, const sigset_t *mask, const char *when) {
  sigset_t now;
  for (int number = 1; number < 65; number++) {
    struct sigaction action;
    if (sigaction(number, NULL, &action) != 0) continue;
    if (action.sa_handler == before[number].sa_handler && action.sa_flags == before[number].sa_flags) continue;
    if (is_go() && (action.sa_flags & SA_ONSTACK) != 0) continue;
    fail("The handling of signal %d was changed %s", number, when);
  }
  pthread_sigmask(SIG_SETMASK, NULL, &now);
  for (int number = 1; number < 65; number++)
    if (sigismember(&now, number) != sigismember(mask, number))
      fail("Signal %d was %s %s", number, sigismember(&now, number) ? "blocked" : "unblocked", when);
}

static void check_signals(void) {
  struct sigaction before[65];
  sigset_t mask;
  world_t *world = world_new();
  instance_t *i;
  drive_t how = SHORT_DRIVE;
  memset(before, 0, sizeof before);
  for (int number = 1; number < 65; number++) sigaction(number, NULL, &before[number]);
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  i = instance_running(world);
  compare_signals(before, &mask, "by start");
  drive(i, &how);
  compare_signals(before, &mask, "while it ran");
  instance_stop(i);
  instance_free(i);
  compare_signals(before, &mask, "and not put back by destroy");
}

/* ---- process ------------------------------------------------------------------------------------------------------ */

typedef struct surroundings {
  char folder[1024], locale[512];
  char *environment;
  size_t environment_length;
  mode_t mask;
  struct stat standard[3];
} surroundings_t;

static void look_around(surroundings_t *to) {
  FILE *file = open_memstream(&to->environment, &to->environment_length);
  if (file == NULL || getcwd(to->folder, sizeof to->folder) == NULL) fail("Cannot check: out of memory");
  for (char **at = environ; at != NULL && *at != NULL; at++) fprintf(file, "%s\n", *at);
  fclose(file);
  snprintf(to->locale, sizeof to->locale, "%s", setlocale(LC_ALL, NULL));
  to->mask = umask(0);
  umask(to->mask);
  for (int n = 0; n < 3; n++)
    if (fstat(n, &to->standard[n]) != 0) memset(&to->standard[n], 0, sizeof to->standard[n]);
}

static void compare_surroundings(const surroundings_t *before, const char *when) {
  static const char *const STANDARD[] = {"input", "output", "error"};
  surroundings_t now;
  look_around(&now);
  if (strcmp(before->folder, now.folder) != 0) fail("The working directory was changed to \"%s\" %s", now.folder, when);
  if (before->mask != now.mask) fail("The umask was changed from %03o to %03o %s", before->mask, now.mask, when);
  if (strcmp(before->locale, now.locale) != 0)
    fail("The locale was changed from \"%s\" to \"%s\" %s", before->locale, now.locale, when);
  if (strcmp(before->environment, now.environment) != 0) fail("The environment was changed %s", when);
  for (int n = 0; n < 3; n++)
    if (before->standard[n].st_ino != now.standard[n].st_ino || before->standard[n].st_dev != now.standard[n].st_dev)
      fail("Standard %s was closed or replaced %s", STANDARD[n], when);
  free(now.environment);
}

static void check_process(void) {
  surroundings_t before;
  world_t *world = world_new();
  instance_t *i;
  drive_t how = SHORT_DRIVE;
  look_around(&before);
  i = instance_running(world);
  compare_surroundings(&before, "by start");
  drive(i, &how);
  compare_surroundings(&before, "while it ran");
  instance_stop(i);
  instance_free(i);
  compare_surroundings(&before, "and not put back by destroy");
}

/* ---- unusable ----------------------------------------------------------------------------------------------------- */

/* create and start in a world with something wrong: any answer will do, as long as there is one. */
static void try_start(instance_t *i) {
  int32_t status = invoke(i, OP_CREATE, NULL);
  if (status == BUSBAR_OK) {
    i->created = i->started = 1;
    i->context.acknowledged = &i->acknowledged;
    if (offers(OP_START)) status = invoke(i, OP_START, NULL);
    if (status == BUSBAR_OK && offers(OP_STOP)) invoke(i, OP_STOP, NULL);
    i->started = 0;
  }
  instance_free(i);
}

static void check_unusable(void) {
  static const uint32_t LENGTHS[] = {1, 8, 33, BUSBAR_POSITION_MAX};
  world_t *world = world_new();
  char moved[1200];
  instance_t *i;
  uint8_t *position = malloc(BUSBAR_POSITION_MAX);
  for (int n = 0; run.plan.kind == BUSBAR_SOURCE && n < 4; n++) {
    for (uint32_t at = 0; at < LENGTHS[n]; at++) position[at] = (uint8_t)next_random();
    i = instance_new(world, NULL, 0);
    instance_position(i, position, LENGTHS[n]);
    try_start(i);
  }
  free(position);
  snprintf(moved, sizeof moved, "%s.moved", world->data);
  rename(world->data, moved);
  try_start(instance_new(world, NULL, 0));
  rename(moved, world->data);
  snprintf(moved, sizeof moved, "%s.moved", world->files);
  rename(world->files, moved);
  try_start(instance_new(world, NULL, 0));
}

extern const check_t load_checks[];
const check_t load_checks[] = {
    {"load", ALL_KINDS, "error", "", "Loading the library runs nothing that shows: no output, no thread, no descriptor.",
     check_load},
    {"root-table", ALL_KINDS, "error", "",
     "The root table is complete, reserved members are zero, and its components are those of the manifest, in its order.",
     check_root_table},
    {"signals", ALL_KINDS, "error", "", "No signal handler or mask of the process is changed by a whole life.", check_signals},
    {"process", ALL_KINDS, "error", "", "Environment, working directory, umask, locale and standard streams stay as they were.",
     check_process},
    {"unusable", ALL_KINDS, "error", "",
     "Missing folders and positions that it never gave are answered with a status; nothing crashes or ends the process.",
     check_unusable},
    {0},
};
