/* Writes a line's fields as JSON into memory of a given size, and goes on counting where they do not fit. */
#ifndef ACCESS_LOG_JSON_H
#define ACCESS_LOG_JSON_H

#include "log_line.h"

typedef struct json_writer {
  uint8_t *data;
  uint64_t capacity;
  uint64_t length; /* above `capacity`: nothing useful was written, but this many bytes would do */
} json_writer_t;

/* The object of a line that parsed; `raw` too where it is not missing. */
void write_parsed(json_writer_t *to, const log_line_t *line, log_text_t raw);

/* The object of a line that did not. */
void write_unparsed(json_writer_t *to, const log_line_t *line, log_text_t raw);

#endif
