/* Cutting a segment back to what is acknowledged. */
#ifndef GZIP_ARCHIVE_CUT_H
#define GZIP_ARCHIVE_CUT_H

#include "journal.h"

/* What a segment holds of whole members. */
typedef struct members {
  uint64_t end;
  uint32_t count;
} members_t;

/* Whole members from byte `begin` on, at which one begins. 1, or 0 with a problem. */
int cut_find_members(int file, uint64_t begin, members_t *members, problem_t *problem);

/* What would be cut out of a segment. */
typedef struct cut {
  uint64_t keep_end; /* bytes at its beginning of members that stay as they are */
  uint64_t events;   /* that are not acknowledged in members without an acknowledged one */
  int whole;         /* nothing is kept behind keep_end: cutting off there is all */
  int needed;
  int forgotten; /* nothing at all is acknowledged of a source that is cut: perhaps the host has lost its memory */
} cut_t;

/* Goes through all entries. 1, or 0 with a problem. */
int cut_plan(journal_t *journal, acknowledged_t acknowledged, cut_t *cut, problem_t *problem);

/* Copies the acknowledged events of the members in the journal from `from` to `to`, a new file, members with others made anew at
 * `level`; then the bytes from `rest_begin` to `rest_end`. Adds to *events those left out of such members. 1, or 0 with a problem. */
typedef struct cut_files {
  int from;
  int to;
  int level;
  uint64_t rest_begin;
  uint64_t rest_end;
} cut_files_t;
int cut_rewrite(journal_t *journal, acknowledged_t acknowledged, const cut_files_t *files, uint64_t *events, uint64_t *length,
                problem_t *problem);

#endif
