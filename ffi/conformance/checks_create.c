/* Configs, and what create and restore may take. */
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conformance.h"

/* ---- Configs ------------------------------------------------------------------------------------------------------ */

/* What the config looks like in a message. */
static int shown(size_t length) { return length > 120 ? 120 : (int)length; }

static int32_t try_config(world_t *world, const char *config, size_t length) {
  instance_t *i = instance_new(world, config, length);
  int32_t status = invoke(i, OP_CREATE, NULL);
  if (status == BUSBAR_OK && i->self == NULL) fail("create answered OK without an instance to %.*s", shown(length), config);
  if (status != BUSBAR_OK && status != BUSBAR_FAILED)
    fail("create answered %s to %.*s", status_name(status), shown(length), config);
  if (status == BUSBAR_FAILED && i->error[0] == 0) fail("create answered FAILED without a message to %.*s", shown(length), config);
  i->created = status == BUSBAR_OK;
  if (status == BUSBAR_FAILED) note("Refused %.*s: %s", shown(length) / 2, config, i->error);
  instance_free(i);
  return status;
}

static void try_configs(const texts_t *configs, int must_work, const char *sort) {
  world_t *world;
  if (configs->count == 0) not_applicable("There are no %s configs to try", sort);
  world = world_new();
  for (size_t n = 0; n < configs->count; n++) {
    int32_t status = try_config(world, configs->at[n], configs->lengths[n]);
    if (must_work && status != BUSBAR_OK)
      fail("create refused a %s config: %.*s", sort, shown(configs->lengths[n]), configs->at[n]);
  }
}

static void check_create_valid(void) {
  world_t *world = world_new();
  instance_t *i = instance_new(world, NULL, 0);
  instance_create(i);
  instance_free(i);
  if (run.plan.valid.count > 0) try_configs(&run.plan.valid, 0, "valid");
}

static void check_create_default(void) { try_configs(&run.plan.defaults, 1, "default"); }
static void check_create_invalid(void) { try_configs(&run.plan.invalid, 0, "invalid"); }
static void check_create_huge(void) { try_configs(&run.plan.huge, 0, "huge"); }
static void check_create_random(void) { try_configs(&run.plan.random, 0, "random"); }

/* ---- create-exclusive --------------------------------------------------------------------------------------------- */

#define DESCRIPTORS 1024

static void look_at_descriptors(char *open_ones) {
  for (int fd = 0; fd < DESCRIPTORS; fd++) open_ones[fd] = fcntl(fd, F_GETFD) >= 0;
}

static void check_descriptor(int fd, const char *call) {
  struct sockaddr_in6 address;
  socklen_t length = sizeof address;
  struct stat about;
  char link[64], path[512] = "";
  if (fstat(fd, &about) != 0) return;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  if (readlink(link, path, sizeof path - 1) < 0) path[0] = 0;
  if (S_ISREG(about.st_mode) && (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY && strncmp(path, "/memfd:", 7) != 0)
    fail("%s left \"%s\" open for writing", call, path);
  if (S_ISSOCK(about.st_mode) && getsockname(fd, (struct sockaddr *)&address, &length) == 0 &&
      (address.sin6_family == AF_INET || address.sin6_family == AF_INET6) && address.sin6_port != 0)
    fail("%s bound port %u", call, ntohs(address.sin6_port));
}

static uint32_t count_files(const char *path) {
  DIR *folder = opendir(path);
  const struct dirent *entry;
  uint32_t count = 0;
  while (folder != NULL && (entry = readdir(folder)) != NULL) {
    char below[2048];
    if (entry->d_name[0] == '.') continue;
    snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
    count += 1 + (entry->d_type == DT_DIR ? count_files(below) : 0);
  }
  if (folder != NULL) closedir(folder);
  return count;
}

static int holds_lock(void) {
  FILE *locks = fopen("/proc/locks", "re");
  char line[256], mine[32];
  int found = 0;
  snprintf(mine, sizeof mine, " %d ", (int)getpid());
  while (locks != NULL && !found && fgets(line, sizeof line, locks) != NULL) found = strstr(line, mine) != NULL;
  if (locks != NULL) fclose(locks);
  return found;
}

static void check_create_exclusive(void) {
  char before[DESCRIPTORS], after[DESCRIPTORS];
  world_t *world = world_new();
  instance_t *first = instance_new(world, NULL, 0), *i;
  uint32_t version, files;
  uint64_t length;
  uint8_t *state;
  instance_create(first);
  state = instance_save(first, &version, &length);
  instance_free(first);
  world = world_new();
  files = count_files(world->files) + count_files(world->data);
  look_at_descriptors(before);
  i = instance_new(world, NULL, 0);
  instance_create(i);
  if (state != NULL && offers(OP_RESTORE)) instance_restore(i, state, length, version);
  look_at_descriptors(after);
  for (int fd = 0; fd < DESCRIPTORS; fd++)
    if (after[fd] && !before[fd]) check_descriptor(fd, "create or restore");
  if (holds_lock()) fail("create or restore locked a file");
  if (count_files(world->files) + count_files(world->data) != files) fail("create or restore made or removed files");
  instance_free(i);
  free(state);
}

/* ---- beside ------------------------------------------------------------------------------------------------------- */

static void check_beside(void) {
  world_t *world = world_new();
  instance_t *before = instance_running(world), *after;
  drive_t how = SHORT_DRIVE, rest = SHORT_DRIVE;
  uint32_t version;
  uint64_t length;
  uint8_t *state;
  drive(before, &how);
  state = instance_save(before, &version, &length);
  after = instance_new(world, NULL, 0);
  if (invoke(after, OP_CREATE, NULL) != BUSBAR_OK) fail("create failed beside a running predecessor: %s", after->error);
  after->created = 1;
  if (state != NULL && offers(OP_RESTORE) && instance_restore(after, state, length, version) != BUSBAR_OK)
    fail("restore failed beside a running predecessor: %s", after->error);
  free(state);
  how.events += 4;
  drive(before, &how);
  instance_stop(before);
  if (how.position != NULL) instance_position(after, how.position, how.position_length);
  after->next_sequence = before->next_sequence;
  instance_start(after);
  instance_free(before);
  drive(after, &rest);
  instance_stop(after);
  instance_free(after);
}

extern const check_t create_checks[];
const check_t create_checks[] = {
    {"create-valid", ALL_KINDS, "error", "",
     "create takes the working config, and answers each other valid one with OK, or with FAILED and a message.",
     check_create_valid},
    {"create-default", ALL_KINDS, "error", "configs.default", "create takes the config that is nothing but the schema's defaults.",
     check_create_default},
    {"create-invalid", ALL_KINDS, "error", "configs.invalid",
     "Configs that the schema refuses are answered with OK, or with FAILED and a message, should they ever come.",
     check_create_invalid},
    {"create-huge", ALL_KINDS, "error", "configs.huge", "Very long texts and deep nesting in a config do no harm.",
     check_create_huge},
    {"create-random", ALL_KINDS, "error", "configs.random", "Random JSON, and what is no JSON at all, does no harm as a config.",
     check_create_random},
    {"create-exclusive", ALL_KINDS, "error", "",
     "create and restore take nothing exclusive: no port, no lock, no file to write to.", check_create_exclusive},
    {"beside", ALL_KINDS, "error", "",
     "A successor can be created and restored while its predecessor runs, and takes over from it.", check_beside},
    {0},
};
