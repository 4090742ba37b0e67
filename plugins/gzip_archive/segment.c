#include "segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void segment_init(segment_t *segment) {
  memset(segment, 0, sizeof *segment);
  segment->folder = segment->data = segment->journal = -1;
}

static void suffixed(char to[NAME_CAPACITY], const segment_t *segment, const char *suffix) {
  snprintf(to, NAME_CAPACITY, "%s%s", segment->name, suffix);
}

/* What is there by that name is left over from a try that failed: the number in it belongs to no segment before. */
static int create(int folder, const char *name, problem_t *problem) {
  int file = openat(folder, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) fail(problem, "Cannot create \"%s\": %s", name, strerror(errno));
  return file;
}

int segment_open(segment_t *segment, int folder, const char *name, const uint8_t space[JOURNAL_SPACE], problem_t *problem) {
  char part[NAME_CAPACITY], journal[NAME_CAPACITY];
  journal_header_t header;
  snprintf(segment->name, sizeof segment->name, "%s", name);
  suffixed(part, segment, PART_SUFFIX);
  suffixed(journal, segment, JOURNAL_SUFFIX);
  journal_make_header(&header, space);
  segment->folder = folder;
  segment->end = 0;
  segment->journal_end = sizeof header;
  segment->journal = create(folder, journal, problem);
  if (segment->journal < 0) return 0;
  segment->data = create(folder, part, problem);
  if (segment->data >= 0) {
    if (write_all(segment->journal, &header, sizeof header, 0) && sync_file(segment->journal) && sync_file(folder)) return 1;
    fail(problem, "Cannot write \"%s\": %s", journal, strerror(errno));
    unlinkat(folder, part, 0);
  }
  unlinkat(folder, journal, 0);
  segment_abandon(segment);
  return 0;
}

/* Both files back to where they were. What could not be cut off is overwritten by the next try, or cut off by the next start. */
static void cut_back(const segment_t *segment) {
  if (ftruncate(segment->data, (off_t)segment->end) == 0) sync_file(segment->data);
  if (ftruncate(segment->journal, (off_t)segment->journal_end) == 0) sync_file(segment->journal);
}

int segment_append(segment_t *segment, const member_t *member, acknowledged_t known, problem_t *problem) {
  const char *suffix = PART_SUFFIX;
  int reason;
  if (!journal_make_entry(&segment->entry, member, segment->end, known)) return fail(problem, "Cannot write \"%s\": out of memory", segment->name);
  if (write_all(segment->data, member->bytes.data, member->bytes.length, segment->end) && sync_file(segment->data)) {
    suffix = JOURNAL_SUFFIX;
    if (write_all(segment->journal, segment->entry.data, segment->entry.length, segment->journal_end) && sync_file(segment->journal)) {
      segment->end += member->bytes.length;
      segment->journal_end += segment->entry.length;
      return 1;
    }
  }
  reason = errno;
  cut_back(segment);
  return fail(problem, "Cannot write \"%s%s\": %s", segment->name, suffix, strerror(reason));
}

int segment_finish(segment_t *segment, problem_t *problem) {
  char part[NAME_CAPACITY];
  suffixed(part, segment, PART_SUFFIX);
  /* Missing: renamed by the try before, whose sync failed. */
  if (renameat(segment->folder, part, segment->folder, segment->name) != 0 && errno != ENOENT)
    return fail(problem, "Cannot rename \"%s\" to \"%s\": %s", part, segment->name, strerror(errno));
  if (!sync_file(segment->folder)) return fail(problem, "Cannot sync the folder of \"%s\": %s", segment->name, strerror(errno));
  segment_abandon(segment);
  return 1;
}

void segment_abandon(segment_t *segment) {
  if (segment->data >= 0) close(segment->data);
  if (segment->journal >= 0) close(segment->journal);
  free(segment->entry.data);
  segment_init(segment);
}
