/* Which files are followed: finds them, tells by device and inode what became of them, keeps their order. */
#define _GNU_SOURCE
#include "tail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HOLD_GRACES 30   /* a successor waits at most this long for a file whose writer does not go */
#define FORGET_GRACES 10 /* lines that come later than this into a file that has a successor are lost */

int64_t tail_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* FNV-1a. */
uint32_t tail_hash(const void *bytes, size_t length) {
  const uint8_t *at = (const uint8_t *)bytes, *end = at + length;
  uint32_t hash = 2166136261u;
  while (at < end) hash = (hash ^ *at++) * 16777619u;
  return hash == 0 ? 1 : hash;
}

void tail_log(const busbar_context_t *context, int32_t level, const char *format, ...) {
  char message[1024];
  va_list arguments;
  if (level < *context->host->log_level) return;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  busbar_log(context, level, message);
}

/* Notes what health is to say; the first scan logs it as well. */
__attribute__((format(printf, 2, 3))) static void problem(tail_t *t, const char *format, ...) {
  char text[sizeof t->problem];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (t->problem_count++ == 0) memcpy(t->problem, text, sizeof text);
  if (!t->scanned) tail_log(t->context, BUSBAR_LOG_WARNING, "%s", text);
}

/* ---- The table -------------------------------------------------------------------------------------------------------- */

tail_file_t *tail_add(tail_t *t, uint64_t device, uint64_t inode, uint32_t home) {
  tail_file_t *grown, *file;
  if (t->count == TAIL_FILES_MAX) return NULL;
  grown = (tail_file_t *)realloc(t->files, (t->count + 1) * sizeof *t->files);
  if (grown == NULL) return NULL;
  t->files = grown;
  file = &t->files[t->count++];
  memset(file, 0, sizeof *file);
  file->device = device;
  file->inode = inode;
  file->home = home;
  file->fd = -1;
  return file;
}

void tail_close(tail_t *t, tail_file_t *file) {
  if (file->fd < 0) return;
  close(file->fd);
  file->fd = -1;
  t->opened--;
}

void tail_remove(tail_t *t, uint32_t index) {
  tail_file_t *file = &t->files[index];
  tail_close(t, file);
  free(file->path);
  free(file->alias);
  memmove(file, file + 1, (t->count - index - 1) * sizeof *file);
  t->count--;
  t->window_of = TAIL_NONE;
  if (index < t->turn) t->turn--;
  else if (index == t->turn) t->turn_end = 0;
  if (t->turn >= t->count) t->turn = 0;
}

void tail_clear(tail_t *t) {
  while (t->count > 0) tail_remove(t, t->count - 1);
  t->turn = 0;
  t->turn_end = 0;
}

void tail_complain(tail_t *t, tail_file_t *file, const char *reason) {
  problem(t, "Cannot read \"%s\": %s", file->path, reason);
  if (!file->complained) tail_log(t->context, BUSBAR_LOG_WARNING, "Cannot read \"%s\": %s", file->path, reason);
  file->complained = 1;
}

int tail_open(tail_t *t, tail_file_t *file) {
  struct stat status;
  int fd;
  if (file->fd >= 0) return 1;
  if (file->path == NULL) return 0;
  fd = open(file->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC); /* a pipe may have taken its place: do not wait for it */
  if (fd < 0 || fstat(fd, &status) != 0) {
    tail_complain(t, file, strerror(errno));
  } else if (status.st_ino != file->inode || status.st_dev != file->device) {
    tail_complain(t, file, "it was replaced just now");
  } else {
    file->fd = fd;
    t->opened++;
    if (lstat(file->path, &status) == 0 && S_ISLNK(status.st_mode)) tail_watch_file(&t->watch, fd);
    return 1;
  }
  if (fd >= 0) close(fd);
  return 0;
}

/* ---- Folders of a pattern --------------------------------------------------------------------------------------------- */

static const char *first_wildcard(const char *pattern) { return strpbrk(pattern, "*?["); }

typedef int (*folder_function)(tail_t *t, const char *folder, void *argument); /* 1: stop here */

static int glob_folders(tail_t *t, const char *pattern, folder_function function, void *argument) {
  glob_t found;
  size_t i;
  int stop = 0;
  if (first_wildcard(pattern) == NULL) return function(t, pattern, argument);
  if (glob(pattern, GLOB_ONLYDIR, NULL, &found) != 0) return 0;
  for (i = 0; i < found.gl_pathc && !stop; i++) stop = function(t, found.gl_pathv[i], argument);
  globfree(&found);
  return stop;
}

/* Every folder in which something that appears may make `pattern` match more. */
static int each_folder(tail_t *t, const char *pattern, folder_function function, void *argument) {
  const char *wildcard = first_wildcard(pattern), *last = strrchr(pattern, '/'), *slash;
  char *copy;
  int stop = 0;
  if (last == NULL || (wildcard != NULL && memchr(pattern, '/', (size_t)(wildcard - pattern)) == NULL)) stop = function(t, ".", argument);
  for (slash = strchr(pattern, '/'); slash != NULL && !stop; slash = strchr(slash + 1, '/')) {
    const char *next = strchr(slash + 1, '/');
    if (slash != last && (wildcard == NULL || (next != NULL && next < wildcard))) continue;
    copy = slash == pattern ? strdup("/") : strndup(pattern, (size_t)(slash - pattern));
    if (copy == NULL) return 0;
    stop = glob_folders(t, copy, function, argument);
    free(copy);
  }
  return stop;
}

