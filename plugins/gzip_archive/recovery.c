#include "recovery.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cut.h"

#define HAS_FINAL 1
#define HAS_PART 2
#define HAS_JOURNAL 4

/* The files of one segment. */
typedef struct found {
  char name[SEGMENT_NAME_CAPACITY];
  int has;
} found_t;

typedef struct listing {
  found_t *found;
  size_t count;
} listing_t;

/* The names of one segment's files. */
typedef struct names {
  const char *final;
  char part[NAME_CAPACITY];
  char journal[NAME_CAPACITY];
  char temporary[NAME_CAPACITY];
  char cut[NAME_CAPACITY];
} names_t;

/* Moves on past what `pattern` stands for: "d" for a digit, everything else for itself. Null where it does not fit. */
static const char *skip(const char *at, const char *pattern) {
  for (; *pattern != 0; pattern++, at++)
    if (*pattern == 'd' ? *at < '0' || *at > '9' : *at != *pattern) return NULL;
  return at;
}

int segment_name_parse(const char *name, const char *prefix, uint64_t *number, const char **suffix) {
  size_t length = strlen(prefix);
  const char *at;
  if (strncmp(name, prefix, length) != 0) return 0;
  at = skip(name + length, "-ddddddddTddddddZ-");
  if (at == NULL) return 0;
  *number = 0;
  *suffix = skip(at, "dddddd");
  if (*suffix == NULL) return 0;
  for (; *at >= '0' && *at <= '9'; at++) *number = *number * 10 + (uint64_t)(*at - '0');
  *suffix = skip(at, ".gz");
  return *suffix != NULL && *suffix - name < SEGMENT_NAME_CAPACITY;
}

static int add(listing_t *listing, const char *name, size_t length, int has) {
  found_t *found;
  size_t i;
  for (i = 0; i < listing->count; i++) {
    if (strncmp(listing->found[i].name, name, length) != 0 || listing->found[i].name[length] != 0) continue;
    listing->found[i].has |= has;
    return 1;
  }
  found = realloc(listing->found, (listing->count + 1) * sizeof *found);
  if (found == NULL) return 0;
  listing->found = found;
  found += listing->count++;
  memcpy(found->name, name, length);
  found->name[length] = 0;
  found->has = has;
  return 1;
}

