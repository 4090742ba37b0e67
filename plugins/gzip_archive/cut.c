#include "cut.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 65536
#define GZIP_WINDOW (15 + 16)

/* Reads a file piece by piece for inflate. */
typedef struct reader {
  z_stream stream;
  int file;
  uint64_t offset; /* of the next piece */
  uint64_t end;
  uint8_t in[CHUNK];
  uint8_t out[CHUNK];
} reader_t;

static reader_t *reader_open(int file, uint64_t begin, uint64_t end, problem_t *problem) {
  reader_t *reader = calloc(1, sizeof *reader);
  if (reader != NULL && inflateInit2(&reader->stream, GZIP_WINDOW) == Z_OK) {
    reader->file = file;
    reader->offset = begin;
    reader->end = end;
    return reader;
  }
  free(reader);
  fail(problem, "Cannot read a segment: out of memory");
  return NULL;
}

static void reader_close(reader_t *reader) {
  inflateEnd(&reader->stream);
  free(reader);
}

/* Inflates up to CHUNK bytes into `out`. Z_OK, Z_STREAM_END, Z_DATA_ERROR (also at the end of the file) or Z_ERRNO. */
static int reader_next(reader_t *reader, size_t *count) {
  z_stream *stream = &reader->stream;
  int result = Z_OK;
  stream->next_out = reader->out;
  stream->avail_out = CHUNK;
  while (stream->avail_out > 0 && result == Z_OK) {
    if (stream->avail_in == 0) {
      uint64_t left = reader->end - reader->offset;
      ssize_t got = read_up_to(reader->file, reader->in, left < CHUNK ? (size_t)left : CHUNK, reader->offset);
      if (got < 0) return Z_ERRNO;
      reader->offset += (uint64_t)got;
      stream->next_in = reader->in;
      stream->avail_in = (uInt)got;
      if (got == 0) result = Z_DATA_ERROR;
    }
    if (result == Z_OK) result = inflate(stream, Z_NO_FLUSH);
  }
  *count = CHUNK - stream->avail_out;
  return result == Z_OK || result == Z_STREAM_END || result == Z_MEM_ERROR ? result : Z_DATA_ERROR;
}

int cut_find_members(int file, uint64_t begin, members_t *members, problem_t *problem) {
  reader_t *reader = reader_open(file, begin, UINT64_MAX, problem);
  int result = Z_OK;
  members->end = begin;
  members->count = 0;
  if (reader == NULL) return 0;
  while (result == Z_OK) {
    size_t count;
    result = reader_next(reader, &count);
    if (result == Z_STREAM_END) {
      members->end = reader->offset - reader->stream.avail_in;
      members->count++;
      result = inflateReset(&reader->stream);
    }
  }
  if (result == Z_ERRNO) fail(problem, "Cannot read a segment: %s", strerror(errno));
  if (result == Z_MEM_ERROR) fail(problem, "Cannot read a segment: out of memory");
  reader_close(reader);
  return result == Z_DATA_ERROR;
}

int cut_plan(journal_t *journal, acknowledged_t acknowledged, cut_t *cut, problem_t *problem) {
  int status;
  memset(cut, 0, sizeof *cut);
  cut->whole = 1;
  journal_rewind(journal);
  while ((status = journal_next(journal, problem)) > 0) {
    int judged = journal_judge(journal, acknowledged, &cut->forgotten);
    if (judged == CUT_ALL) cut->events += journal->entry.event_count;
    if (judged != CUT_NONE) cut->needed = 1;
    if (judged == CUT_NONE && !cut->needed) cut->keep_end = journal->entry.end;
    else if (judged != CUT_ALL) cut->whole = 0;
  }
  return status == 0;
}

static int copy(int from, int to, uint64_t begin, uint64_t end, uint64_t *length, problem_t *problem) {
  uint8_t part[CHUNK];
  while (begin < end) {
    size_t want = end - begin < CHUNK ? (size_t)(end - begin) : CHUNK;
    ssize_t got = read_up_to(from, part, want, begin);
    if (got != (ssize_t)want) return fail(problem, "Cannot read a segment: %s", got < 0 ? strerror(errno) : "it became shorter");
    if (!write_all(to, part, want, *length)) return fail(problem, "Cannot write a segment anew: %s", strerror(errno));
    begin += want;
    *length += want;
  }
  return 1;
}

