/* The segment that is being written: whole members, each with its entry in the journal. */
#ifndef GZIP_ARCHIVE_SEGMENT_H
#define GZIP_ARCHIVE_SEGMENT_H

#include "files.h"
#include "journal.h"
#include "member.h"

#define SEGMENT_NAME_CAPACITY 176 /* of a name that ends with ".gz" */
#define NAME_CAPACITY 192         /* the same with a suffix */

#define PART_SUFFIX ".part"
#define JOURNAL_SUFFIX ".journal"
#define TEMPORARY_SUFFIX ".tmp"
#define CUT_SUFFIX ".cut"

typedef struct segment {
  int folder; /* the archive's directory; not the segment's own */
  int data;   /* -1: none is open */
  int journal;
  char name[SEGMENT_NAME_CAPACITY]; /* final, with ".gz" */
  uint64_t end;             /* bytes of whole members */
  uint64_t journal_end;
  buffer_t entry;
} segment_t;

void segment_init(segment_t *segment);

/* Makes the files of `name`, whose number no other segment has. 1, or 0: then it may be tried again. */
int segment_open(segment_t *segment, int folder, const char *name, const uint8_t space[JOURNAL_SPACE], problem_t *problem);

/* Writes a finished member and its entry, and syncs both. 1, or 0: then the files are as they were, and it may be tried again. */
int segment_append(segment_t *segment, const member_t *member, acknowledged_t known, problem_t *problem);

/* Gives the segment its final name and closes its files. 1, or 0: then it is still open, and it may be tried again. */
int segment_finish(segment_t *segment, problem_t *problem);

/* Closes the files as they are. */
void segment_abandon(segment_t *segment);

#endif