static int watch_folder(tail_t *t, const char *folder, void *unused) {
  (void)unused;
  tail_watch_folder(&t->watch, folder);
  return 0;
}

static int find_in_folder(tail_t *t, const char *folder, void *argument) {
  tail_file_t *file = (tail_file_t *)argument;
  DIR *dir = opendir(folder);
  struct dirent *entry;
  struct stat status;
  int found = 0;
  (void)t;
  if (dir == NULL) return 0;
  while (!found && (entry = readdir(dir)) != NULL) {
    if (fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode)) continue;
    if (status.st_ino != file->inode || status.st_dev != file->device) continue;
    free(file->path);
    found = asprintf(&file->path, "%s/%s", folder, entry->d_name) >= 0;
    if (!found) file->path = NULL;
  }
  closedir(dir);
  return found;
}

/* ---- A scan ----------------------------------------------------------------------------------------------------------- */

static tail_file_t *find(tail_t *t, const struct stat *status, uint32_t home) {
  uint32_t i, n;
  for (n = 0, i = t->hint; n < t->count; n++, i++) { /* files come in the same order each time */
    if (i >= t->count) i = 0;
    if (t->files[i].inode != status->st_ino || t->files[i].device != status->st_dev) continue;
    t->hint = i + 1;
    return &t->files[i];
  }
  /* Device numbers may change when a machine restarts. */
  for (i = 0; i < t->count && !t->scanned; i++) {
    tail_file_t *file = &t->files[i];
    if (file->inode != status->st_ino || file->home != home || file->path != NULL || file->matched) continue;
    file->device = status->st_dev;
    return file;
  }
  return NULL;
}

static int is_home(const tail_t *t, uint32_t home) {
  uint32_t i;
  for (i = 0; i < t->count; i++)
    if (t->files[i].home == home) return 1;
  return 0;
}

/* A path that matches. 1 when it is a file that is or will be followed. */
static int see(tail_t *t, const char *path, int literal) {
  uint32_t home = tail_hash(path, strlen(path));
  struct stat status;
  tail_file_t *file;
  if (stat(path, &status) != 0) {
    if (literal) problem(t, "Cannot read \"%s\": %s", path, strerror(errno));
    return 0;
  }
  if (!S_ISREG(status.st_mode)) {
    if (literal) problem(t, "Cannot read \"%s\": it is not a regular file", path);
    return 0;
  }
  file = find(t, &status, home);
  if (file == NULL) {
    /* A new file where an old one is known from the position took its place while nobody looked: all of it is new. */
    int skip = t->settings.from_end && !t->scanned && !is_home(t, home);
    file = tail_add(t, status.st_dev, status.st_ino, home);
    if (file == NULL) {
      problem(t, "Cannot follow \"%s\": %u files are followed already", path, t->count);
      return 1;
    }
    if (skip) file->offset = (uint64_t)status.st_size;
  }
  if (file->fd < 0 && (uint64_t)status.st_size != file->offset) file->idle = 0;
  if (file->path != NULL ? strcmp(file->path, path) == 0 : file->home == home) {
    if (file->path == NULL) file->path = strdup(path);
    file->matched = TAIL_MATCHED;
  } else if (!file->matched) {
    file->alias = strdup(path);
    file->matched = TAIL_MATCHED_ALIAS;
  }
  return 1;
}

static void scan_pattern(tail_t *t, const char *pattern) {
  struct stat status;
  glob_t found;
  size_t i;
  int seen = 0;
  each_folder(t, pattern, watch_folder, NULL); /* first: what appears after this is reported */
  if (first_wildcard(pattern) == NULL || stat(pattern, &status) == 0) {
    see(t, pattern, 1);
    return;
  }
  if (glob(pattern, 0, NULL, &found) == 0) {
    for (i = 0; i < found.gl_pathc; i++) seen += see(t, found.gl_pathv[i], 0);
    globfree(&found);
  }
  if (seen == 0) problem(t, "Nothing matches \"%s\"", pattern);
}

/* Puts the last file before those that came to their common home after it. */
static tail_file_t *put_in_order(tail_t *t) {
  tail_file_t added = t->files[t->count - 1];
  uint32_t i;
  for (i = 0; i < t->count - 1; i++)
    if (t->files[i].home == added.home && !t->files[i].rotated && !t->files[i].moved) break;
  memmove(&t->files[i + 1], &t->files[i], (t->count - 1 - i) * sizeof added);
  t->files[i] = added;
  if (i <= t->turn && i < t->count - 1) t->turn++;
  t->window_of = TAIL_NONE;
  return &t->files[i];
}

/* Files that had a name we look for and lost it again before a scan saw them: poll may not have been called for long. After the look
 * at the folders, so that no rename before it is unknown. */