/* Lists segments with more than their final file, and sets next_number. */
static int list(recovery_t *recovery, listing_t *listing, problem_t *problem) {
  int file = openat(recovery->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ok = 1;
  DIR *folder = file < 0 ? NULL : fdopendir(file);
  struct dirent *entry;
  if (folder == NULL) {
    fail(problem, "Cannot list the archive's folder: %s", strerror(errno));
    if (file >= 0) close(file);
    return 0;
  }
  while (ok && (entry = readdir(folder)) != NULL) {
    const char *suffix;
    uint64_t number;
    int has = 0;
    if (!segment_name_parse(entry->d_name, recovery->prefix, &number, &suffix)) continue;
    if (number >= recovery->next_number) recovery->next_number = number + 1;
    if (strcmp(suffix, PART_SUFFIX) == 0) has = HAS_PART;
    if (strcmp(suffix, JOURNAL_SUFFIX) == 0) has = HAS_JOURNAL;
    if (strcmp(suffix, TEMPORARY_SUFFIX) == 0) unlinkat(recovery->folder, entry->d_name, 0);
    if (has != 0 && !add(listing, entry->d_name, (size_t)(suffix - entry->d_name), has)) ok = fail(problem, "Cannot list the archive's folder: out of memory");
  }
  closedir(folder);
  return ok;
}

/* unlinkat for which it is fine that there is nothing. */
static int drop(const recovery_t *recovery, const char *name, problem_t *problem) {
  if (unlinkat(recovery->folder, name, 0) == 0 || errno == ENOENT) return 1;
  return fail(problem, "Cannot remove \"%s\": %s", name, strerror(errno));
}

static int move(const recovery_t *recovery, const char *from, const char *to, problem_t *problem) {
  if (renameat(recovery->folder, from, recovery->folder, to) == 0 && sync_file(recovery->folder)) return 1;
  return fail(problem, "Cannot rename \"%s\" to \"%s\": %s", from, to, strerror(errno));
}

static void tell(const recovery_t *recovery, int32_t level, const char *message, const char *segment, uint64_t events) {
  char number[24];
  busbar_field_t fields[2];
  memset(fields, 0, sizeof fields);
  snprintf(number, sizeof number, "%llu", (unsigned long long)events);
  fields[0].name = busbar_string("segment");
  fields[0].value = busbar_string(segment);
  fields[1].name = busbar_string("events");
  fields[1].value = busbar_string(number);
  fields[1].type = BUSBAR_FIELD_NUMBER;
  busbar_log_fields(recovery->context, level, message, fields, events > 0 ? 2 : 1);
}

/* Byte up to which the segment's members count; *rest is where those begin that the journal does not know. */
static int find_end(const recovery_t *recovery, const names_t *names, int data, journal_t *journal, uint64_t *rest, uint64_t *end, problem_t *problem) {
  members_t members;
  uint64_t size = journal->segment_size;
  int status;
  journal_rewind(journal);
  while ((status = journal_next(journal, problem)) > 0) {
  }
  if (status < 0) return 0;
  *rest = *end = journal->entry.end;
  if (size == *rest) return 1;
  if (!cut_find_members(data, *rest, &members, problem)) return 0;
  /* One member without an entry is what a crash between the two leaves: its flush was not answered, so its events come again.
   * More of them were answered for, and lost their entries in some other way. */
  if (members.count > 1 || (members.count == 1 && journal->file < 0)) {
    *end = members.end;
    tell(recovery, BUSBAR_LOG_WARNING, "Kept members that no journal describes: events in them may come twice", names->final, 0);
  }
  return 1;
}

/* Writes what is kept into a new file, which takes the final name. */
static int rewrite(const recovery_t *recovery, const names_t *names, int data, journal_t *journal, acknowledged_t acknowledged,
                   uint64_t rest, uint64_t end, uint64_t *events, problem_t *problem) {
  int flags = O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, ok;
  cut_files_t files = {data, openat(recovery->folder, names->temporary, flags, 0666), recovery->level, rest, end};
  uint64_t length;
  if (files.to < 0) return fail(problem, "Cannot create \"%s\": %s", names->temporary, strerror(errno));
  ok = cut_rewrite(journal, acknowledged, &files, events, &length, problem);
  if (ok && !sync_file(files.to)) ok = fail(problem, "Cannot write \"%s\": %s", names->temporary, strerror(errno));
  close(files.to);
  if (!ok) {
    unlinkat(recovery->folder, names->temporary, 0);
    return 0;
  }
  /* The journal goes before the part: while both files are there, the final one is known to be the result. */
  return move(recovery, names->temporary, names->final, problem) && drop(recovery, names->journal, problem) &&
         sync_file(recovery->folder) && drop(recovery, names->part, problem);
}

static int truncate_to(int data, const char *name, uint64_t end, problem_t *problem) {
  if (ftruncate(data, (off_t)end) == 0 && sync_file(data)) return 1;
  return fail(problem, "Cannot cut back \"%s\": %s", name, strerror(errno));
}

/* Gives the part a second name, under which it stays as it is. */
static int set_aside(const recovery_t *recovery, const names_t *names, problem_t *problem) {
  if ((linkat(recovery->folder, names->part, recovery->folder, names->cut, 0) == 0 || errno == EEXIST) && sync_file(recovery->folder)) return 1;
  return fail(problem, "Cannot keep \"%s\" as \"%s\": %s", names->part, names->cut, strerror(errno));
}

/* Ends the segment in `names->part`. */
static int finish_part(const recovery_t *recovery, const names_t *names, int data, journal_t *journal, acknowledged_t acknowledged,
                       problem_t *problem) {
  uint64_t rest, end;
  cut_t cut;
  if (!find_end(recovery, names, data, journal, &rest, &end, problem)) return 0;
  if (end < journal->segment_size && !truncate_to(data, names->part, end, problem)) return 0;
  if (!cut_plan(journal, acknowledged, &cut, problem)) return 0;
  /* After a crash before the first acknowledgement this keeps a second's worth of events twice; where a host lost its memory and
   * its sources do not begin anew, it keeps the only copy. */
  if (cut.forgotten && !set_aside(recovery, names, problem)) return 0;
  if (cut.needed && (!cut.whole || end > rest || (cut.forgotten && cut.keep_end > 0))) {
    if (!rewrite(recovery, names, data, journal, acknowledged, rest, end, &cut.events, problem)) return 0;
  } else {
    if (cut.needed) {
      end = cut.keep_end;
      if (end > 0 && !truncate_to(data, names->part, end, problem)) return 0;
    }
    if (end == 0 ? !drop(recovery, names->part, problem) : !move(recovery, names->part, names->final, problem)) return 0;
    if (!drop(recovery, names->journal, problem)) return 0;
  }
  if (cut.events > 0 && cut.forgotten)
    tell(recovery, BUSBAR_LOG_WARNING, "Cut events of a source of which none is acknowledged; the segment stays as it was under a name that ends in .cut",
         names->final, cut.events);
  else if (cut.events > 0)
    tell(recovery, BUSBAR_LOG_WARNING, "Cut events that are not acknowledged: they will be offered again", names->final, cut.events);
  return 1;
}

/* Opens the segment's file and its journal, and says what of it is acknowledged: of another store's sequences, everything. */
static int open_files(const recovery_t *recovery, const names_t *names, const char *name, int *data, journal_t *journal,
                      acknowledged_t *acknowledged, problem_t *problem) {
  struct stat status;
  *data = openat(recovery->folder, name, O_RDWR | O_CLOEXEC);
  if (*data < 0 || fstat(*data, &status) != 0) return fail(problem, "Cannot open \"%s\": %s", name, strerror(errno));
  if (!journal_open(journal, recovery->folder, names->journal, (uint64_t)status.st_size, problem)) return 0;
  acknowledged->list = recovery->context->acknowledged;
  acknowledged->count = recovery->context->acknowledged_count;
  if (journal->file >= 0 && memcmp(journal->header.space, recovery->space, JOURNAL_SPACE) != 0) acknowledged->count = 0;
  return 1;
}

/* A segment that has its final name, and a journal that may say to cut it. 1 when all of it may stay. */
static int may_stay(const recovery_t *recovery, const names_t *names, journal_t *journal, acknowledged_t acknowledged, int *ok, problem_t *problem) {
  cut_t cut;
  *ok = cut_plan(journal, acknowledged, &cut, problem);
  if (!*ok || !cut.needed) return 1;
  if (journal->entry.end == journal->segment_size) return 0;
  tell(recovery, BUSBAR_LOG_WARNING, "Kept a segment that its journal does not describe: events in it may come twice", names->final, 0);
  return 1;
}

static int recover_segment(const recovery_t *recovery, const found_t *found, problem_t *problem) {
  names_t names;
  journal_t journal = {.file = -1};
  acknowledged_t acknowledged;
  int data = -1, ok, has = found->has;
  names.final = found->name;
  snprintf(names.part, sizeof names.part, "%s%s", found->name, PART_SUFFIX);
  snprintf(names.journal, sizeof names.journal, "%s%s", found->name, JOURNAL_SUFFIX);
  snprintf(names.temporary, sizeof names.temporary, "%s%s", found->name, TEMPORARY_SUFFIX);
  snprintf(names.cut, sizeof names.cut, "%s%s", found->name, CUT_SUFFIX);
  if (faccessat(recovery->folder, names.final, F_OK, 0) == 0) has |= HAS_FINAL;
  if ((has & HAS_FINAL) && (has & HAS_PART)) return drop(recovery, names.journal, problem) && drop(recovery, names.part, problem);
  if ((has & (HAS_FINAL | HAS_PART)) == 0) return drop(recovery, names.journal, problem);
  ok = open_files(recovery, &names, has & HAS_PART ? names.part : names.final, &data, &journal, &acknowledged, problem);
  if (ok && (has & HAS_PART) == 0) {
    if (may_stay(recovery, &names, &journal, acknowledged, &ok, problem)) ok = ok && drop(recovery, names.journal, problem);
    else if ((ok = move(recovery, names.final, names.part, problem))) has |= HAS_PART;
  }
  if (ok && (has & HAS_PART)) ok = finish_part(recovery, &names, data, &journal, acknowledged, problem);
  journal_close(&journal);
  if (data >= 0) close(data);
  return ok;
}

static int by_name(const void *a, const void *b) { return strcmp(((const found_t *)a)->name, ((const found_t *)b)->name); }

int recover(recovery_t *recovery, problem_t *problem) {
  listing_t listing = {NULL, 0};
  size_t i;
  int ok;
  recovery->next_number = 1;
  ok = list(recovery, &listing, problem);
  if (listing.count > 0) qsort(listing.found, listing.count, sizeof *listing.found, by_name);
  for (i = 0; ok && i < listing.count; i++) ok = recover_segment(recovery, &listing.found[i], problem);
  if (ok && listing.count > 0 && !sync_file(recovery->folder)) ok = fail(problem, "Cannot sync the archive's folder: %s", strerror(errno));
  free(listing.found);
  return ok;
}
