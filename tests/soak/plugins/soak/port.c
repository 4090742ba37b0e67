/* Source `port`: takes lines of decimal numbers over TCP from one client at a time, and sends back the last number that is
 * committed. What was not committed when it dies is lost, and the client knows. */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "soak.h"

typedef struct port {
  const busbar_context_t *context;
  char *name, *stop_path;
  int64_t port;
  int listener, client;
  char buffer[65536];
  size_t from, end; /* bytes that were received and not yet handed out */
} port_t;

static void port_destroy(void *self) {
  port_t *p = self;
  free(p->name);
  free(p->stop_path);
  free(p);
}

static int32_t port_create(const busbar_context_t *context, void **self) {
  port_t *p = calloc(1, sizeof *p);
  if (p == NULL) return BUSBAR_FATAL;
  p->context = context;
  p->name = soak_string(context, "name");
  p->stop_path = soak_string(context, "stop_file");
  p->port = soak_integer(context, "port", 0);
  p->listener = p->client = -1;
  *self = p;
  return BUSBAR_OK;
}

static int32_t port_start(void *self) {
  port_t *p = self;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)p->port)};
  int yes = 1;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  p->from = p->end = 0;
  p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  setsockopt(p->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(p->listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(p->listener, 1) == 0) return BUSBAR_OK;
  busbar_error(p->context, BUSBAR_FAILED, "Cannot listen on port %d: %s", (int)p->port, strerror(errno));
  close(p->listener);
  p->listener = -1;
  return BUSBAR_FAILED;
}

static void hang_up(port_t *p) {
  if (p->client >= 0) close(p->client);
  p->client = -1;
  p->from = p->end = 0;
}

static int32_t port_stop(void *self) {
  port_t *p = self;
  hang_up(p);
  close(p->listener);
  p->listener = -1;
  return BUSBAR_OK;
}

/* Receives what there is, as far as there is room. */
static void receive(port_t *p) {
  ssize_t got;
  if (p->client < 0) p->client = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (p->client < 0) return;
  memmove(p->buffer, p->buffer + p->from, p->end - p->from);
  p->end -= p->from;
  p->from = 0;
  if (p->end == sizeof p->buffer) return;
  got = recv(p->client, p->buffer + p->end, sizeof p->buffer - p->end, 0);
  if (got > 0) p->end += (size_t)got;
  else if (got == 0 || (errno != EAGAIN && errno != EINTR)) hang_up(p);
}

static int32_t port_poll(void *self, busbar_batch_t *batch) {
  port_t *p = self;
  uint32_t before = batch->count;
  uint64_t last = 0;
  receive(p);
  for (;;) {
    char *line = p->buffer + p->from, *newline = memchr(line, '\n', p->end - p->from);
    uint64_t number;
    if (newline == NULL) break;
    number = strtoull(line, NULL, 10);
    if (!soak_append(batch, p->name, number)) break;
    last = number;
    p->from += (size_t)(newline + 1 - line);
  }
  if (batch->count > before) {
    busbar_set_position(batch, &last, sizeof last);
    return BUSBAR_OK;
  }
  return p->client < 0 && access(p->stop_path, F_OK) == 0 ? BUSBAR_DONE : BUSBAR_AGAIN;
}

static int32_t port_commit(void *self, const busbar_bytes_t *position) {
  port_t *p = self;
  uint64_t number;
  char text[24];
  int length;
  if (position->length != sizeof number || p->client < 0) return BUSBAR_OK;
  memcpy(&number, position->data, sizeof number);
  length = snprintf(text, sizeof text, "%" PRIu64 "\n", number);
  /* So small that it goes as a whole or, to a client that does not read, not at all: it may miss some, not see halves. */
  if (send(p->client, text, (size_t)length, MSG_NOSIGNAL) != length) hang_up(p);
  return BUSBAR_OK;
}

const busbar_source_t soak_port = {
    .lifecycle = {.size = sizeof(busbar_source_t),
                  .create = port_create,
                  .start = port_start,
                  .stop = port_stop,
                  .destroy = port_destroy},
    .poll = port_poll,
    .commit = port_commit,
};
