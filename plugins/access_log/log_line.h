/* Reads one line of an access log: finds its fields, changes and copies nothing. */
#ifndef ACCESS_LOG_LINE_H
#define ACCESS_LOG_LINE_H

#include <stdint.h>

#define FORMAT_AUTO 0
#define FORMAT_COMBINED 1
#define FORMAT_COMMON 2

/* A piece of the line. Both null: the line has no such field. */
typedef struct log_text {
  const uint8_t *at;
  const uint8_t *end;
} log_text_t;

typedef struct log_line {
  log_text_t remote_addr;
  log_text_t ident;
  log_text_t user;
  log_text_t request; /* what stands between its quotes; missing where method, path and protocol say all of it */
  log_text_t method;
  log_text_t path;
  log_text_t protocol;
  log_text_t bytes; /* digits; missing for "-" */
  log_text_t referer;
  log_text_t user_agent;
  log_text_t extra; /* what follows a combined line, e.g. the address that nginx's "main" format adds */
  char time[25];     /* RFC 3339, not NUL-terminated */
  int64_t timestamp; /* the same in nanoseconds since 1970 */
  int status;        /* -1: not readable; set also where the line does not parse */
  const char *error; /* null: the line parsed; otherwise why it did not, constant text */
  uint64_t column;   /* of the error, in bytes, counted from 1 */
} log_line_t;

/* Reads the line, which has no line break at its end. 1, or 0 when it does not parse: then only `status`, `error` and
 * `column` are set. Whenever `awk '{print $9}'` prints three digits, that is the status. */
int log_line_read(log_line_t *line, log_text_t text, int format);

/* How many bytes from `at` are ASCII that stands for itself in JSON and in a quoted field. */
uint64_t log_plain_length(const uint8_t *at, const uint8_t *end);

#endif
