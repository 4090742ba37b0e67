/*
 * The journal beside a segment says which events each of its members holds, so that they can be cut out again.
 *
 *   file:  header, then an entry for each member, synced after the member itself: what has no entry does not count
 *   entry: header, sources {header, id}, table of events (deflated)
 *   table: for each event three varints: source (0: the same as before; else its index among the sources, plus 1), sequence
 *          less the one before it of that source (0 before the first), raw bytes
 *
 * In the machine's byte order: a journal is read where it was written.
 */
#ifndef GZIP_ARCHIVE_JOURNAL_H
#define GZIP_ARCHIVE_JOURNAL_H

#include "busbar_sdk.h"
#include "files.h"
#include "member.h"

#define JOURNAL_SPACE 16
#define JOURNAL_SAME_SOURCE 0
#define JOURNAL_NOTE_MAX 30

typedef struct journal_header {
  char magic[8];
  uint8_t space[JOURNAL_SPACE]; /* names the store that sequences were counted in: those of another one mean nothing here */
} journal_header_t;

typedef struct journal_entry {
  uint32_t checksum; /* CRC-32 of everything behind it in the entry */
  uint32_t body_length;
  uint64_t begin; /* the member's bytes in the segment */
  uint64_t end;
  uint64_t raw_length;
  uint32_t event_count;
  uint32_t source_count;
  uint32_t table_length; /* inflated */
  uint32_t reserved;
} journal_entry_t;

typedef struct journal_source {
  uint64_t first; /* lowest and highest sequence in the member */
  uint64_t last;
  uint32_t source;
  uint32_t id_length; /* the id follows; 0: was not known, `source` has to do */
} journal_source_t;

/* One event of a table. */
typedef struct journal_note {
  uint32_t source; /* index among the entry's sources */
  uint64_t sequence;
  uint64_t length;
} journal_note_t;

/* How far sources are acknowledged. */
typedef struct acknowledged {
  const busbar_acknowledged_t *list;
  uint32_t count;
} acknowledged_t;

void journal_make_header(journal_header_t *header, const uint8_t space[JOURNAL_SPACE]);

/* Bytes written to `to`, which has JOURNAL_NOTE_MAX. */
size_t journal_write_note(uint8_t *to, uint32_t source, uint64_t delta, uint64_t length);

/* The entry of a finished member that will lie at `begin`, into `out`. 1, or 0 when memory ends. */
int journal_make_entry(buffer_t *out, const member_t *member, uint64_t begin, acknowledged_t known);

/* ---- Reading ----------------------------------------------------------------------------------------------------------- */

/* An open journal, its entries read one after the other. */
typedef struct journal {
  int file; /* -1: there is none, or not one that can be read */
  journal_header_t header;
  uint64_t size;
  uint64_t offset;       /* of the next entry */
  uint64_t segment_size; /* entries of members beyond it do not count */
  journal_entry_t entry; /* the last one read, and what is behind it */
  buffer_t body;
} journal_t;

/* 1, also when there is no journal; 0 when it cannot be opened. */
int journal_open(journal_t *journal, int folder, const char *name, uint64_t segment_size, problem_t *problem);
void journal_close(journal_t *journal);

/* Goes back to the first entry. */
void journal_rewind(journal_t *journal);

/* 1 with the next entry, 0 at the end or where entries stop to be whole, -1 with a problem. */
int journal_next(journal_t *journal, problem_t *problem);

/* Which of the entry's events are to be cut, because they are not acknowledged. Sets *forgotten where nothing at all of a source
 * is acknowledged. */
#define CUT_NONE 0
#define CUT_SOME 1
#define CUT_ALL 2
int journal_judge(const journal_t *journal, acknowledged_t acknowledged, int *forgotten);

/* Highest acknowledged sequence of each of the entry's sources, UINT64_MAX where nobody tells. OWNERSHIP: the caller's. Null
 * when memory ends. */
uint64_t *journal_limits(const journal_t *journal, acknowledged_t acknowledged);

/* The entry's table, inflated, entry.table_length bytes. OWNERSHIP: the caller's. Null when memory ends or it is broken. */
uint8_t *journal_table(const journal_t *journal);

/* Reads the note at *at and moves on; `previous` has a number for each of the entry's sources, at first 0. 1, or 0 when it is
 * broken. */
int journal_read_note(const uint8_t **at, const uint8_t *end, uint32_t source_count, uint64_t *previous, journal_note_t *note);

#endif
