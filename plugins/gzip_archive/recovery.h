/* What start does with the files of earlier runs. */
#ifndef GZIP_ARCHIVE_RECOVERY_H
#define GZIP_ARCHIVE_RECOVERY_H

#include "journal.h"
#include "segment.h"

typedef struct recovery {
  const busbar_context_t *context; /* for what is acknowledged, and to log what is done */
  int folder;
  const char *prefix;
  int level;
  const uint8_t *space;
  uint64_t next_number; /* set: above the number of every segment */
} recovery_t;

/* Ends every left-over segment under its final name, cut back to its last whole member and to what is acknowledged; afterwards
 * there are no other files of `prefix` than ".gz". Stopped anywhere, it can be run again. 1, or 0 with a problem. */
int recover(recovery_t *recovery, problem_t *problem);

/* Whether `name` is that of a segment of `prefix`, with whatever suffix: 1, with its number and where its suffix begins. */
int segment_name_parse(const char *name, const char *prefix, uint64_t *number, const char **suffix);

#endif
