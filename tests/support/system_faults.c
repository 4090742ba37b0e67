/*
 * To be preloaded into a process: while the file $FAULT_FILE says so, the disk below $FAULT_FOLDER has a fault, or the clock.
 *   full       what writes has ENOSPC
 *   read-only  what writes, or opens to write, has EROFS
 *   past       the wall clock is an hour behind
 * Unlike a small disk, a mount or another time of the machine, it needs no rights.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { NONE, FULL, READ_ONLY, PAST };

static int fault(void) {
  const char *path = getenv("FAULT_FILE");
  char word[16] = "";
  int saved = errno, file = path == NULL ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (file >= 0) {
    if (syscall(SYS_read, file, word, sizeof word - 1) < 0) word[0] = 0;
    syscall(SYS_close, file);
  }
  errno = saved;
  if (strcmp(word, "full") == 0) return FULL;
  if (strcmp(word, "read-only") == 0) return READ_ONLY;
  return strcmp(word, "past") == 0 ? PAST : NONE;
}

static int lies_inside(const char *path) {
  const char *folder = getenv("FAULT_FOLDER");
  size_t length = folder == NULL ? 0 : strlen(folder);
  return length > 0 && strncmp(path, folder, length) == 0;
}

static int is_inside(int file) {
  char link[64], path[4096];
  ssize_t length;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return lies_inside(path);
}

/* The error that a write has; 0 for none. */
static int write_error(int file) {
  int now = fault();
  if ((now != FULL && now != READ_ONLY) || !is_inside(file)) return 0;
  return now == FULL ? ENOSPC : EROFS;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define WRITES(type, name, parameters, arguments)     \
  type name parameters {                              \
    static type(*next) parameters;                    \
    int error = write_error(file);                    \
    if (error != 0) return errno = error, (type)-1;   \
    if (next == NULL) next = NEXT(name);              \
    return next arguments;                            \
  }

WRITES(ssize_t, write, (int file, const void *data, size_t size), (file, data, size))
WRITES(ssize_t, pwrite, (int file, const void *data, size_t size, off_t at), (file, data, size, at))
WRITES(ssize_t, pwrite64, (int file, const void *data, size_t size, off64_t at), (file, data, size, at))
WRITES(int, fallocate, (int file, int mode, off_t at, off_t size), (file, mode, at, size))
WRITES(int, fallocate64, (int file, int mode, off64_t at, off64_t size), (file, mode, at, size))

/* A full disk takes whole sectors of no data, and what makes a file shorter. */
#define CUTS(name, offset)                                                        \
  int name(int file, offset size) {                                               \
    static int (*next)(int, offset);                                              \
    if (write_error(file) == EROFS) return errno = EROFS, -1;                     \
    if (next == NULL) next = NEXT(name);                                          \
    return next(file, size);                                                      \
  }

CUTS(ftruncate, off_t)
CUTS(ftruncate64, off64_t)

static int may_open(const char *path, int flags) {
  int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0;
  if (!writes || !lies_inside(path) || fault() != READ_ONLY) return 1;
  errno = (flags & O_EXCL) != 0 && access(path, F_OK) == 0 ? EEXIST : EROFS;
  return 0;
}

#define OPENS(name)                                              \
  int name(const char *path, int flags, ...) {                   \
    static int (*next)(const char *, int, ...);                  \
    va_list more;                                                \
    int mode;                                                    \
    va_start(more, flags);                                       \
    mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(more, int) : 0; \
    va_end(more);                                                \
    if (!may_open(path, flags)) return -1;                       \
    if (next == NULL) next = NEXT(name);                         \
    return next(path, flags, mode);                              \
  }

OPENS(open)
OPENS(open64)

int mkdir(const char *path, mode_t mode) {
  static int (*next)(const char *, mode_t);
  if (!may_open(path, O_CREAT | O_EXCL)) return -1;
  if (next == NULL) next = NEXT(mkdir);
  return next(path, mode);
}

#define HOUR 3600

int clock_gettime(clockid_t clock, struct timespec *time) {
  static int (*next)(clockid_t, struct timespec *);
  int result;
  if (next == NULL) next = NEXT(clock_gettime);
  result = next(clock, time);
  if (result == 0 && clock == CLOCK_REALTIME && fault() == PAST) time->tv_sec -= HOUR;
  return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  static int (*next)(struct timeval *, void *);
  int result;
  if (next == NULL) next = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
  result = next(time, zone);
  if (result == 0 && fault() == PAST) time->tv_sec -= HOUR;
  return result;
}
