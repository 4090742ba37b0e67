/* Worlds: a private folder for each independent run, with the plan's files, a port, and the feed. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conformance.h"

/* A port that is free for TCP and UDP right now. */
static unsigned free_port(void) {
  for (int attempt = 0; attempt < 50; attempt++) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), found;
    found = bind(tcp, (struct sockaddr *)&address, length) == 0 && getsockname(tcp, (struct sockaddr *)&address, &length) == 0 &&
            bind(udp, (struct sockaddr *)&address, length) == 0;
    close(tcp);
    close(udp);
    if (found) return ntohs(address.sin_port);
  }
  fail("Cannot check: no free port");
}

static void make_folders(char *path) {
  for (char *at = path + 1; *at != 0; at++) {
    if (*at != '/') continue;
    *at = 0;
    mkdir(path, 0700);
    *at = '/';
  }
}

static void write_bytes(const char *path, int flags, const uint8_t *bytes, size_t length) {
  int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
  if (file < 0 || write(file, bytes, length) != (ssize_t)length)
    fail("Cannot check: cannot write \"%s\": %s", path, strerror(errno));
  close(file);
}

static void write_files(const world_t *world) {
  busbar_json_iterator_t it = busbar_json_iterate(run.plan.files);
  while (busbar_json_next(&it)) {
    char path[2300], *name = busbar_json_text(busbar_json_get(it.value, "path"));
    size_t length;
    uint8_t *bytes = plan_base64(busbar_json_get(it.value, "base64"), &length);
    snprintf(path, sizeof path, "%s/%s", world->files, name == NULL ? "" : name);
    make_folders(path);
    write_bytes(path, O_TRUNC, bytes, length);
    free(bytes);
    free(name);
  }
}

static int mentions(busbar_json_t value, const char *text) {
  return value.at != NULL && memmem(value.at, (size_t)(value.end - value.at), text, strlen(text)) != NULL;
}

world_t *world_new(void) {
  world_t *world = calloc(1, sizeof *world);
  char root[1060];
  if (world == NULL) fail("Cannot check: out of memory");
  snprintf(root, sizeof root, "%s/%u", run.root, ++run.worlds);
  snprintf(world->files, sizeof world->files, "%s/files", root);
  snprintf(world->data, sizeof world->data, "%s/data", root);
  if (mkdir(root, 0700) != 0 || mkdir(world->files, 0700) != 0 || mkdir(world->data, 0700) != 0)
    fail("Cannot check: cannot make \"%s\": %s", root, strerror(errno));
  if (mentions(run.plan.root, "${port}")) world->port = free_port();
  write_files(world);
  return world;
}

void world_free(world_t *world) { free(world); }

char *world_text(const world_t *world, const char *text, size_t *length) {
  char *out = NULL, port[8];
  size_t size = 0, end = *length;
  FILE *file = open_memstream(&out, &size);
  snprintf(port, sizeof port, "%u", world->port);
  for (size_t at = 0; file != NULL && at < end; at++) {
    if (end - at >= 6 && memcmp(text + at, "${dir}", 6) == 0) {
      fputs(world->files, file);
      at += 5;
    } else if (end - at >= 7 && memcmp(text + at, "${port}", 7) == 0) {
      fputs(port, file);
      at += 6;
    } else {
      fputc(text[at], file);
    }
  }
  if (file == NULL || fclose(file) != 0) fail("Cannot check: out of memory");
  *length = size;
  return out;
}

/* "127.0.0.1:514" */
static void send_to(const char *where, int type, const uint8_t *bytes, size_t length) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  char host[64];
  unsigned port;
  int socket_fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  if (sscanf(where, "%63[^:]:%u", host, &port) != 2 || inet_pton(AF_INET, host, &address.sin_addr) != 1)
    fail("Cannot feed: \"%s\" is no address", where);
  address.sin_port = htons((uint16_t)port);
  if (connect(socket_fd, (struct sockaddr *)&address, sizeof address) != 0)
    fail("Nothing listens on %s: %s", where, strerror(errno));
  if (send(socket_fd, bytes, length, MSG_NOSIGNAL) != (ssize_t)length) fail("Cannot send to %s: %s", where, strerror(errno));
  close(socket_fd);
}

static char *step_text(const world_t *world, busbar_json_t step, const char *name) {
  char *text = busbar_json_text(busbar_json_get(step, name)), *out;
  size_t length;
  if (text == NULL) return NULL;
  length = strlen(text);
  out = world_text(world, text, &length);
  free(text);
  return out;
}

int world_feed(world_t *world) {
  busbar_json_iterator_t it = busbar_json_iterate(run.plan.feed);
  uint32_t index = 0;
  while (busbar_json_next(&it)) {
    char *append, *udp, *tcp;
    size_t length;
    uint8_t *bytes;
    if (index++ < world->fed) continue;
    append = step_text(world, it.value, "append");
    udp = step_text(world, it.value, "udp");
    tcp = step_text(world, it.value, "tcp");
    bytes = plan_base64(busbar_json_get(it.value, "base64"), &length);
    world->fed += 1;
    if (append != NULL) make_folders(append), write_bytes(append, O_APPEND, bytes, length);
    if (udp != NULL) send_to(udp, SOCK_DGRAM, bytes, length);
    if (tcp != NULL) send_to(tcp, SOCK_STREAM, bytes, length);
    free(append);
    free(udp);
    free(tcp);
    free(bytes);
    return 1;
  }
  return 0;
}
