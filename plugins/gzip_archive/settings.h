/* The component's config, and the folders it names. */
#ifndef GZIP_ARCHIVE_SETTINGS_H
#define GZIP_ARCHIVE_SETTINGS_H

#include "busbar_sdk.h"
#include "files.h"
#include "journal.h"

#define PREFIX_CAPACITY 128

typedef struct settings {
  char *directory;
  char prefix[PREFIX_CAPACITY]; /* with the partition, where there are several */
  uint64_t max_segment_bytes;
  int64_t max_segment_age; /* nanoseconds */
  int level;
} settings_t;

/* 1, or 0 with a problem; settings_free() either way. */
int settings_read(settings_t *settings, const busbar_context_t *context, problem_t *problem);
void settings_free(settings_t *settings);

/* Makes the archive's directory where it is missing and opens it. A descriptor, or -1 with a problem. */
int open_directory(const char *path, problem_t *problem);

/* Locks the prefix for as long as the descriptor is open. -1 with a problem, for example when somebody else holds it. */
int lock_prefix(const settings_t *settings, int folder, problem_t *problem);

/* What names the store that sequences are counted in: kept in the component's data folder, which is lost with that store. 1, or 0
 * with a problem. */
int read_space(const busbar_context_t *context, uint8_t space[JOURNAL_SPACE], problem_t *problem);

#endif