static void take_moves(tail_t *t) {
  tail_move_t *moves;
  uint32_t count = tail_watch_moves(&t->watch, &moves), i;
  for (i = 0; i < count; i++) {
    uint32_t home = tail_hash(moves[i].from, strlen(moves[i].from));
    struct stat status;
    if (stat(moves[i].to, &status) == 0 && S_ISREG(status.st_mode)) {
      tail_file_t *file = find(t, &status, home);
      uint8_t matched = TAIL_UNMATCHED;
      if (file != NULL && file->home != home && file->home == tail_hash(moves[i].to, strlen(moves[i].to)) && file->offset == 0) {
        matched = file->matched; /* just found under its new name, taken for a file of that name */
        tail_remove(t, (uint32_t)(file - t->files));
        file = NULL;
      }
      if (file != NULL) {
        file->moved = file->home == home;
      } else if (tail_add(t, status.st_dev, status.st_ino, home) != NULL) {
        file = put_in_order(t);
        file->moved = 1;
        file->matched = matched;
        file->path = moves[i].to;
        moves[i].to = NULL;
        tail_open(t, file);
      }
    }
    free(moves[i].from);
    free(moves[i].to);
  }
  free(moves);
  for (i = 0; i < t->count; i++) t->files[i].moved = 0;
}

/* Looks for a file that is not open and not where it was. 0: it is gone, or no longer asked for. */
static int find_again(tail_t *t, tail_file_t *file) {
  uint32_t i;
  for (i = 0; i < t->settings.path_count; i++) {
    if (!each_folder(t, t->settings.paths[i], find_in_folder, file)) continue;
    return tail_hash(file->path, strlen(file->path)) != file->home && tail_open(t, file);
  }
  if (file->path != NULL) tail_log(t->context, BUSBAR_LOG_WARNING, "\"%s\" is gone; what was not read of it is lost", file->path);
  else tail_log(t->context, BUSBAR_LOG_WARNING, "A file that the position names (inode %llu) is gone", (unsigned long long)file->inode);
  return 0;
}

/* Draws the conclusions for one file. 0: forget it. */
static int settle(tail_t *t, tail_file_t *file, int64_t now) {
  int rotated;
  if (file->matched == TAIL_MATCHED_ALIAS) {
    free(file->path);
    file->path = file->alias;
    file->alias = NULL;
  }
  if (file->matched == TAIL_UNMATCHED && file->fd < 0 && !find_again(t, file)) return 0;
  if (file->path == NULL) return 0;
  rotated = file->matched == TAIL_UNMATCHED || tail_hash(file->path, strlen(file->path)) != file->home;
  if (rotated && !file->rotated) {
    file->rotated_at = file->quiet_since = now;
    file->released = 0;
    tail_log(t->context, BUSBAR_LOG_INFO, "\"%s\" was renamed, replaced or deleted; it is read to its end", file->path);
  }
  file->rotated = (uint8_t)rotated;
  if (!rotated) file->released = file->finishing = 0;
  return 1;
}

void tail_scan(tail_t *t) {
  int64_t now = tail_clock();
  uint32_t i;
  t->problem_count = 0;
  for (i = 0; i < t->count; i++) {
    t->files[i].matched = TAIL_UNMATCHED;
    free(t->files[i].alias);
    t->files[i].alias = NULL;
  }
  for (i = 0; i < t->settings.path_count; i++) scan_pattern(t, t->settings.paths[i]);
  t->scanned = 1;
  if (t->watch.running) take_moves(t);
  for (i = 0; i < t->count;) {
    if (settle(t, &t->files[i], now)) i++;
    else tail_remove(t, i);
  }
  /* Opened now, a file cannot get lost by being renamed or deleted before its turn. */
  for (i = 0; i < t->count && t->opened < TAIL_OPEN_MAX; i++)
    if (t->files[i].fd < 0 && tail_open(t, &t->files[i])) t->files[i].idle = 0;
}

/* ---- Rotation --------------------------------------------------------------------------------------------------------- */

static int has_begun_successor(const tail_t *t, const tail_file_t *file) {
  const tail_file_t *other;
  for (other = file + 1; other < t->files + t->count; other++)
    if (other->home == file->home && other->offset > 0) return 1;
  return 0;
}

/* Nobody can see whether a writer still has the file open. It has gone, we say, when there was silence for the grace period; and
 * that is final when it has begun to write its new file, or the file was deleted. A late line is still read until then. */
void tail_at_end(tail_t *t, tail_file_t *file) {
  int64_t now, quiet, grace = t->settings.grace;
  struct stat status;
  if (!file->rotated || t->settings.once) return;
  now = tail_clock();
  quiet = now - file->quiet_since;
  if (quiet >= grace || (now - file->rotated_at) / HOLD_GRACES >= grace) file->released = 1;
  if (!file->released || file->matched || quiet / FORGET_GRACES < grace) return;
  if (has_begun_successor(t, file) || fstat(file->fd, &status) != 0 || status.st_nlink == 0) file->finishing = 1;
}