/* The state of going through a member's events while its bytes come in. */
typedef struct selection {
  const uint8_t *at; /* table */
  const uint8_t *end;
  const uint64_t *limits;
  uint64_t *previous;
  uint32_t source_count;
  journal_note_t note;
  uint64_t left; /* raw bytes of the current event */
  uint64_t dropped;
  uint64_t kept;
} selection_t;

/* Adds the kept ones of `count` raw bytes to `out`. */
static int select_bytes(selection_t *s, const uint8_t *bytes, size_t count, member_t *out, problem_t *problem) {
  while (count > 0) {
    size_t part;
    int keep;
    if (s->left == 0) {
      if (!journal_read_note(&s->at, s->end, s->source_count, s->previous, &s->note)) return fail(problem, "Cannot cut a segment: its journal is broken");
      s->left = s->note.length;
      if (s->note.sequence > s->limits[s->note.source]) s->dropped++;
      else s->kept++;
    }
    keep = s->note.sequence <= s->limits[s->note.source];
    part = s->left < count ? (size_t)s->left : count;
    if (keep && !member_add_bytes(out, bytes, part)) return fail(problem, "Cannot cut a segment: out of memory");
    bytes += part;
    count -= part;
    s->left -= part;
  }
  return 1;
}

/* Makes the journal's current member anew, into `out`, with its acknowledged events. */
static int remake(journal_t *journal, int from, selection_t *selection, member_t *out, problem_t *problem) {
  reader_t *reader = reader_open(from, journal->entry.begin, journal->entry.end, problem);
  int result = Z_OK, ok = reader != NULL;
  while (ok && result == Z_OK) {
    size_t count;
    result = reader_next(reader, &count);
    if (result != Z_OK && result != Z_STREAM_END)
      ok = fail(problem, "Cannot cut a segment: %s", result == Z_ERRNO ? strerror(errno) : "a member in it is damaged");
    ok = ok && select_bytes(selection, reader->out, count, out, problem);
  }
  if (reader != NULL) reader_close(reader);
  if (ok && !member_finish(out)) ok = fail(problem, "Cannot cut a segment: out of memory");
  return ok;
}

static int rewrite_member(journal_t *journal, acknowledged_t acknowledged, const cut_files_t *files, uint64_t *events,
                          uint64_t *length, problem_t *problem) {
  const journal_entry_t *entry = &journal->entry;
  uint64_t *limits = journal_limits(journal, acknowledged);
  uint64_t *previous = calloc(entry->source_count + (size_t)1, sizeof *previous);
  uint8_t *table = journal_table(journal);
  selection_t selection = {table, table, limits, previous, entry->source_count, {0, 0, 0}, 0, 0, 0};
  member_t out;
  int ok = member_create(&out, files->level);
  if (!ok || limits == NULL || previous == NULL || table == NULL) {
    fail(problem, "Cannot cut a segment: out of memory, or its journal is broken");
  } else {
    selection.end = table + entry->table_length;
    if (!remake(journal, files->from, &selection, &out, problem)) ok = 0;
    else if (selection.kept > 0 && !write_all(files->to, out.bytes.data, out.bytes.length, *length))
      ok = fail(problem, "Cannot write a segment anew: %s", strerror(errno));
    if (selection.kept > 0) *length += out.bytes.length;
    *events += selection.dropped;
  }
  if (limits == NULL || previous == NULL || table == NULL) ok = 0;
  member_free(&out);
  free(limits);
  free(previous);
  free(table);
  return ok;
}

int cut_rewrite(journal_t *journal, acknowledged_t acknowledged, const cut_files_t *files, uint64_t *events, uint64_t *length,
                problem_t *problem) {
  int status, forgotten;
  *length = 0;
  journal_rewind(journal);
  while ((status = journal_next(journal, problem)) > 0) {
    int ok = 1;
    switch (journal_judge(journal, acknowledged, &forgotten)) {
      case CUT_NONE: ok = copy(files->from, files->to, journal->entry.begin, journal->entry.end, length, problem); break;
      case CUT_SOME: ok = rewrite_member(journal, acknowledged, files, events, length, problem); break;
      default: break;
    }
    if (!ok) return 0;
  }
  return status == 0 && copy(files->from, files->to, files->rest_begin, files->rest_end, length, problem);
}
